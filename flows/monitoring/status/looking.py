"""Looks at platforms and publishers: targets side by side, several things of each at once, with one time limit for each target.

One that is dead or slow hides neither the others nor what else can be seen of its own target.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from evals.errors import ConfigurationError, GatewrightError
from evals.report.sanitise import one_line
from flows.config.connections import platform_of
from flows.config.target import Target
from flows.monitoring.drift import Drift
from flows.monitoring.drift_watch import at_work
from flows.monitoring.status.differing import drift_needs, read_otherwise, served_otherwise
from flows.monitoring.status.ends import ends_now, published_ends
from flows.monitoring.status.records import ModelEnd, Need, NeedKind, Seen, StandingSlot
from flows.monitoring.status.standing import standing_slots
from flows.platforms.base import HostingPlatform
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["LIMIT_S", "look_at_all"]

LIMIT_S = 20.0
"""How long one target's platform, and what its applications read, may take to answer, in seconds."""
T = TypeVar("T")


async def look_at_all(
    settings: Settings,
    registry: Registry,
    targets: Iterable[Target],
    *,
    limit_s: float = LIMIT_S,
    ask: bool = True,
) -> Mapping[str, Seen]:
    """Return what was seen of each target, by its name; what could not be seen is among its problems.

    Without `ask` nothing is asked of anybody: the last days of models are those that are published.
    """
    wanted = tuple(targets)
    looks = (_look(settings, registry, one, limit_s, ask) for one in wanted)
    found = await asyncio.gather(*looks)
    return {target.name: seen for target, seen in zip(wanted, found, strict=True)}


async def _look(
    settings: Settings, registry: Registry, target: Target, limit_s: float, ask: bool
) -> Seen:
    try:
        platform = platform_of(target)
    except GatewrightError as error:
        return Seen(problems=(_problem(target, "target_file", error),))
    try:
        if not ask:
            return Seen(ends=await published_ends(registry, target, platform))
        return await _Look(settings, registry, target, platform, limit_s).all()
    except GatewrightError as error:
        return Seen(problems=(_problem(target, "platform", error),))
    finally:
        await platform.aclose()


class _Look:
    """One look at one target; what hinders it is collected."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        target: Target,
        platform: HostingPlatform,
        limit_s: float,
    ) -> None:
        self._settings, self._registry, self._target = settings, registry, target
        self._platform, self._limit_s = platform, limit_s
        self._until = asyncio.get_running_loop().time() + limit_s
        self._problems: list[Need] = []

    async def all(self) -> Seen:
        registry, target = self._registry, self._target
        settled = not at_work(self._settings, registry, target.name)
        (slots, ends, served), read = await asyncio.gather(
            self._of_platform(settled),
            self._within(
                "publisher",
                lambda: read_otherwise(self._settings, registry, target),
                wanted=settled,
            ),
        )
        if ends is None:
            ends = await published_ends(registry, target, self._platform)
        return Seen(
            slots=slots or (),
            ends=ends,
            drifts=self._drifts((*(served or ()), *(read or ()))),
            problems=_each_once(self._problems),
            stood=slots is not None,
            compared=served is not None and read is not None,
        )

    async def _of_platform(
        self, settled: bool
    ) -> tuple[
        tuple[StandingSlot, ...] | None, tuple[ModelEnd, ...] | None, tuple[Drift, ...] | None
    ]:
        """What stands, what ends and what is served otherwise; nothing of it where the platform is away."""
        registry, target, platform = self._registry, self._target, self._platform
        away = await self._within("platform", platform.reach)
        if away is not None:
            self._problems.append(_problem(target, "platform", away.message))
        if any(one.kind != "publisher" for one in self._problems):
            return None, None, None
        return await asyncio.gather(
            self._within(
                "platform", lambda: standing_slots(self._settings, registry, target, platform)
            ),
            self._within("platform", lambda: ends_now(registry, target, platform)),
            self._within(
                "platform", lambda: served_otherwise(registry, target, platform), wanted=settled
            ),
        )

    def _drifts(self, found: tuple[Drift, ...]) -> tuple[Need, ...]:
        known = self._registry.drifted(self._target.name)
        live = self._registry.live(self._target.name)
        needs = drift_needs(self._target.name, live, found, known.at if known else None)
        self._problems += [one for one in needs if one.severity == "unseen"]
        return tuple(one for one in needs if one.severity != "unseen")

    async def _within(
        self, kind: NeedKind, look: Callable[[], Awaitable[T]], *, wanted: bool = True
    ) -> T | None:
        """Await a look for what is left of the target's time; None when it was not to be made, or something hindered it."""
        if not wanted:
            return None
        try:
            async with asyncio.timeout_at(self._until):
                return await look()
        except TimeoutError:
            why = f"no answer within {self._limit_s:g} s"
            self._problems.append(_problem(self._target, kind, why))
        except GatewrightError as error:
            self._problems.append(_problem(self._target, kind, error))
        except (
            Exception
        ) as error:  # of a platform from elsewhere, say: it is this target's trouble alone
            why = f"unexpected {type(error).__name__}: {error}"
            self._problems.append(_problem(self._target, kind, why))
        return None


def _problem(target: Target, kind: NeedKind, why: GatewrightError | str) -> Need:
    """What could not be looked at; a mistake in the target file is somebody's to put right."""
    mistaken = isinstance(why, ConfigurationError)
    return Need(
        kind="target_file" if mistaken else kind,
        severity="misconfigured" if mistaken else "unseen",
        message=one_line(str(why)),
        command=f"gatewright doctor {target.name}",
        about=target.platform,
    )


def _each_once(problems: list[Need]) -> tuple[Need, ...]:
    return tuple({(one.kind, one.message): one for one in problems}.values())
