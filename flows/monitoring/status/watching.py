"""How the live model is watched: its last regression run, its canary, and itself against itself; what of it needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evals.records import LivePointer
from evals.report.numbers import counted, signed
from evals.report.sanitise import one_line
from flows.config.target import Target
from flows.monitoring.against_itself import AgainstItself
from flows.monitoring.status.records import Need, Severity, Watched
from flows.monitoring.taken_anew import taken_anew_sentence
from flows.registry.provenance import origin
from flows.registry.store import Registry

if TYPE_CHECKING:
    from flows.monitoring.canary.status import CanaryStatus

__all__ = ["canary_needs", "canary_of", "itself_needs", "reference_needs", "regression_needs"]

_LONGEST = 240
_SILENT_LOOKS = 3
"""So many looks in a row that brought too few answers are no accident."""
_OF_OUTCOME: dict[str, Severity] = {
    "worse": "broken",
    "FAIL": "broken",
    "changed": "person",
    "cannot_tell": "notice",
    "INCONCLUSIVE": "notice",
}


def regression_needs(regression: Watched | None) -> Iterator[Need]:
    """Yield what the last regression run asks of people, unless it says that the model is steady."""
    severity = _OF_OUTCOME.get(regression.outcome) if regression is not None else None
    if regression is None or severity is None:
        return
    said = {"cannot_tell": "can't tell"}.get(regression.outcome, regression.outcome)
    why = "; ".join((*regression.changes, regression.why) if regression.why else regression.changes)
    yield Need(
        kind="regression",
        severity=severity,
        message=one_line(
            f"the last regression run came to '{said}'{': ' if why else ''}{why}", _LONGEST
        ),
        since=regression.at,
        command=f"gatewright report {regression.run_id}",
        run_id=regression.run_id,
    )


def reference_needs(registry: Registry, live: LivePointer | None) -> Iterator[Need]:
    """Yield that somebody took what is live as its own measure although it had got worse or was revoked."""
    if live is None:
        return
    taken = registry.reference_taken_anew(live.target, origin(registry, live).generation)
    if taken is not None:
        yield Need(
            kind="regression",
            severity="notice",
            message=one_line(taken_anew_sentence(taken), _LONGEST),
            since=taken.at,
            command=f"gatewright regress {live.target}",
        )


def canary_of(registry: Registry, target: Target) -> CanaryStatus | None:
    """Return what is on record of a target's canary, None where it has none and never had."""
    if target.canary is None and registry.canary(target.name) is None:
        return None
    from flows.monitoring.canary.status import canary_status  # numpy, for those who have one

    return canary_status(registry, target)


def canary_needs(canary: CanaryStatus | None) -> Iterator[Need]:
    """Yield a change that the canary found and no regression run has answered, and looks that see nothing."""
    if canary is None:
        return
    if (change := canary.change) is not None:
        open_ = change.regressed in ("", "cant_tell", "failed")
        yield Need(
            kind="canary",
            severity="person" if open_ else "notice",
            message=one_line(f"the canary: {change.said}{_answered(change.regressed)}", _LONGEST),
            since=change.at,
            command=f"gatewright report {change.run_id}"
            if change.run_id
            else f"gatewright regress {canary.target}",
            run_id=change.run_id,
        )
    if canary.unasked >= _SILENT_LOOKS:
        message = (
            f"the last {counted(canary.unasked, 'look')} of the canary brought too few answers"
        )
        yield Need(
            kind="canary",
            severity="unseen",
            message=message,
            since=canary.unasked_since or None,
            command=f"gatewright canary {canary.target}",
        )


def itself_needs(target: str, found: tuple[AgainstItself, ...]) -> Iterator[Need]:
    """Yield the columns in which the live model differs from itself, over enough pairs to say so."""
    for one in found:
        if one.says == "differs":
            interval = f"{signed(one.lower, 'score')} to {signed(one.upper, 'score')}"
            yield Need(
                kind="against_itself",
                severity="notice",
                message=f"later passes differ from earlier ones by {signed(one.difference, 'score')} ({interval}) in"
                f" {one.suite}/{one.column}, over {one.pairs} pairs: the model drifts, or the measuring does",
                command=f"gatewright status {target}",
            )


def _answered(regressed: str) -> str:
    if not regressed:
        return "; the regression run that it started has not ended"
    said = {"cant_tell": "can't tell", "failed": "nothing: it failed"}.get(regressed, regressed)
    return f"; the regression run came to {said}"
