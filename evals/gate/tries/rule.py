"""What a verdict is worth beside the other tries of its candidate and the other candidates of its target. Pure.

The gate's 5 % are those of one try. Who may try again until it passes promotes a bad model sooner or later, so that only
a candidate's first try passes by itself: all others, and every candidate beyond those that a gate's `family` is made for,
ask a person. So does a run whose gate was loosened, or whose suite was changed, after the candidate did not pass.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from evals.people import distinct
from evals.records import EarlierTry, RunnerUp, TryCount, Verdict

__all__ = ["excluded_people", "is_overspent", "why_no_pass", "with_tries"]


def with_tries(verdict: Verdict, tries: TryCount) -> Verdict:
    """Return the verdict with its count of tries: a PASS becomes INCONCLUSIVE where a person has to have the last word."""
    counted = msgspec.structs.replace(verdict, tries=tries)
    why = why_no_pass(tries)
    if not why or verdict.outcome not in ("PASS", "INCONCLUSIVE"):
        return counted
    if verdict.outcome == "PASS":
        return msgspec.structs.replace(
            counted, outcome="INCONCLUSIVE", reasons=(*why, *verdict.reasons)
        )
    return msgspec.structs.replace(counted, reasons=(*verdict.reasons, *why))


def why_no_pass(tries: TryCount) -> tuple[str, ...]:
    """Return why a run with this count never passes by itself, one sentence each; empty where it may."""
    return tuple(_reasons(tries))


def excluded_people(tries: TryCount | None, requester: str) -> tuple[str, ...]:
    """Return who may not approve, whatever the gate says: those who asked for a try on either side of a loosened gate."""
    edited = [one for one in tries.earlier if one.edits] if tries is not None else []
    return distinct((requester, *(one.requested_by for one in edited))) if edited else ()


def _reasons(tries: TryCount) -> Iterator[str]:
    before = [one for one in tries.earlier if one.try_number]
    if tries.number > 1 and before:
        named = ", ".join(f"try {one.try_number} was {_named(one)}" for one in before)
        yield (
            f"this is try {tries.number} of this candidate ({named}): only a first try passes by itself,"
            " so a person has to approve"
        )
    if tries.number and tries.allowed is not None and tries.candidates > tries.allowed:
        yield (
            f"this is candidate {tries.candidates} in {days(tries.window_s)}, and the gate's family is"
            f" {tries.allowed}: a person has to approve"
        )
    elif tries.number and is_overspent(tries):
        yield (
            f"the {tries.candidates} candidates of {days(tries.window_s)}, each at the confidence it was judged at, add up"
            f" to a chance of {100 * (tries.spent or 0.0):.3g}% of a wrong promotion, and the gate's family is for"
            f" {100 * (1 - (tries.together or 0.0)):.3g}%: a person has to approve"
        )
    if tries.number:
        yield from (_not_chosen(one) for one in tries.runner_up)
        if tries.changed_since_chosen:
            yield (
                f"{' and '.join(tries.changed_since_chosen)} changed after this candidate was chosen among several:"
                " a person has to approve"
            )
        yield from (_edited(one) for one in tries.earlier if one.edits)


def is_overspent(tries: TryCount) -> bool:
    """Say whether the candidates of a window add up to more than their family's promise (the union bound).

    However often its size was changed between them: each took what the family of its day gave it.
    """
    if tries.together is None or tries.spent is None:
        return False
    return not tries.spent <= 1.0 - tries.together + 1e-9


def days(seconds: int) -> str:
    """Return a window as people say it: '90 days', '12 hours'."""
    count, unit = (seconds // 86400, "day") if seconds % 86400 == 0 else (seconds // 3600, "hour")
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _named(one: EarlierTry) -> str:
    came_to = one.outcome or "ended without a verdict"
    return f"run {one.run_id}, {came_to}, {one.at[:10]}"


def _not_chosen(one: RunnerUp) -> str:
    """The cases of a selection that judge are good for one candidate: the best of several tries on them would pass."""
    if not one.winner:
        return (
            f"this candidate takes part in selection {one.selection}, which has not chosen yet: one candidate of it"
            f" passes by itself, so finish it (gatewright resume {one.selection}), or a person has to approve"
        )
    came_to = f"{one.outcome} in run {one.run_id}" if one.outcome else "is not judged yet"
    return (
        f"this candidate is a runner-up of selection {one.selection}, whose winner {one.winner} did not pass ({came_to}):"
        " another one judged on the same cases needs a person to approve"
    )


def _edited(one: EarlierTry) -> str:
    changes = "; ".join(edit.words for edit in one.edits)
    return (
        f"run {one.run_id} of this candidate did not pass, and since then changed {changes}:"
        f" somebody else has to approve, neither who asked for this run nor {one.requested_by}, who asked for that one"
    )
