"""Says in a sentence what a check found, and why that is its outcome."""

from __future__ import annotations

import math

from evals.checks.check import Check
from evals.checks.measurement import Measurement
from evals.checks.rows import coverage
from evals.gate.decision import compare_with_threshold
from evals.metrics.estimates import metric_spec
from evals.metrics.results import ModelResults
from evals.records import CheckOutcome, CheckState, LookPosition

__all__ = [
    "GIVEN_UP",
    "WOULD_DECIDE",
    "at_look",
    "explain",
    "missing_scores",
    "quantity",
    "state_at_look",
    "too_few",
    "unscored_share",
    "why_given_up",
]

GIVEN_UP = "would not pass"
"""What a check is called that was given up before all cases were asked."""
WOULD_DECIDE = "asking every case (--no-early-stop), or a larger suite, may decide it"
"""What to do about one that is not hopeless."""


def explain(check: Check, found: Measurement, outcome: CheckOutcome) -> str:
    """Return the finding in one sentence: the measured quantity, its bounds, n and what follows."""
    if found.estimate is None or found.lower is None or found.upper is None:
        return found.blocked or "nothing could be measured"
    amount = f"{check.threshold * 100:g} %" if check.percent else f"{check.threshold:g}"
    condition = check.spec.condition.format(threshold=amount)
    counted = f"{found.n} {_counted(check, found)}"
    follows = _follows(check, found, outcome)
    return f"{quantity(check, found)} over {counted}{_missing(found)}; {condition}{follows}"


def _missing(found: Measurement) -> str:
    left_out = found.n < found.asked
    said = missing_scores(found.missing, found.asked, left_out=left_out)
    return f", {said}" if said else ""


def missing_scores(missing: tuple[int, int], asked: int, *, left_out: bool) -> str:
    """Say how many scores of candidate and baseline are missing of the cases asked, and how they count; empty for none."""
    lost = [
        f"{count} of {asked} scores of the {role}"
        for role, count in zip(("candidate", "baseline"), missing, strict=True)
        if count
    ]
    if not lost:
        return ""
    verb = "is" if sum(missing) == 1 else "are"
    counts = "left out (missing: at_random)" if left_out else "counted at the worst"
    return f"{' and '.join(lost)} {verb} missing and {counts}"


def too_few(check: Check, n: int) -> str:
    """Say that a slice has fewer cases than its policy asks for."""
    return f"{n} scored cases, the policy asks for at least {check.min_cases}"


def at_look(look: LookPosition, n: int) -> str:
    """Say at which look a check rested on how many of its cases."""
    return f"at look {look.look} of {look.rounds}, {n} of {look.planned} cases"


def why_given_up(look: LookPosition, n: int) -> str:
    """Say where a check was given up, and why."""
    return f"given up {at_look(look, n)}, its chance to pass with the rest is below 20 %"


def state_at_look(state: CheckState, look: LookPosition, n: int, *, refused: bool = False) -> str:
    """Return how a finding ends at an interim look: given up (and refused, or not), decided or still open."""
    if state == "given_up":
        decided = "" if refused else f"; {WOULD_DECIDE}"
        return f" — {GIVEN_UP}: {why_given_up(look, n)}{decided}"
    return f"; {'decided' if state == 'decided' else 'still open'} {at_look(look, n)}"


def unscored_share(
    check: Check, candidate: ModelResults, baseline: ModelResults | None, min_scored: float
) -> str | None:
    """Return why coverage forbids deciding, None when both models are covered well enough.

    Counted over the cases the check is about; on a slice one case may be missing, however small the slice.
    """
    for role, results in (
        ("candidate", candidate),
        (check.against, baseline if check.relative else None),
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


def _number(value: float) -> str:
    """Format a number for reading: four significant digits, no exponent for everyday sizes."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.3e}"


def _is_cost(check: Check, results: ModelResults) -> bool:
    spec = metric_spec(check.metric, results)
    return spec is not None and spec.family == "cost"


def quantity(check: Check, found: Measurement) -> str:
    """Return what was measured, with its bounds: '0.71 against 0.88, difference -0.17 [-0.22, -0.12]'."""
    assert found.estimate is not None and found.lower is not None and found.upper is not None
    interval = f"[{_number(found.lower)}, {_number(found.upper)}]"
    if not check.relative:
        return f"{_number(found.estimate)} {interval}"
    values = (
        f"{_number(found.candidate)} against {_number(found.baseline)}, "
        if found.candidate is not None and found.baseline is not None
        else ""
    )
    name = "ratio" if found.ratio else "difference"
    return f"{values}{name} {_number(found.estimate)} {interval}"


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
    if outcome != "INCONCLUSIVE":
        return ""
    if compare_with_threshold(check, found) != "INCONCLUSIVE":
        if check.judged_at_end:
            return " — judged at the last look, once lost questions were asked again"
        return " — too few cases for a look, so nothing is decided yet"
    return " — the interval holds the bar, so this sample can't tell"
