"""Says in plain words what a check found and why that is its outcome."""

from __future__ import annotations

from collections.abc import Iterable

from evals.gate.explanations import GIVEN_UP, WOULD_DECIDE, at_look, missing_scores, why_given_up
from evals.records import CheckResult
from evals.report.numbers import counted, percentage
from evals.report.sections.thresholds import Scale

__all__ = ["checks_that_hold", "in_short", "reason_of", "why_this_sure"]


def in_short(check: CheckResult, scale: Scale) -> str:
    """The check and its finding in a few words, for a headline."""
    tags = ", ".join(f"{tag} = {value}" for tag, value in sorted(check.slice.items()))
    name = f"{check.metric} on {tags}" if tags else check.metric
    if check.overruled:
        return f"{name} is undecided: {check.overruled}"
    if check.estimate is None:
        return f"{name} could not be measured ({scale.asked} asked)"
    if check.outcome == "INCONCLUSIVE":
        given_up = check.state == "given_up"
        standing = f"{GIVEN_UP}, standing" if given_up else "is undecided"
        return f"{name} {standing} at {scale.value(check.estimate)} ({scale.interval(check)}; {scale.asked} asked)"
    if scale.relative:
        words = (
            f"changed by {scale.value(check.estimate)}"
            if check.estimate != scale.zero
            else "did not change"
        )
        return f"{name} {words} ({scale.asked} asked)"
    return f"{name} is {scale.value(check.estimate)} ({scale.asked} asked)"


def reason_of(check: CheckResult, scale: Scale) -> str:
    """The finding in plain words; the gate's own words wherever more than the interval decided."""
    if check.rests_on != "interval" or check.estimate is None:
        return check.finding
    found = (_undecided if check.outcome == "INCONCLUSIVE" else _clear)(check, scale)
    return " ".join(part for part in (found, _missing(check)) if part)


def why_this_sure(check: CheckResult) -> str:
    """Why the confidence of a check's bounds is not the gate's; empty where it is."""
    stated = check.gate_confidence
    if check.look is None or stated is None or abs(check.confidence - stated) < 1e-12:
        return ""
    sure = percentage(check.confidence)
    return f"{sure}, because this was look {check.look.look} of {check.look.rounds}"


def _missing(check: CheckResult) -> str:
    missing = check.missing_candidate, check.missing_baseline
    asked = check.n + max(missing) if check.missing_left_out else check.n
    said = missing_scores(missing, asked, left_out=check.missing_left_out)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def _clear(check: CheckResult, scale: Scale) -> str:
    rising, passed = scale.kind.rising, check.outcome == "PASS"
    bound = scale.value(check.upper if rising == passed else check.lower)
    sure = f"With {percentage(check.confidence)} confidence"
    if why := why_this_sure(check):
        sure += f" ({why.partition(', ')[2]})"
    if not scale.relative:
        side = "below" if rising == passed else "above"
        found = f"{sure} the candidate's value is {side} {bound}; {scale.asked} is asked."
        return found + _hopeless(check)
    what = (
        f"change against the {check.against}"
        if scale.ratio
        else f"difference to the {check.against}"
    )
    what = f"gain over the {check.against}" if scale.kind.superiority else what
    relation = scale.kind.proven if passed else "at least" if rising else "at most"
    limit = scale.kind.limit.format(threshold=scale.value(scale.threshold))
    return f"{sure} the {what} is {relation} {bound}; {limit}.{_hopeless(check)}"


def _hopeless(check: CheckResult) -> str:
    if check.state != "given_up" or check.look is None:
        return ""
    return f" It was {why_given_up(check.look, check.n)}."


def _undecided(check: CheckResult, scale: Scale) -> str:
    assert check.estimate is not None  # there was an interval
    good = (
        check.estimate < scale.threshold if scale.kind.rising else check.estimate > scale.threshold
    )
    side = (
        "on the right side of"
        if good
        else "on the wrong side of"
        if check.estimate != scale.threshold
        else "exactly at"
    )
    found = f"The estimate {scale.value(check.estimate)} is {side} the bar {scale.value(scale.threshold)}"
    if check.state == "given_up" and check.look is not None:
        given_up = why_given_up(check.look, check.n)
        return f"{found}; {GIVEN_UP}: {given_up}. {WOULD_DECIDE[0].upper()}{WOULD_DECIDE[1:]}."
    noun = counted(check.n, "pair" if scale.relative else "case")
    when = ""
    if check.state == "open" and check.look is not None:
        when = f" The asking ended before it was decided, {at_look(check.look, check.n)}."
    return f"{found}, but the interval contains the bar: {noun} can't tell.{when}"


def checks_that_hold(checks: Iterable[CheckResult]) -> str:
    """Return in words how many of a verdict's deciding checks hold; those that are only reported are not counted."""
    deciding = [check for check in checks if check.decides]
    held = sum(check.outcome == "PASS" for check in deciding)
    if not deciding:
        return "no check decided"
    if held < len(deciding):
        of = counted(len(deciding), "deciding check")
        return f"{held:,} of {of} {'holds' if held == 1 else 'hold'}"
    return f"all {held:,} deciding checks hold" if held > 1 else "the one deciding check holds"
