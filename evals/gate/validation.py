"""Holds a gate against the suites it is meant for, before anything is asked: can every check be measured, ever pass?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.checks.check import Check
from evals.checks.feasibility import clustered, least_cases, least_clusters, matching
from evals.checks.floors import clusters_said
from evals.config.documents import raise_problems, shown_path
from evals.errors import Problem, nearest
from evals.gate.policy import GatePolicy
from evals.metrics.estimates import MetricSpec, available_metrics, metric_kind
from evals.suites.opened import OpenedSuite

__all__ = ["Shortage", "measured_by", "shortages", "validate_policy"]


@dataclass(frozen=True, slots=True)
class Shortage:
    """A check with fewer cases (or clusters, by `noun`) than flawless answers need; `value` is that of its `each` tag.

    `said` are those that there are, in words; of clusters of unequal size `count` is the number in effect.
    """

    check: Check
    value: str
    noun: str
    said: str
    count: float
    least: int


def validate_policy(
    policy: GatePolicy, suites: Sequence[OpenedSuite], *, production_cases: int | None = None
) -> None:
    """Check a policy against its suites.

    Args:
        policy: the gate.
        suites: what its target asks.
        production_cases: how many cases of each suite are asked of the production deployment; None for all.

    Raises:
        ConfigurationError: with every unknown metric, suite or tag (and the nearest valid name), every condition that
            does not fit its metric, every slice that matches nothing, every check that could never pass.
    """
    raise_problems(
        problem
        for check in policy.checks
        for problem in _Rules(policy, check, suites, production_cases).problems()
    )


def measured_by(check: Check, suites: Sequence[OpenedSuite]) -> list[OpenedSuite]:
    """Return the suites that a check's metric is taken from."""
    named = [opened for opened in suites if check.suite in (None, opened.suite.name)]
    return [opened for opened in named if check.metric in available_metrics(opened)]


def shortages(
    policy: GatePolicy, suites: Sequence[OpenedSuite], *, production_cases: int | None = None
) -> Iterator[Shortage]:
    """Yield every group of cases that is too small for its check to pass on; arguments as of `validate_policy`."""
    for check in policy.checks:
        measuring = measured_by(check, suites)
        if measuring:
            spec = metric_kind(check.metric, measuring[0])
            yield from _shortages(policy, check, spec, measuring, production_cases)


def _shortages(
    policy: GatePolicy,
    check: Check,
    spec: MetricSpec,
    measuring: Sequence[OpenedSuite],
    production_cases: int | None,
) -> Iterator[Shortage]:
    if check.mode == "shadow":
        return
    confidence = policy.confidence_of(check)
    grouped = clustered(measuring) and spec.family != "quantile"
    for value, cases in matching(check, measuring).items():
        if check.if_too_few == "report" and len(cases) < (check.min_cases or 0):
            continue
        least = least_cases(check, spec, confidence, clustered=grouped)
        asked = len(cases)
        if check.measure_on == "production" and production_cases is not None:
            asked = min(asked, production_cases * len(measuring))
        found = [Shortage(check, value, "cases", f"{asked} cases", asked, least)]
        if grouped:
            sizes, least = cases.clusters, least_clusters(check, spec, confidence)
            said = clusters_said(sizes, least) if sizes.effective <= asked else f"{asked} clusters"
            there = min(sizes.effective, asked)
            found.append(Shortage(check, value, "clusters", said, there, least))
        short = [one for one in found if one.count < one.least]
        if short:
            yield short[-1]


