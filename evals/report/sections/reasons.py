"""Says in plain words what a check found and why that is its outcome."""

from __future__ import annotations

import math

from evals.gate.explanations import HOPELESS, STILL_OPEN
from evals.records import CheckResult
from evals.report.numbers import counted, percentage
from evals.report.sections.thresholds import FALLING, Scale

__all__ = ["given_up", "in_short", "reason_of"]


def given_up(check: CheckResult) -> bool:
    """True for a check that was undecided when the run gave it up, since it had hardly a chance to pass any more."""
    return check.outcome == "INCONCLUSIVE" and f"{HOPELESS}: " in check.reason


def in_short(check: CheckResult, scale: Scale) -> str:
    """The check and its finding in a few words, for a headline."""
    tags = ", ".join(f"{tag} = {value}" for tag, value in sorted(check.slice.items()))
    name = f"{check.metric} on {tags}" if tags else check.metric
    if check.estimate is None:
        return f"{name} could not be measured ({scale.asked} asked)"
    if check.outcome == "INCONCLUSIVE":
        standing = f"{HOPELESS}, standing" if given_up(check) else "is undecided"
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
    gate = check.reason.removeprefix(f"{check.check}: ")
    if _standing(check, scale) != check.outcome or check.decide_on == "point":
        return gate
    if check.outcome == "INCONCLUSIVE":
        return _undecided(check, scale) if "this sample can't tell" in gate else gate
    return _clear(check, scale)


def _standing(check: CheckResult, scale: Scale) -> str:
    """Where the interval lies: what the outcome is when nothing but the interval decided."""
    if check.estimate is None or (check.lower is None and check.upper is None):
        return "NONE"
    low = -math.inf if check.lower is None else check.lower
    high, bar = math.inf if check.upper is None else check.upper, scale.bar
    if check.kind in FALLING:
        low, high, bar = -high, -low, -bar
    return "PASS" if low > bar else "FAIL" if high < bar else "INCONCLUSIVE"


def _clear(check: CheckResult, scale: Scale) -> str:
    falling, passed = check.kind in FALLING, check.outcome == "PASS"
    worst_case = check.upper if falling == passed else check.lower
    bound = scale.value(worst_case)
    sure = f"With {percentage(check.confidence)} confidence"
    if not scale.relative:
        side = "below" if falling == passed else "above"
        return f"{sure} the candidate's value is {side} {bound}; {scale.asked} is asked."
    what = "change against the baseline" if scale.ratio else "difference to the baseline"
    what = "gain over the baseline" if check.kind == "min_gain" else what
    if passed:
        kept = {"max_drop": "worse than", "max_rise": "higher than", "min_gain": "less than"}[
            check.kind
        ]
        return f"{sure} the {what} is no {kept} {bound}; {_margin(check, scale)}."
    return f"{sure} the {what} is {'at least' if falling else 'at most'} {bound}; {_margin(check, scale)}."


def _margin(check: CheckResult, scale: Scale) -> str:
    bar = scale.value(scale.bar)
    return {
        "max_drop": f"it must stay above {bar}",
        "max_rise": f"it must stay below {bar}",
        "min_gain": f"it must be above {bar}",
    }[check.kind]


def _undecided(check: CheckResult, scale: Scale) -> str:
    assert check.estimate is not None  # there was an interval
    falling = check.kind in FALLING
    good = check.estimate < scale.bar if falling else check.estimate > scale.bar
    side = (
        "on the right side of"
        if good
        else "on the wrong side of"
        if check.estimate != scale.bar
        else "exactly at"
    )
    found = f"The estimate {scale.value(check.estimate)} is {side} the bar {scale.value(scale.bar)}"
    if given_up(check):
        return f"{found}; {HOPELESS}: {check.reason.partition(f'{HOPELESS}: ')[2]}."
    noun = counted(check.n, "pair" if scale.relative else "case")
    _, early, place = check.reason.partition(f"; {STILL_OPEN} ")
    when = f" The asking ended before it was decided, {place}." if early else ""
    return f"{found}, but the interval contains the bar: {noun} can't tell.{when}"
