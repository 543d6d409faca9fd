"""Going back: the previous live model at once while it stands, deployed again when it is gone. No gate, but a reason.

A rollback holds its target in the same transaction as the switch, so that automation can't undo it before a person
releases it. It never goes to a model that was refused or revoked.
"""

from __future__ import annotations

from collections.abc import Sequence

from evals.errors import RefusedError
from evals.records import Endpoint, LivePointer, Record
from flows.platforms.base import Platform, SlotSpec
from flows.promotion_steps import deployment_name
from flows.publishers.base import Published, Publisher
from flows.publishing_live import publish_live
from flows.registry.records import Hold, NewPointer
from flows.registry.standing import refuse_blank
from flows.registry.store import Registry

__all__ = ["RollbackOutcome", "roll_back"]


class RollbackOutcome(Record, frozen=True, kw_only=True):
    """What is live after a rollback. `warm`: its deployment stood, so that nothing had to be deployed.

    `switched` is False when it was live already and was only published again; `problems` names the places that could
    not be told.
    """

    pointer: LivePointer
    previous: LivePointer
    warm: bool
    switched: bool
    hold: Hold | None
    published: tuple[Published, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong in publishing, one sentence each."""
        return tuple(found.problem for found in self.published if found.problem)


async def roll_back(
    target: str,
    *,
    to: str | None = None,
    reason: str,
    actor: str,
    platform: Platform,
    registry: Registry,
    publishers: Sequence[Publisher],
    slot: SlotSpec,
    run_id: str | None = None,
) -> RollbackOutcome:
    """Go back to the previous live model, or to the model `to`, hold the target, and tell applications.

    Asked for what is live already, or again with the same `run_id`, it only publishes once more. Raises RefusedError
    when there is nothing to go back to or it is barred, StaleGenerationError when somebody changed the pointer
    meanwhile, PlatformError when the model can't be made to stand; the pointer is unchanged then.
    """
    refuse_blank(actor, reason)
    live = registry.live(target)
    if live is None:
        raise RefusedError(f"nothing is live for {target}: there is nothing to go back from")
    again = live.model_id == to or (run_id is not None and live.run_id == run_id)
    if again:
        return await _outcome(registry, publishers, live, live, warm=True, switched=False)
    goal = _goal(registry, target, to)
    endpoint, deployment, warm = await _stand(platform, goal, slot, run_id or _attempt(live))
    pointer = registry.switch(
        NewPointer(
            target=target,
            model_id=goal.model_id,
            platform=goal.platform,
            endpoint=endpoint,
            deployment=deployment,
            run_id=run_id,
        ),
        expected_generation=live.generation,
        actor=actor,
        reason=reason,
        kind="rollback",
        hold=True,
    )
    return await _outcome(registry, publishers, pointer, live, warm=warm, switched=True)


def _goal(registry: Registry, target: str, to: str | None) -> LivePointer:
    found = registry.previous(target) if to is None else registry.find(target, to)
    if found is None and to is None:
        raise RefusedError(f"{target} has no earlier model to go back to")
    if found is None:
        raise RefusedError(f"{to} was never live for {target}")
    if (why := registry.barred(target, found.model_id)) is not None:
        raise RefusedError(f"{found.model_id} may not be live for {target}: {why}")
    return found


async def _stand(
    platform: Platform, goal: LivePointer, slot: SlotSpec, attempt: str
) -> tuple[Endpoint, str | None, bool]:
    """Return where the model answers, its deployment, and whether it stood there already."""
    if goal.deployment is None:
        return goal.endpoint, None, True
    standing = await platform.get(goal.deployment)
    if standing is not None and (standing.state, standing.model_id) == ("ready", goal.model_id):
        return (await platform.wait_ready(standing)).endpoint, goal.deployment, True
    name = deployment_name(goal.target, attempt)
    tags = {"gatewright": goal.target, "gatewright-run": attempt, "gatewright-role": "production"}
    deployed = await platform.deploy(name, goal.model_id, slot, tags=tags)
    return (await platform.wait_ready(deployed)).endpoint, name, False


def _attempt(live: LivePointer) -> str:
    return f"rollback-{live.generation}"


async def _outcome(
    registry: Registry,
    publishers: Sequence[Publisher],
    pointer: LivePointer,
    previous: LivePointer,
    *,
    warm: bool,
    switched: bool,
) -> RollbackOutcome:
    published = await publish_live(registry, publishers, pointer.target)
    return RollbackOutcome(
        pointer=pointer,
        previous=previous,
        warm=warm,
        switched=switched,
        hold=registry.held(pointer.target),
        published=published,
    )
