"""Gathers how all targets stand: what is on record, what stands, and what of it needs a person, worst first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from evals.errors import ConfigurationError, GatewrightError, Problem, nearest
from evals.gate.policy import GatePolicy, load_policy
from evals.records import LivePointer
from evals.report.numbers import counted
from evals.report.sanitise import one_line
from flows.config.named_files import gate_file, require_suites
from flows.config.target import Target, load_target, target_names
from flows.freezing.advice import freeze_advice
from flows.monitoring.against_itself import against_itself
from flows.monitoring.status.ends import end_needs
from flows.monitoring.status.looking import LIMIT_S, look_at_all
from flows.monitoring.status.people import recorded_needs, trigger_needs
from flows.monitoring.status.recorded import (
    last_regression,
    live_model,
    tries_so_far,
)
from flows.monitoring.status.records import (
    EXIT_CODES,
    SEVERITIES,
    Need,
    Seen,
    Status,
    TargetStatus,
    severest,
)
from flows.monitoring.status.standing import leftover_needs
from flows.monitoring.status.watching import (
    canary_needs,
    canary_of,
    itself_needs,
    reference_needs,
    regression_needs,
)
from flows.platforms.model_names import short_name
from flows.registry.frozen import standing_for
from flows.registry.records import Event
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["gather_status", "named_targets"]

_LONGEST = 500


def named_targets(settings: Settings, registry: Registry, target: str | None) -> tuple[str, ...]:
    """Return the targets that are meant: one, or all that have a file or were ever live.

    Raises ConfigurationError for a name that is none, with the nearest one.
    """
    known = sorted({*registry.targets(), *target_names(settings.targets)})
    if target is None:
        return tuple(known)
    if target not in known:
        message = f"there is no target '{target}'"
        fix = nearest(target, known) or "write a target file, or set GATEWRIGHT_TARGETS"
        raise ConfigurationError(Problem(where="status", message=message, fix=fix))
    return (target,)


async def gather_status(
    settings: Settings,
    registry: Registry,
    names: Sequence[str],
    *,
    ask: bool = True,
    limit_s: float = LIMIT_S,
) -> Status:
    """Return how targets stand, by the registry's clock. A broken file or a dead platform is a need of its own target.

    Args:
        settings: where things are.
        registry: open, and read only.
        names: targets, as `named_targets` returns them.
        ask: whether platforms and publishers may be asked.
        limit_s: how long all that a target needs may take, in seconds.
    """
    files = [_files_of(settings, name) for name in names]
    targets = [one.target for one in files if one.target is not None]
    seen = await look_at_all(settings, registry, targets, limit_s=limit_s, ask=ask)
    found = []
    for one in files:
        try:
            status = _status(settings, registry, one, seen.get(one.name, Seen()), asked=ask)
        except GatewrightError as error:
            status = _unreadable(one, error)
        found.append(status)
    needs = tuple(trigger_needs(registry))
    severity = max([severest(needs), *(one.severity for one in found)], key=SEVERITIES.index)
    return Status(
        at=registry.now(),
        severity=severity,
        exit_code=EXIT_CODES[severity],
        looked=ask,
        targets=tuple(found),
        needs=needs,
    )


class _Files(NamedTuple):
    """What a target's files say: target and gate as far as they can be read, and the first problem of file, gate or suites."""

    name: str
    target: Target | None
    policy: GatePolicy | None
    problem: Need | None = None


def _files_of(settings: Settings, name: str) -> _Files:
    target: Target | None = None
    policy: GatePolicy | None = None
    try:
        target = load_target(settings.targets, name)
        policy = load_policy(gate_file(settings, target))
        require_suites(settings, target)
    except GatewrightError as error:
        return _Files(name, target, policy, _misconfigured(name, error))
    return _Files(name, target, policy)


def _misconfigured(name: str, error: GatewrightError) -> Need:
    problems = str(error).splitlines()
    more = f" (and {counted(len(problems) - 1, 'more problem')})" if len(problems) > 1 else ""
    return Need(
        kind="target_file",
        severity="misconfigured",
        message=one_line(problems[0]) + more,
        command=f"gatewright doctor {name}",
    )


def _clean(need: Need) -> Need:
    """Reasons and names of people and platforms are anybody's text."""
    return msgspec.structs.replace(need, message=one_line(need.message, _LONGEST))


