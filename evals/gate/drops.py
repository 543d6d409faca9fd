"""How far a model is below its own recorded answers in one run, check by check, as the evidence over weeks takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults
from evals.checks.methods import IncomparableError
from evals.checks.rows import due_rows
from evals.gate.examiner import Evidence
from evals.metrics.estimates import MetricSpec, metric_spec
from evals.metrics.results import ModelResults
from evals.stats.betting import STAKES
from evals.stats.drop_evidence import allowance, log_capitals

__all__ = ["Drop", "drops_of"]

Floats = NDArray[np.float64]
Order = Callable[[str, Check], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """One check of one run: the scores of the week and of the reference on the same cases, higher being better, shape (n,).

    `second` is another draw of the reference's model on cases of its own, `of_second` the reference on these; both are
    empty where there is none. `span` is the largest difference of two scores.
    """

    check: str
    margin: float
    span: float
    week: Floats
    reference: Floats
    of_second: Floats
    second: Floats

    @property
    def n(self) -> int:
        """The number of cases."""
        return int(self.week.size)

    def capitals(self, alpha: float) -> tuple[float, ...]:
        """What each gambler on a drop of more than the margin made of 1; `alpha` is the chance that the reference was luckier
        than is allowed for."""
        if not self.n:
            return (0.0,) * len(STAKES)
        lucky = (
            allowance(self.of_second, self.second, alpha=alpha, same_model=True)
            if self.second.size
            else allowance(self.reference, self.week, alpha=alpha, same_model=False)
        )
        # Every reference is as noisy per case; where fewer cases are compared than the noise was measured on, it is larger.
        lucky *= max(1.0, np.sqrt(self.second.size / self.n)) if self.second.size else 1.0
        bar = max(-(self.margin + lucky), -0.999 * self.span)
        return log_capitals(self.week - self.reference, bar, span=self.span)


def drops_of(
    check: Check,
    evidence: Evidence,
    second: Mapping[str, ModelResults] | None,
    order: Order,
) -> Iterator[Drop]:
    """Yield what the evidence takes of a check: nothing unless it decides on a bounded difference to recorded answers.

    An answer of the week that never came counts as its best, since this is evidence against the model; a case without a
    recorded score is left out.
    """
    if not _gathers(check, evidence) or evidence.baseline is None:
        return
    try:
        now, then = ComparedResults(evidence.candidate, evidence.baseline).of(check)
        assert then is not None  # there are recorded answers
        due = due_rows(check, now)
    except (IncomparableError, ValueError):
        return  # the gate itself says what is wrong with it
    spec = metric_spec(check.metric, now)
    if spec is None or spec.family != "mean" or not spec.bounded:
        return
    if 0.0 <= check.threshold < spec.hi - spec.lo:
        there = due & then.planned & np.isfinite(then.columns[spec.column])
        again = _column(check, second, spec.column)
        yield _drop(check, spec, (now, then, again), there, order(now.suite, check))


def _gathers(check: Check, evidence: Evidence) -> bool:
    """Whether a check compares scores with recorded answers in a way that adds up over weeks."""
    usual = check.mode == "enforce" and check.decide_on == "bound" and not check.with_labels
    compares = check.relative and check.against == "baseline" and not check.spec.superiority
    measured = check.measure_on == evidence.slot and evidence.recorded
    return usual and compares and measured and not check.percent


def _drop(
    check: Check,
    spec: MetricSpec,
    draws: tuple[ModelResults, ModelResults, Floats | None],
    there: NDArray[np.bool_],
    order: NDArray[np.int64],
) -> Drop:
    """Lay the scores of the week, the reference and the second draw side by side; `there` are the rows that may be compared."""
    now, then, again = draws
    sign, best = (-1.0, spec.lo) if check.spec.rising else (1.0, spec.hi)
    recorded, rows = then.columns[spec.column], order[there[order]]
    week = now.columns[spec.column][rows]
    both = there & np.isfinite(again) if again is not None else np.zeros_like(there)
    return Drop(
        check=check.label,
        margin=check.threshold,
        span=spec.hi - spec.lo,
        week=sign * np.where(np.isfinite(week), week, best),
        reference=sign * recorded[rows],
        of_second=sign * recorded[both],
        second=sign * again[both] if again is not None else np.zeros(0),
    )


def _column(check: Check, results: Mapping[str, ModelResults] | None, column: str) -> Floats | None:
    if results is None:
        return None
    try:
        found, _ = ComparedResults(results, None).of(check)
    except (IncomparableError, ValueError):
        return None
    return found.columns.get(column)