@dataclass(frozen=True, slots=True)
class _Rules:
    """All rules, for one check."""

    policy: GatePolicy
    check: Check
    suites: Sequence[OpenedSuite]
    production_cases: int | None

    def problems(self) -> Iterator[Problem]:
        if self.check.against == "anchor":
            yield from self._anchored()
            return
        measuring = measured_by(self.check, self.suites)
        unmeasured = self._unmeasured(measuring)
        if unmeasured:
            yield unmeasured
            return
        spec = metric_kind(self.check.metric, measuring[0])
        yield from self._condition(spec)
        if self.check.with_labels:
            yield from self._labels(spec, measuring[0])
        unmatched = self._unmatched(measuring)
        if unmatched:
            yield unmatched
        else:
            yield from self._infeasible(spec, measuring)

    def _anchored(self) -> Iterator[Problem]:
        """What can be wrong with a check against the anchor only: its own margin, and the cases its finer level needs."""
        measuring = measured_by(self.check, self.suites)
        if not measuring or self._unmeasured(measuring) or self._unmatched(measuring):
            return  # said of the check that it is made from
        spec = metric_kind(self.check.metric, measuring[0])
        stated = self.policy.anchor is not None and self.policy.anchor.states_margin(self.check)
        if stated:
            yield from self._condition(spec)
        yield from self._infeasible(spec, measuring)

    def _unmeasured(self, measuring: Sequence[OpenedSuite]) -> Problem | None:
        check, names = self.check, [opened.suite.name for opened in self.suites]
        if check.suite is not None and check.suite not in names:
            fix = nearest(check.suite, names)
            return self._problem("suite", f"the target has no suite '{check.suite}'", fix)
        if not measuring:
            named = [one for one in self.suites if check.suite in (None, one.suite.name)]
            known = sorted({metric for opened in named for metric in available_metrics(opened)})
            fix = nearest(check.metric, known)
            return self._problem("metric", f"no suite yields the metric '{check.metric}'", fix)
        graded = [one.suite.name for one in measuring if check.metric in _graded(one)]
        if len(graded) > 1:
            message = f"'{check.metric}' is measured by several suites ({', '.join(graded)})"
            return self._problem("metric", message, "name one with suite:")
        return None

    def _condition(self, spec: MetricSpec) -> Iterator[Problem]:
        check, kind, name = self.check, self.check.spec, self.check.metric
        if not kind.suits(higher_is_better=spec.higher_is_better):
            better = "higher" if spec.higher_is_better else "lower"
            yield self._here(f"for '{name}' {better} is better", f"use {kind.opposite}")
        if check.percent and spec.family == "label":
            yield self._here(f"'{name}' is compared by difference", "write the margin without %")
        if check.relative and spec.family == "quantile" and not check.percent:
            yield self._here(f"'{name}' is compared as a ratio", "write the margin with %")
        if check.percent and kind.superiority and not spec.higher_is_better:
            fix = "write the margin without %"
            yield self._here("a gain in % needs a metric where higher is better", fix)
        if not check.relative and not spec.lo <= check.threshold <= spec.hi:
            limits = f"[{spec.lo:g}, {spec.hi:g}]"
            message = f"expected a bar in {limits}; found {check.threshold:g}"
            yield self._here(message, _as_share(check, spec))
        elif self._out_of_reach(spec):
            fix = "no sample proves the end of the scale; ask for a little less, such as 0.99 of 1"
            yield self._here(f"no answers can be that good: the bar is {check.threshold:g}", fix)
        if check.relative and not check.percent and spec.bounded:
            span = spec.hi - spec.lo
            if check.threshold >= span:
                message = f"expected a margin below {span:g}; found {check.threshold:g}"
                yield self._here(
                    message, _as_share(check, spec) or "a margin that wide forbids nothing"
                )

    def _labels(self, spec: MetricSpec, opened: OpenedSuite) -> Iterator[Problem]:
        """Human labels correct the mean of a judge's scores, by difference, on cases that are each their own."""
        check, message, fix = self.check, "", None
        grader = spec.column.removesuffix(".passed")
        if grader not in opened.people:
            message = f"suite {opened.suite.name} names no human labels for '{check.metric}'"
            fix = f"say human_labels: FILE at a judge's grader; known: {', '.join(sorted(opened.people)) or 'none'}"
        elif check.percent:
            message = f"'{check.metric}' with human labels is compared by difference"
            fix = "write the margin without %"
        elif check.decide_on == "point":
            message, fix = "a point estimate needs no human labels", "leave out decide_on: point"
        elif clustered([opened]):
            message = "human labels of clustered cases can't be used to decide"
        if message:
            yield self._problem("with_labels", message, fix)

    def _out_of_reach(self, spec: MetricSpec) -> bool:
        """True for a bar at the very end of the scale, which no bound can lie beyond."""
        check = self.check
        if check.relative or check.decide_on == "point" or not spec.bounded:
            return False
        return check.threshold <= spec.lo if check.spec.rising else check.threshold >= spec.hi

    def _unmatched(self, measuring: Sequence[OpenedSuite]) -> Problem | None:
        check = self.check
        columns = [opened.suite.cases.tags for opened in measuring]
        known = sorted({tag for tags in columns for tag in tags})
        for tag in [*check.where, *([check.each] if check.each else [])]:
            if tag not in known:
                key = "each" if tag == check.each else "where"
                return self._problem(key, f"no case has the tag '{tag}'", nearest(tag, known))
        if matching(check, measuring):
            return None
        for tag, value in check.where.items():
            values = sorted({one for tags in columns if tag in tags for one in tags[tag].values})
            if value not in values:
                return self._problem("where", f"no case has {tag}={value}", nearest(value, values))
        wanted = ", ".join(f"{tag}={value}" for tag, value in check.where.items())
        about = f"with {wanted}" if wanted else f"that '{check.metric}' applies to"
        return self._problem("where" if wanted else "metric", f"there is no case {about}", None)

    def _infeasible(self, spec: MetricSpec, measuring: Sequence[OpenedSuite]) -> Iterator[Problem]:
        """A check that even flawless answers could not pass is refused now, not after the bill."""
        for short in _shortages(self.policy, self.check, spec, measuring, self.production_cases):
            yield self._too_small(short, spec)

    def _too_small(self, short: Shortage, spec: MetricSpec) -> Problem:
        value, noun, said, least = short.value, short.noun, short.said, short.least
        where = f" ({self.check.each}={value})" if value else ""
        if noun == "cases" and least == self.check.min_cases:
            return self._problem(
                "min_cases",
                f"{said}{where} can never pass: min_cases asks for {least} cases",
                "add cases, ask for fewer, or say if_too_few: report",
            )
        anchored = self.check.against == "anchor"
        margin = "widen anchor.margin, " if anchored else "widen the margin, "
        wider = margin if spec.family in ("mean", "cost") else ""
        shown = f"min_cases: {max(least, self.check.min_cases or 0)} and if_too_few: report"
        if noun != "cases":
            shown = "mode: shadow"
        return self._here(
            f"{said}{where} can never pass{self._whom()}: even flawless answers need {least} {noun}",
            f"add {noun}, {wider}or have it only shown by {shown}",
        )

    def _whom(self) -> str:
        """What sets a check against the anchor apart from the one it is made from."""
        if self.check.against == "baseline":
            return ""
        return (
            f" against the anchor, at a confidence of {self.policy.confidence_of(self.check):.6g}"
        )

    def _here(self, message: str, fix: str | None = None) -> Problem:
        return self._problem(self.check.kind, message, fix)

    def _problem(self, key: str, message: str, fix: str | None) -> Problem:
        return Problem(
            where=shown_path(Path(self.policy.path)),
            line=self.check.line,
            field=f"{self.check.field.rpartition('.')[0]}.{key}",
            message=message,
            fix=fix,
        )


def _as_share(check: Check, spec: MetricSpec) -> str | None:
    """How a number of points out of 100 is written on the scale from 0 to 1."""
    if (spec.lo, spec.hi) != (0.0, 1.0) or not 1.0 < check.threshold <= 100.0:
        return None
    return f"write {check.threshold / 100:g} for {check.threshold:g} points of 100"


def _graded(opened: OpenedSuite) -> set[str]:
    return {name for grader in opened.graders for name in grader.metrics()}