def _unreadable(files: _Files, error: GatewrightError) -> TargetStatus:
    """The status of a target with a record that can't be read: its own trouble, and no other target's."""
    command = f"gatewright verify {files.name}"
    why = Need(kind="record", severity="unseen", message=str(error), command=command)
    return TargetStatus(
        target=files.name,
        severity=why.severity,
        platform=files.target.platform if files.target is not None else "",
        looked=False,
        needs=(_clean(why),),
    )


def _file_needs(settings: Settings, files: _Files, live: LivePointer | None) -> Iterator[Need]:
    """Yield the problem with a target's files, unless the target was given up: no file and nothing live."""
    given_up = live is None and not (settings.targets / f"{files.name}.yaml").exists()
    if files.problem is not None and not given_up:
        yield files.problem


def _status(
    settings: Settings, registry: Registry, files: _Files, seen: Seen, *, asked: bool
) -> TargetStatus:
    name, target = files.name, files.target
    live = registry.live(name)
    regression = last_regression(registry, live)
    canary = canary_of(registry, target) if target is not None else None
    itself = against_itself(settings, registry, live)
    drift, frozen = registry.drifted(name), _frozen(registry, name, live)
    needs = [
        *_file_needs(settings, files, live),
        *seen.problems,
        *_drifts(name, drift, seen),
        *regression_needs(registry, name, regression),
        *reference_needs(registry, live),
        *canary_needs(canary),
        *recorded_needs(settings, registry, name, live, refuses=any(e.refuses for e in seen.ends)),
        *end_needs(
            registry,
            name,
            seen.ends,
            registry.now(),
            to_freeze=_to_freeze(registry, target, seen),
            frozen=frozen is not None,
        ),
        *leftover_needs(name, seen.slots),
        *itself_needs(name, itself),
    ]
    return TargetStatus(
        target=name,
        severity=severest(needs),
        platform=target.platform if target is not None else (live.platform if live else ""),
        looked=asked and target is not None and not seen.problems,
        live=live_model(registry, live),
        regression=regression,
        canary=msgspec.to_builtins(canary),
        tries=tries_so_far(registry, name, files.policy),
        hold=msgspec.to_builtins(registry.held(name)),
        drift=_drift(drift),
        ends=seen.ends,
        slots=seen.slots,
        usd_per_hour=_sum(one.usd_per_hour for one in seen.slots) if seen.stood else None,
        frozen=frozen,
        against_itself=itself,
        needs=tuple(sorted(map(_clean, needs), key=lambda one: -SEVERITIES.index(one.severity))),
    )


def _to_freeze(registry: Registry, target: Target | None, seen: Seen) -> bool:
    ends = next((end.answers_until for end in seen.ends if end.role == "live"), None)
    if target is None or ends is None:
        return False
    today = datetime.fromisoformat(registry.now()).date()
    return freeze_advice(registry, target, today=today, ends=ends) is not None


def _frozen(registry: Registry, name: str, live: LivePointer | None) -> dict[str, Any] | None:
    """The frozen baseline of what is live, or of what was, in short."""
    found = standing_for(registry.frozen(name), live)
    if found is None:
        return None
    of = found.baseline
    return {
        "frozen_id": of.frozen_id,
        "name": short_name(of.model_id),
        "frozen_at": of.frozen_at,
        "repeats": of.repeats,
        "signed": found.signed,
    }


def _drifts(name: str, recorded: Event | None, seen: Seen) -> list[Need]:
    """What differs now; what is on record stands where it could not be compared."""
    if recorded is None:
        return list(seen.drifts)
    if seen.compared:
        return list(seen.drifts) or [_over(name, recorded)]
    known = Need(
        kind="drift",
        severity="broken",
        message=one_line(recorded.reason),
        since=recorded.at,
        command=f"gatewright verify {name}",
    )
    return [known, *(one for one in seen.drifts if one.message not in known.message)]


def _over(name: str, recorded: Event) -> Need:
    return Need(
        kind="drift",
        severity="notice",
        message=f"stands as recorded again; the next sweep closes the drift on record: {one_line(recorded.reason)}",
        since=recorded.at,
        command=f"gatewright history {name}",
    )


def _drift(recorded: Event | None) -> dict[str, Any] | None:
    return {"since": recorded.at, "reason": recorded.reason} if recorded is not None else None


def _sum(prices: Iterable[float | None]) -> float | None:
    known = list(prices)
    priced = [price for price in known if price is not None]
    return math.fsum(priced) if len(priced) == len(known) else None
