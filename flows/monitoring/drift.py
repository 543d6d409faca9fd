"""Drift: does what the registry calls live really answer, and do applications read it? And what to do when not.

A change made past Gatewright (in a portal, by hand in a file) is found and named; it can be adopted, which makes it the
live model on a person's word, or repaired, which makes the recorded one stand and be read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import asdict

from evals.errors import GatewrightError, RefusedError
from evals.records import Endpoint, LivePointer, Record
from flows.deployments.downtime import replaceable
from flows.deployments.identity import attempt_id, deployment_name, own_tags
from flows.deployments.standing import astray
from flows.platforms.base import Platform, SlotSpec
from flows.platforms.model_names import same_model
from flows.publishers.base import Published, Publisher
from flows.registry.eligibility import refuse_blank
from flows.registry.records import NewPointer
from flows.registry.store import Registry
from flows.release.publish_live import publish_live

__all__ = ["Drift", "adopt", "find_drift", "find_reading_drift", "repair"]


class Drift(Record, frozen=True, kw_only=True):
    """One place that does not agree with the registry: the live `deployment`, or where a `publisher` writes.

    `place` is what people call it; `found` is a model id, or None for nothing.
    """

    subject: Literal["deployment", "publisher"]
    place: str
    kind: Literal["gone", "other_model", "not_ready", "unreadable", "stale"]
    expected: str | None
    found: str | None
    message: str

    @property
    def outage(self) -> bool:
        """True when the platform did not answer, which tells nothing of what stands there."""
        return (self.subject, self.kind) == ("deployment", "unreadable")


async def find_drift(
    target: str, *, platform: Platform, registry: Registry, publishers: Sequence[Publisher]
) -> tuple[Drift, ...]:
    """Compare the registry with the platform and with what applications read; empty when all agree."""
    live = registry.live(target)
    served = await _served(platform, live) if live is not None else None
    read = await find_reading_drift(live, publishers)
    return (served, *read) if served is not None else read


async def find_reading_drift(
    live: LivePointer | None, publishers: Sequence[Publisher]
) -> tuple[Drift, ...]:
    """Compare the registry with what applications read alone."""
    read = [await _read(publisher, live) for publisher in publishers if publisher.reads_back]
    return tuple(found for found in read if found is not None)


async def adopt(
    target: str,
    *,
    platform: Platform,
    registry: Registry,
    publishers: Sequence[Publisher],
    actor: str,
    reason: str,
) -> LivePointer:
    """Make live what the recorded deployment really serves, on a person's word, and tell applications.

    Raises RefusedError when nothing is live, the deployment is gone or serves what is recorded, or the model is barred.
    """
    refuse_blank(actor, reason)
    live = _require_live(registry, target)
    standing = await platform.get(live.deployment) if live.deployment else None
    if standing is None or same_model(live.model_id, standing.model_id):
        raise RefusedError(f"{target} serves nothing else than what is recorded: nothing to adopt")
    connection = platform.connect(standing.name, standing.model_id, "production")
    pointer = registry.switch(
        _pointer(live, standing.model_id, connection.endpoint, standing.name),
        expected_generation=live.generation,
        actor=actor,
        reason=reason,
        kind="adopt",
    )
    await publish_live(registry, publishers, target)
    return pointer


async def repair(
    target: str,
    *,
    platform: Platform,
    registry: Registry,
    publishers: Sequence[Publisher],
    slot: SlotSpec,
    actor: str,
    reason: str,
    keeps_name: str | None = None,
) -> tuple[Published, ...]:
    """Make the recorded model stand again where it does not, beside what stands there now, and tell applications.

    In the deployment `keeps_name`, whose name applications know, it takes the place of what stands there instead.
    Raises RefusedError when nothing is live or the model is barred, PlatformError when it can't be made to stand.
    """
    refuse_blank(actor, reason)
    live = _require_live(registry, target)
    drift = await _served(platform, live)
    missing = drift is not None and drift.kind in ("gone", "other_model")
    if missing and (why := registry.barred(target, live.model_id)) is not None:
        raise RefusedError(
            f"{live.model_id} may not be live for {target}: {why}; 'gatewright rollback {target}' goes back instead"
        )
    if missing and keeps_name and keeps_name == live.deployment:
        tags = own_tags(target, live.run_id or "", "production")
        await replaceable(platform).replace(keeps_name, live.model_id, slot, tags=tags)
    elif missing:
        run = attempt_id("repair", live.generation)
        name = deployment_name(target, run)
        tags = own_tags(target, run, "production")
        deployed = await platform.deploy(name, live.model_id, slot, tags=tags)
        endpoint = (await platform.wait_ready(deployed)).endpoint
        registry.switch(
            _pointer(live, live.model_id, endpoint, name),
            expected_generation=live.generation,
            actor=actor,
            reason=reason,
            kind="rollback",
        )
    return await publish_live(registry, publishers, target)


async def _served(platform: Platform, live: LivePointer) -> Drift | None:
    found = await astray(platform, live)
    if found is None:
        return None
    place = f"deployment {live.deployment}"
    return _drift("deployment", place, found.kind, live, found.found, found.message)


async def _read(publisher: Publisher, live: LivePointer | None) -> Drift | None:
    try:
        seen = await publisher.read_back()
    except GatewrightError as error:
        return _drift("publisher", publisher.name, "unreadable", live, None, str(error))
    if seen == live:
        return None
    named = f"{seen.model_id} (generation {seen.generation})" if seen else "nothing"
    message = f"applications read {named} from {publisher.name}"
    return _drift(
        "publisher", publisher.name, "stale", live, seen.model_id if seen else None, message
    )


def _drift(
    subject: Literal["deployment", "publisher"],
    place: str,
    kind: Literal["gone", "other_model", "not_ready", "unreadable", "stale"],
    live: LivePointer | None,
    found: str | None,
    message: str,
) -> Drift:
    expected = live.model_id if live else None
    return Drift(
        subject=subject, place=place, kind=kind, expected=expected, found=found, message=message
    )


def _require_live(registry: Registry, target: str) -> LivePointer:
    live = registry.live(target)
    if live is None:
        raise RefusedError(f"nothing is live for {target}")
    return live


def _pointer(live: LivePointer, model_id: str, endpoint: Endpoint, deployment: str) -> NewPointer:
    kept = {key: value for key, value in asdict(live).items() if key in ("target", "platform")}
    return NewPointer(**kept, model_id=model_id, endpoint=endpoint, deployment=deployment)
