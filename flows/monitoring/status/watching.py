"""How the live model is watched: its last regression run, its canary, and itself against itself; what of it needs a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from evals.records import LivePointer
from evals.report.numbers import counted, signed
from evals.report.sanitise import one_line
from flows.config.target import Target
from flows.evaluation.kept.objections import taken_anew_sentence
from flows.monitoring.against_itself import AgainstItself
from flows.monitoring.status.records import CameTo, Need, Severity, Watched
from flows.recovery.earlier_models import rollback_command
from flows.registry.canaries import CanaryChange, Regressed
from flows.registry.provenance import origin
from flows.registry.regression_outcomes import in_words
from flows.registry.store import Registry

if TYPE_CHECKING:
    from flows.monitoring.canary.status import CanaryStatus

__all__ = ["canary_needs", "canary_of", "itself_needs", "reference_needs", "regression_needs"]

_LONGEST = 240
_SILENT_LOOKS = 3
"""So many looks in a row that brought too few answers are no accident."""
_OF_OUTCOME: Mapping[CameTo, Severity] = {
    "worse": "broken",
    "FAIL": "broken",
    "changed": "person",
    "ERROR": "person",
    "cannot_tell": "notice",
    "INCONCLUSIVE": "notice",
}
_UNDECIDED: frozenset[Regressed] = frozenset({"cannot_tell", "failed"})
"""Outcomes of a regression run that decide nothing about a change: a person has to."""


def regression_needs(registry: Registry, target: str, regression: Watched | None) -> Iterator[Need]:
    """Yield what the last regression run asks of people, unless it says that the model is steady."""
    severity = _OF_OUTCOME.get(regression.outcome) if regression is not None else None
    if regression is None or severity is None:
        return
    # The sentence for a changed model begins with what changed.
    changes = () if regression.outcome == "changed" else regression.changes
    why = "; ".join(filter(None, (regression.why, *changes)))
    message = f"the last regression run says '{in_words(regression.outcome)}'{': ' if why else ''}{one_line(why, _LONGEST)}"
    if regression.rollback_problem:
        message += f"; it was not rolled back: {one_line(regression.rollback_problem, _LONGEST)}"
    back = rollback_command(registry, target) if severity == "broken" else None
    yield Need(
        kind="regression",
        severity=severity,
        message=message,
        since=regression.at,
        command=f"gatewright report {regression.run_id}",
        way_back=back.command if back is not None else "",
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
            message=taken_anew_sentence(taken),
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
    if canary.change is not None:
        yield _change(canary.target, canary.change)
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


def _change(target: str, change: CanaryChange) -> Need:
    """A change is a person's where no regression run looks into it, or one did and could not say."""
    undecided = change.regressed in _UNDECIDED
    command = f"gatewright report {change.run_id}" if change.run_id else "gatewright runs"
    if undecided:
        command = f"gatewright canary {target} --choose-anew"
        follows = f"{_says(change)}; if today's answers are right, compare with them from now on"
    elif change.regressed:
        follows = _says(change)
    elif change.looked_into:
        follows = "a regression run looks into it"
    else:
        command = f"gatewright regress {target}"
        follows = f"no regression run looks into it{': ' if change.problem else ''}{change.problem}"
    return Need(
        kind="canary",
        severity="person"
        if undecided or not (change.regressed or change.looked_into)
        else "notice",
        message=f"the canary: {one_line(change.said, _LONGEST)}; {one_line(follows, _LONGEST)}",
        since=change.at,
        command=command,
        run_id=change.run_id,
    )


def _says(change: CanaryChange) -> str:
    said = "it failed" if change.regressed == "failed" else in_words(change.regressed)
    return f"regression run {change.run_id} says '{said}'"
