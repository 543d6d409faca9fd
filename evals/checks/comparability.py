"""Which results a check is about, of both models, and whether the two may be compared at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evals.cases.ids import all_different
from evals.checks.check import Check
from evals.checks.methods import IncomparableError
from evals.metrics.estimates import metric_spec
from evals.metrics.results import ModelResults, pooled

__all__ = ["ComparedResults", "has_metric", "measured_results", "require_comparable", "results_for"]


class ComparedResults:
    """Both models' results by suite, with what every check needs of them worked out once."""

    def __init__(
        self, candidate: Mapping[str, ModelResults], baseline: Mapping[str, ModelResults] | None
    ) -> None:
        self._candidate, self._baseline = candidate, baseline
        self._pools: dict[tuple[int, ...], ModelResults] = {}
        self._comparable: set[tuple[int, int]] = set()

    def of(self, check: Check) -> tuple[ModelResults, ModelResults | None]:
        """Return the candidate's and the baseline's results that a check is about. Raises IncomparableError."""
        candidate = self._results(check, self._candidate)
        if self._baseline is None:
            self._once((id(candidate), 0), lambda: _require_unique(candidate))
            return candidate, None
        baseline = self._results(check, self._baseline)
        self._once((id(candidate), id(baseline)), lambda: require_comparable(candidate, baseline))
        return candidate, baseline

    def _once(self, key: tuple[int, int], demand: Callable[[], None]) -> None:
        if key not in self._comparable:
            demand()
            self._comparable.add(key)

    def _results(self, check: Check, by_suite: Mapping[str, ModelResults]) -> ModelResults:
        found = measured_results(check, by_suite)
        if len(found) == 1:
            return found[0]
        key = tuple(id(results) for results in found)
        if key not in self._pools:
            self._pools[key] = pooled(found)
        return self._pools[key]


def results_for(check: Check, by_suite: Mapping[str, ModelResults]) -> ModelResults:
    """Return the results that hold the check's metric: of its suite, of the one suite that has it, or of all pooled."""
    found = measured_results(check, by_suite)
    return found[0] if len(found) == 1 else pooled(found)


def measured_results(check: Check, by_suite: Mapping[str, ModelResults]) -> list[ModelResults]:
    """Return the results of every suite that a check's metric is taken from. Raises IncomparableError for none."""
    if check.suite is not None and check.suite not in by_suite:
        raise IncomparableError(f"no results of suite '{check.suite}'")
    named = list(by_suite.values()) if check.suite is None else [by_suite[check.suite]]
    found = [results for results in named if has_metric(check.metric, results)]
    if not found:
        raise IncomparableError(f"no suite measured '{check.metric}'")
    return found


def has_metric(metric: str, results: ModelResults) -> bool:
    """Return whether the results hold the column that a metric is made of."""
    spec = metric_spec(metric, results)
    if spec is None:
        return False
    return spec.column in (results.labels if spec.family == "label" else results.columns)


def require_comparable(candidate: ModelResults, baseline: ModelResults) -> None:
    """Raise IncomparableError unless both models were asked the same cases of the same suite and graded alike."""
    if candidate.fingerprint != baseline.fingerprint:
        raise IncomparableError("the suite's fingerprint differs between candidate and baseline")
    if dict(candidate.grader_versions) != dict(baseline.grader_versions):
        raise IncomparableError("grader versions differ between candidate and baseline")
    if candidate.case_ids != baseline.case_ids:
        raise IncomparableError("candidate and baseline were not asked the same cases")
    _require_unique(candidate)


def _require_unique(results: ModelResults) -> None:
    if not all_different(results.case_ids):
        raise IncomparableError("a case id occurs twice")
