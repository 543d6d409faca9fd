"""Going back: the previous live model at once while it stands, deployed again when it is gone. No gate, but a reason.

A rollback holds its target in the same transaction as the switch, so that automation can't undo it before a person
releases it. It never goes to a model that was refused or revoked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from evals.errors import PlatformError, RefusedError, StaleGenerationError
from evals.records import Endpoint, LivePointer, Record
from flows.deployments.downtime import replaceable
from flows.deployments.identity import as_recorded, attempt_id, deployment_name, own_tags
from flows.platforms.base import Deployment, Platform, SlotSpec
from flows.platforms.model_names import same_model
from flows.publishers.base import Published, Publisher
from flows.recovery.earlier_models import rollback_command
from flows.registry.eligibility import refuse_blank
from flows.registry.records import Hold, NewPointer
from flows.registry.store import Registry
from flows.release.publish_live import publish_live

_LEFT_PAUSED = (
    "{} stays paused, counts among the account's deployments and may go on holding its quota; the sweep deletes it once"
    " 'promotion.keep_previous' is over since it was superseded. It can't be resumed: {}"
)

__all__ = ["RollbackOutcome", "require_rolled_back", "roll_back"]

_PAUSED = 423


class RollbackOutcome(Record, frozen=True, kw_only=True):
    """What is live after a rollback. `warm`: its deployment stood, so that nothing had to be deployed.

    `downtime_s` is how long nothing answered where the deployment keeps its name. `switched` is False when it was live already and was only published again; `problems` names the places that could
    not be told. `note` is what a person should know besides.
    """

    pointer: LivePointer
    previous: LivePointer
    warm: bool
    switched: bool
    hold: Hold | None
    published: tuple[Published, ...]
    downtime_s: float = 0.0
    note: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong in publishing, one sentence each."""
        return tuple(found.problem for found in self.published if found.problem)


async def roll_back(
    target: str,
    *,
    to: str | None = None,
    from_generation: int | None = None,
    reason: str,
    actor: str,
    platform: Platform,
    registry: Registry,
    publishers: Sequence[Publisher],
    slot: SlotSpec,
    run_id: str | None = None,
    keeps_name: str | None = None,
) -> RollbackOutcome:
    """Go back to the previous live model, or to the model `to`, hold the target, and tell applications.

    `keeps_name` is the deployment whose name applications know: where it is live, the model is replaced in it.

    It goes back from `from_generation`, or from what is live when it is called. Asked for what is live already, again
    with the same `run_id`, or for what somebody else has done meanwhile, it only publishes once more. Raises RefusedError
    when there is nothing to go back to or it is barred, StaleGenerationError when somebody changed the pointer
    meanwhile, PlatformError when the model can't be made to stand; the pointer is unchanged then.
    """
    refuse_blank(actor, reason)
    # Read before `live`: a goal that another rollback moved meanwhile is then never taken for this one's.
    earlier = registry.previous(target) if to is None else registry.find(target, to)
    live = registry.live(target)
    if live is None:
        raise RefusedError(f"nothing is live for {target}: there is nothing to go back from")
    again = live.model_id == to or (run_id is not None and live.run_id == run_id)
    if from_generation is not None and from_generation != live.generation:
        live, again = require_rolled_back(registry, target, from_generation, to), True
    if again:
        return await _outcome(registry, publishers, live, live, warm=True, switched=False)
    goal = _allowed(registry, target, to, earlier)
    attempt = run_id or attempt_id("rollback", live.generation)
    stand = _stand_in_place if keeps_name and keeps_name == live.deployment else _stand
    stands = await stand(platform, goal, live, slot, attempt)
    # The model stands and answers before the pointer moves: a rollback that can't deploy leaves applications as they are.
    new = NewPointer(
        target=target,
        model_id=goal.model_id,
        platform=goal.platform,
        endpoint=stands.endpoint,
        deployment=stands.deployment,
        run_id=run_id,
    )
    try:
        pointer = registry.switch(
            new,
            expected_generation=live.generation,
            actor=actor,
            reason=reason,
            kind="rollback",
            hold=True,
        )
    except StaleGenerationError:
        done = _rolled_back(registry, target, live.generation, to)
        if done is None:
            raise
        return await _outcome(registry, publishers, done, done, warm=True, switched=False)
    outcome = await _outcome(registry, publishers, pointer, live, warm=stands.warm, switched=True)
    return msgspec.structs.replace(outcome, downtime_s=stands.downtime_s, note=stands.note)


def require_rolled_back(
    registry: Registry, target: str, generation: int, to: str | None
) -> LivePointer:
    """Return what a rollback from a generation made live. Raises RefusedError when that is not what is live."""
    done = _rolled_back(registry, target, generation, to)
    if done is not None:
        return done
    live = registry.live(target)
    now = f"generation {live.generation} ({live.model_id})" if live is not None else "nothing"
    raise RefusedError(
        f"{target} is not at generation {generation}: {now} is live; nothing was changed"
    )


