"""Says in a sentence what a check found, and why that is its outcome."""

from __future__ import annotations

import math

from evals.checks.check import Check
from evals.checks.comparison import coverage
from evals.checks.measurement import Measurement
from evals.metrics.estimates import metric_spec
from evals.metrics.results import ModelResults
from evals.records import CheckOutcome

__all__ = ["HOPELESS", "STILL_OPEN", "explain", "number", "too_few", "unscored_share"]

HOPELESS = "would not pass"
"""What is said of a check that was given up before all cases were asked."""
STILL_OPEN = "still open"
"""What is said of a check that no look has decided."""

_WANTED = {
    "at_least": "must be above {bar}",
    "at_most": "must be below {bar}",
    "max_drop": "may drop by less than {bar}",
    "max_rise": "may rise by less than {bar}",
    "min_gain": "must gain more than {bar}",
}


def explain(check: Check, found: Measurement, outcome: CheckOutcome, when: str = "") -> str:
    """Return one sentence with the measured quantity, its bounds, n and what follows; `when` says at which look."""
    if found.estimate is None or found.lower is None or found.upper is None:
        return f"{check.label}: {found.blocked or 'nothing could be measured'}{when}"
    amount = f"{check.threshold * 100:g} %" if check.percent else f"{check.threshold:g}"
    wanted = _WANTED[check.kind].format(bar=amount)
    shown = _quantity(check, found)
    return f"{check.label}: {shown} over {found.n} {_counted(check, found)}; {wanted}{_follows(check, found, outcome)}{when}"


def too_few(check: Check, n: int) -> str:
    """Say that a slice has fewer cases than its policy asks for."""
    return f"{check.label}: {n} scored cases, the policy asks for at least {check.min_cases}"


def unscored_share(
    check: Check, candidate: ModelResults, baseline: ModelResults | None, min_scored: float
) -> str | None:
    """Return why coverage forbids deciding, None when both models are covered well enough.

    Counted over the cases the check is about; on a slice one case may be missing, however small the slice.
    """
    for role, results in (
        ("candidate", candidate),
        ("baseline", baseline if check.relative else None),
    ):
        if results is None:
            continue
        scored, asked = coverage(check, results)
        missing = (1.0 - min_scored) * asked
        allowed = math.ceil(missing - 1e-9) if check.where else missing + 1e-9
        if asked and scored == 0 and _is_cost(check, results):
            return f"the cost of the {role} is not known: its price or its usage is missing"
        if not asked or asked - scored > allowed:
            share = scored / asked if asked else 0.0
            return f"only {share:.2%} of the cases asked of the {role} were scored, the policy asks for {min_scored:.2%}"
    return None


def number(value: float) -> str:
    """Format a number for reading: four significant digits, no exponent for everyday sizes."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.3e}"


def _is_cost(check: Check, results: ModelResults) -> bool:
    spec = metric_spec(check.metric, results)
    return spec is not None and spec.family == "cost"


def _quantity(check: Check, found: Measurement) -> str:
    assert found.estimate is not None and found.lower is not None and found.upper is not None
    interval = f"[{number(found.lower)}, {number(found.upper)}]"
    if not check.relative:
        return f"{number(found.estimate)} {interval}"
    sides = (
        f"{number(found.candidate)} against {number(found.baseline)}, "
        if found.candidate is not None and found.baseline is not None
        else ""
    )
    name = "ratio" if found.ratio else "difference"
    return f"{sides}{name} {number(found.estimate)} {interval}"


def _counted(check: Check, found: Measurement) -> str:
    noun = "pair" if check.relative else "case"
    return noun if found.n == 1 else f"{noun}s"


def _follows(check: Check, found: Measurement, outcome: CheckOutcome) -> str:
    if found.blocked:
        return f" — {found.blocked}"
    if check.decide_on == "point" and outcome == "INCONCLUSIVE":
        return " — the policy decides on the point estimate alone, once every case is asked"
    if check.decide_on == "point":
        return " — decided on the point estimate alone, as the policy asks"
    if outcome == "INCONCLUSIVE":
        return " — the interval holds the bar, so this sample can't tell"
    return ""
