"""One check of a gate as a reader sees it: what was asked, what was found, how sure that is, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evals.records import CheckResult
from evals.report.numbers import MINUS, counted, figure, percentage, signed
from evals.report.sections.charts import Chart, Side, draw
from evals.report.sections.reasons import in_short, reason_of, why_this_sure
from evals.report.sections.thresholds import Scale

__all__ = ["SYMBOLS", "TONES", "CheckView", "Tone", "check_view"]

Tone = Literal["pass", "fail", "undecided", "error", "plain"]

SYMBOLS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "?", "ERROR": "!"}
TONES: dict[str, Tone] = {
    "PASS": "pass",
    "FAIL": "fail",
    "INCONCLUSIVE": "undecided",
    "ERROR": "error",
}
_METHODS = {
    "tango": "Tango's paired score",
    "clopper-pearson": "Clopper-Pearson, exact",
    "wilson": "Wilson score",
    "bounded-score": "bounded score",
    "bounded-score-clusters": "bounded score, clustered",
    "jackknife": "jackknife, t",
    "jackknife-clusters": "jackknife over clusters, t",
    "t": "t",
    "t-cr2": "t, clustered (CR2)",
    "fieller": "contrast of means, t (Fieller)",
    "fieller-cr2": "contrast of means, clustered (CR2)",
    "order-statistic": "order statistic",
    "percentile-bootstrap": "paired percentile bootstrap",
    "ppi++": "prediction-powered inference (PPI++)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One check, worded. `difference` stands in brackets when this check did not test it; `n` is `count` with its noun.

    `sure` says why each bound's confidence is not the gate's; empty where it is.
    """

    outcome: str
    symbol: str
    tone: Tone
    decides: bool
    metric: str
    suite: str
    slice: str
    bar: str
    bar_mark: str
    candidate: str
    baseline: str
    difference: str
    interval: str
    interval_of: str
    level: str
    sure: str
    count: str
    n: str
    method: str
    reason: str
    short: str
    marks: tuple[str, ...]
    warnings: tuple[str, ...]
    chart: Chart | None

    @property
    def name(self) -> str:
        """Metric, suite and slice in one line."""
        return " ".join(
            part for part in (self.metric, f"[{self.slice}]" if self.slice else "") if part
        )


def check_view(check: CheckResult, *, first_release: bool = False) -> CheckView:
    """Word one check. Rounding is for display only: the outcome is the gate's, and is never worked out again here."""
    scale = Scale(check)
    return CheckView(
        outcome=check.outcome if _judged(check) else "NOT JUDGED",
        symbol=SYMBOLS[check.outcome] if _judged(check) else MINUS,
        tone=TONES[check.outcome] if _judged(check) else "plain",
        decides=check.decides,
        metric=check.metric,
        suite=check.suite or "",
        slice=", ".join(f"{tag} = {value}" for tag, value in sorted(check.slice.items())),
        bar=scale.asked,
        bar_mark=scale.value(scale.threshold),
        candidate=figure(check.candidate, scale.unit, scale.places),
        baseline=figure(check.baseline, scale.unit, scale.places),
        difference=_difference(check, scale),
        interval=scale.interval(check),
        interval_of=scale.quantity,
        level=f"{percentage(2 * check.confidence - 1)} interval",
        sure=why_this_sure(check),
        count=f"{check.n:,}",
        n=counted(check.n, "pair" if scale.relative else "case"),
        method=_METHODS.get(check.method, check.method.replace("-", " ").replace("_", " ")),
        reason=reason_of(check, scale),
        short=in_short(check, scale),
        marks=_marks(check, scale, first_release),
        warnings=check.warnings,
        chart=_chart(check, scale),
    )


def _difference(check: CheckResult, scale: Scale) -> str:
    if scale.relative:
        return scale.value(check.estimate)
    if check.candidate is None or check.baseline is None:
        return figure(None, scale.unit)
    return f"({signed(check.candidate - check.baseline, scale.unit)})"


def _judged(check: CheckResult) -> bool:
    """False for a check that was put off or left out: it decides nothing and nothing was measured."""
    return check.decides or check.n > 0 or check.outcome == "ERROR"


def _marks(check: CheckResult, scale: Scale, first_release: bool) -> tuple[str, ...]:
    marks = []
    if not check.decides:
        marks.append(_why_not_deciding(check, scale, first_release))
    if not check.overridable:
        marks.append("can't be overridden")
    if check.decide_on == "point":
        marks.append("decided on the point estimate")
    return tuple(marks)


def _why_not_deciding(check: CheckResult, scale: Scale, first_release: bool) -> str:
    if not _judged(check) and check.measure_on == "production":
        return "judged on the production deployment"
    if not _judged(check) and scale.relative:
        return "no live baseline yet" if first_release else "no second model to compare with"
    if check.slice:
        return "reported only, does not decide"
    return "shadow, does not decide" if _judged(check) else "does not decide"


def _chart(check: CheckResult, scale: Scale) -> Chart | None:
    fails: Side = "right" if scale.kind.rising else "left"
    alt = (
        f"{scale.quantity.capitalize()} {scale.value(check.estimate)}, interval {scale.interval(check)}, "
        f"bar {scale.value(scale.threshold)}; the check fails on the {fails} of the bar."
    )
    return draw(
        bar=scale.threshold,
        lower=check.lower,
        estimate=check.estimate,
        upper=check.upper,
        zero=scale.zero if scale.relative else None,
        fails=fails,
        alt=alt,
    )
