"""A judge's metric with human labels: prediction-powered inference (PPI++) on a random part of the cases.

The labelled cases have to be a random sample, or the correction of the judge is itself biased. So there is one order,
drawn by hashing the names of suite, grader and case: labels are made from its beginning, and only the longest
beginning of which (nearly) all is labelled counts. There is no seed to be chosen until a sample looks right, and
labels picked by hand elsewhere never enter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from evals.checks.methods import IncomparableError
from evals.metrics.estimates import MetricSpec
from evals.metrics.results import ModelResults
from evals.stats import score_intervals
from evals.stats.interval import Interval
from evals.stats.ppi import ppi_bounded

__all__ = ["LABELLED", "MIN_LABELS", "labelled_interval", "random_ranks"]

MIN_LABELS = 100
"""Below so many labels the error rate of PPI++ isn't known; see docs/statistics.md."""
LABELLED = 0.95
"""Share of the drawn cases that has to be labelled: who leaves out the hard ones draws no random sample."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def random_ranks(suite: str, grader: str, case_ids: Iterable[str]) -> NDArray[np.uint64]:
    """Return for each case where it stands in the random order in which a judge's answers are labelled, shape (cases,).

    The numbers are pseudo-random and tell only which of two cases comes first. Equal for every run of a suite, so that
    the same cases are labelled for one model after the other.
    """
    first = f"{suite}\n{grader}\n".encode()
    return np.fromiter(
        (_rank(first + case_id.encode("utf-8", "surrogatepass")) for case_id in case_ids),
        dtype=np.uint64,
    )


def labelled_interval(
    spec: MetricSpec,
    candidate: ModelResults,
    baseline: ModelResults | None,
    rows: Mask,
    confidence: float,
) -> tuple[Interval | None, str]:
    """Interval of what people would say on average: of one model, or of candidate - baseline.

    Args:
        spec: the judge's metric.
        candidate: its scores and what people said.
        baseline: the same of the model to compare with, None for the candidate alone.
        rows: the cases that have the judge's score of every model, shape (cases,).
        confidence: of each bound alone.

    Returns:
        the interval, and why nothing may be decided on it: empty when it may. No interval below two labels.

    Raises:
        IncomparableError: the metric is none of a judge with human labels, or the cases are clustered.
    """
    models = [candidate] if baseline is None else [candidate, baseline]
    people = [_people(spec, results)[rows] for results in models]
    judged = [results.columns[spec.column][rows] for results in models]
    human, judge = people[0], judged[0]
    lo, hi = spec.lo, spec.hi
    if baseline is not None:
        human, judge = human - people[1], judge - judged[1]
        lo, hi = lo - hi, hi - lo
    labelled = _drawn(candidate, spec.column, rows, np.isfinite(human))
    count = int(labelled.sum())
    if count < 2:
        return None, _too_few(count)
    rest = judge[~labelled]
    if rest.size == 0:
        found = score_intervals.absolute_interval(
            human[labelled], confidence=confidence, lo=lo, hi=hi
        )
    else:
        found = ppi_bounded(
            human[labelled], judge[labelled], rest, confidence=confidence, lo=lo, hi=hi
        )
    return found, "" if count >= MIN_LABELS else _too_few(count)


def _people(spec: MetricSpec, results: ModelResults) -> Floats:
    if spec.column not in results.people or spec.family != "mean":
        raise IncomparableError(f"no human labels are known of '{spec.name}'")
    if results.clusters is not None:
        raise IncomparableError("human labels of clustered cases can't be used to decide")
    return results.people[spec.column]


def _drawn(results: ModelResults, column: str, rows: Mask, labelled: Mask) -> Mask:
    """Which of the cases in `rows` are labelled and within the longest beginning that is nearly all labelled."""
    grader = column.removesuffix(".passed")
    ids = (case_id for case_id, there in zip(results.case_ids, rows, strict=True) if there)
    order = np.argsort(random_ranks(results.suite, grader, ids), kind="stable")
    so_far = np.cumsum(labelled[order])
    enough = np.flatnonzero(so_far >= LABELLED * np.arange(1, order.size + 1))
    drawn = np.zeros(labelled.size, dtype=np.bool_)
    if enough.size:
        drawn[order[: enough[-1] + 1]] = True
    return drawn & labelled


def _rank(name: bytes) -> int:
    return int.from_bytes(hashlib.sha256(name).digest()[:8])


def _too_few(count: int) -> str:
    return (
        f"only {count} drawn cases have human labels of these very answers; at least {MIN_LABELS} are needed to"
        " decide (gatewright suite labels draws them)"
    )
