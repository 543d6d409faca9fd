"""How long a promotion leaves an application without an answer: what a platform can do, and the words said before.

A deployment that keeps its name gets the new model in place, where the platform does that, or is deleted and created again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from evals.errors import RefusedError
from evals.records import Role
from flows.config.strategy import Strategy, fixed_name
from flows.config.target import Target
from flows.platforms.base import Deployment, Finding, Platform, ReplacesModels, SlotSpec
from flows.registry.records import Step

__all__ = ["describe_change", "describe_downtime", "downtime_findings", "replaceable"]


def replaceable(platform: Platform) -> ReplacesModels:
    """Return the platform as one that can replace. Raises RefusedError when it keeps no names."""
    if not isinstance(platform, ReplacesModels):
        raise RefusedError(f"a kept deployment name needs lasting names; {platform.name} has none")
    return platform


def describe_change(strategy: Strategy, platform: ReplacesModels, *, in_place: bool) -> str:
    """Say what an application notices while a deployment gets its new model."""
    if strategy == "in_place":
        return "the old one answers until it is there"
    gap = f"it will not answer for about {_span(platform.expected_replace_s)}"
    return f"in place if the service does that, else {gap}" if in_place else gap


def describe_downtime(marks: Iterable[Step]) -> str:
    """Say how long a run's deployment did not answer, by the marks of its steps; nothing when it always did."""
    gaps = [mark.detail["downtime_s"] for mark in marks if mark.detail.get("downtime_s")]
    return f"did not answer for {sum(gaps):.0f} s" if gaps else ""


def downtime_findings(
    target: Target, platform: Platform, models: Mapping[Role, str]
) -> Iterator[Finding]:
    """Return the line of a preflight on what promoting interrupts; none where nothing keeps its name.

    It fails where an in-place change is asked for that is not to be had. `models` maps each role to its model id.
    """
    name, strategy = fixed_name(target), target.promotion.strategy
    if name is None or not isinstance(platform, ReplacesModels):
        return
    candidate, live = models["candidate"], models.get("baseline", "")
    standing = _standing(name, live, target.production)
    in_place = platform.changes_in_place(standing, candidate, target.production)
    words = describe_change(strategy, platform, in_place=in_place)
    if strategy == "replace":
        message = f"promoting replaces the model in {name}: {words}"
        yield Finding(name="downtime", level="warn", message=message, fix=_NO_GAP)
    elif live and live != candidate and not in_place:
        message = f"{live} can't be changed to {candidate} in place, in a deployment of this type"
        yield Finding(name="downtime", level="fail", message=message, fix=_OTHER_WAYS)
    else:
        message = f"promoting changes the model in {name} in place: {words}"
        yield Finding(name="downtime", level="ok", message=message)


_NO_GAP = "with 'promotion.strategy: blue_green' nothing is ever unanswered"
_OTHER_WAYS = "use 'promotion.strategy: blue_green', or 'replace' where the name has to stay"


def _standing(name: str, model_id: str, slot: SlotSpec) -> Deployment:
    """The live deployment as the target describes it."""
    return Deployment(
        name=name,
        model_id=model_id,
        state="ready",
        slot="production",
        sku=slot.sku,
        capacity=slot.capacity,
    )


def _span(seconds: tuple[float, float]) -> str:
    least, most = seconds
    if most < 120:
        return f"{least:.0f} to {most:.0f} s"
    return f"{least / 60:.0f} to {most / 60:.0f} min"