def _rolled_back(
    registry: Registry, target: str, generation: int, to: str | None
) -> LivePointer | None:
    """What a rollback from a generation made live, None when that is not what is live."""
    live, event = registry.live(target), registry.event_of(target, generation + 1)
    by_rollback = event is not None and event.kind == "rollback" and to in (None, event.model_id)
    return live if live is not None and by_rollback and live.generation == generation + 1 else None


def _allowed(
    registry: Registry, target: str, to: str | None, found: LivePointer | None
) -> LivePointer:
    if found is None and to is None:
        other = rollback_command(registry, target)
        way = f"; to go to {other.model_id} instead: {other.command}" if other else ""
        raise RefusedError(f"{target} has no earlier model to go back to{way}")
    if found is None:
        raise RefusedError(f"{to} was never live for {target}")
    if (why := registry.barred(target, found.model_id)) is not None:
        raise RefusedError(f"{found.model_id} may not be live for {target}: {why}")
    return found


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where the model answers, its deployment, whether it stood there already, and for how many seconds nothing answered."""

    endpoint: Endpoint
    deployment: str | None
    warm: bool
    downtime_s: float = 0.0
    note: str = ""


async def _stand(
    platform: Platform, goal: LivePointer, live: LivePointer, slot: SlotSpec, attempt: str
) -> _Standing:
    """Make the model answer beside what is live: where it stood, or deployed anew."""
    if goal.deployment is None:
        return _Standing(goal.endpoint, None, warm=True)
    refused, standing = None, await platform.get(goal.deployment)
    if standing is not None and same_model(goal.model_id, standing.model_id):
        standing = msgspec.structs.replace(standing, model_id=goal.model_id)
        if standing.state == "paused":
            standing, refused = await _resumed(platform, standing, goal.model_id)
        if standing.state == "ready":
            try:
                endpoint = (await platform.wait_ready(standing)).endpoint
                return _Standing(endpoint, goal.deployment, warm=True)
            except PlatformError as error:
                if error.status != _PAUSED:
                    raise
                refused = error
    return await _stand_anew(platform, goal, slot, attempt, refused)


async def _resumed(
    platform: Platform, standing: Deployment, model_id: str
) -> tuple[Deployment, PlatformError | None]:
    """Resume what stands paused, which deploying it does; where that is refused it is returned as it is, with the refusal."""
    kept = SlotSpec(slot="production", sku=standing.sku, capacity=standing.capacity)
    try:
        return await platform.deploy(standing.name, model_id, kept, tags=standing.tags), None
    except PlatformError as error:
        return standing, error


async def _stand_anew(
    platform: Platform,
    goal: LivePointer,
    slot: SlotSpec,
    attempt: str,
    refused: PlatformError | None = None,
) -> _Standing:
    """Deploy the model beside what stands; `refused` is why its own deployment could not be resumed."""
    name = deployment_name(goal.target, attempt)
    tags = own_tags(goal.target, attempt, "production")
    try:
        deployed = await platform.deploy(name, goal.model_id, slot, tags=tags)
        endpoint = (await platform.wait_ready(deployed)).endpoint
    except PlatformError as error:
        if refused is None:
            raise
        raise PlatformError(
            f"{goal.model_id} can't be resumed ({refused}) and could not be deployed anew: {error.message}",
            status=error.status,
            code=error.code,
            lasting=error.lasting,
            hint=f"resume {goal.deployment} by hand and run the rollback again, or put right what keeps it from being"
            " deployed",
        ) from error
    note = _LEFT_PAUSED.format(goal.deployment, refused) if refused is not None else ""
    return _Standing(endpoint, name, warm=False, note=note)


async def _stand_in_place(
    platform: Platform, goal: LivePointer, live: LivePointer, slot: SlotSpec, attempt: str
) -> _Standing:
    """The same where applications know one name only: the live model goes, the old one comes, in the same place.

    When the old one can't be made to stand, the live one is put back and stays live.
    """
    name = live.deployment
    assert name is not None, "only a deployment with a name keeps it"
    standing = await platform.get(name)
    if standing is not None and not any(
        same_model(one.model_id, standing.model_id) for one in (goal, live)
    ):
        raise PlatformError(
            f"{name} serves {standing.model_id}, which is neither what is live nor what is gone back to",
            hint=f"'gatewright verify {goal.target}' with --adopt or --put-back settles which one is right",
        )
    previous = standing if standing and same_model(live.model_id, standing.model_id) else None
    done = await replaceable(platform).replace(
        name,
        goal.model_id,
        slot,
        tags=own_tags(goal.target, attempt, "production"),
        previous=previous or as_recorded(name, live, slot),
    )
    warm = standing is not None and previous is None
    return _Standing(done.connection.endpoint, name, warm=warm, downtime_s=done.downtime_s)


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
