"""Examines one check on the evidence there is: measured, covered, at the level that is due, and with what outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults, has_metric, measured_results
from evals.checks.comparison import compare, measure
from evals.checks.kept_comparison import comparable_rows
from evals.checks.measurement import Measurement
from evals.checks.methods import IncomparableError
from evals.checks.rows import asked_rows, due_rows, paired_rows
from evals.gate.anchored import incomparable, why_incomparable, why_not_judged
from evals.gate.check_results import (
    blank_result,
    too_few_result,
    with_finding,
    with_measurement,
)
from evals.gate.decision import compare_with_threshold, futile, rests_on
from evals.gate.explanations import explain, state_at_look, too_few, unscored_share
from evals.gate.looks import CheckLook, LookHistory
from evals.gate.policy import GatePolicy
from evals.gate.recorded import NOT_COMPARABLE, OVER_ITSELF, TWO_OF_ONE_RUN, judged_as
from evals.metrics.results import ModelResults
from evals.records import CheckOutcome, CheckResult, CheckState, LookPosition, Role, Slot
from evals.stats.sequential import FIRST_LOOK, Look, look_at

__all__ = ["Evidence", "Examiner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is judged: results by suite name. `baseline` is None for a first release.

    `release` is False for a look at what is live already. `slot` says where the candidate was measured. `anchor` are the
    kept answers of the model that the gate's anchor names, laid out on the candidate's own rows; `planned` is False
    there for cases that can't be compared. Where that model can't be compared at all, `anchor_problem` says why.
    `kept_baseline` are the live model's own kept answers, laid out in the same way; `kept_problem` says why there are
    none although they were kept, `baseline_changed` what tells that its deployment is another one than it was.
    `recorded`: the baseline was not asked; `baseline` are answers of before, laid out in the same way, or None and the reason
    is `recorded_problem`. `recorded_model` names the model that gave them where it is not the candidate itself, and
    `recorded_note` is a sentence for people on whose answers they are; `recorded_as` names them for machines.
    """

    candidate: Mapping[str, ModelResults]
    baseline: Mapping[str, ModelResults] | None
    slot: Slot = "developer"
    release: bool = True
    anchor: Mapping[str, ModelResults] | None = None
    anchor_problem: str = ""
    kept_baseline: Mapping[str, ModelResults] | None = None
    kept_problem: str = ""
    baseline_changed: str = ""
    recorded: bool = False
    recorded_problem: str = ""
    recorded_model: str = ""
    recorded_note: str = ""
    recorded_as: str = ""

    def asked(self, check: Check) -> list[tuple[Role, str]]:
        """Return the models and suites that a check needs answers from. Raises IncomparableError for none."""
        suites = [results.suite for results in measured_results(check, self.candidate)]
        roles: list[Role] = ["candidate"]
        asked = self.baseline is not None and not self.recorded
        if check.relative and check.against == "baseline" and asked:
            roles.append("baseline")
        return [(role, suite) for role in roles for suite in suites]


class Examiner:
    """Examines the checks of one policy on one body of evidence; without `looks` on a sample of fixed size."""

    def __init__(self, policy: GatePolicy, evidence: Evidence, looks: LookHistory | None) -> None:
        self.policy, self.evidence = policy, evidence
        self.looks = looks or LookHistory(look=1, rounds=1)
        self.results = ComparedResults(evidence.candidate, evidence.baseline)
        self.kept = ComparedResults(evidence.candidate, evidence.anchor)

    def examine(self, check: Check) -> CheckLook:
        """Examine a check whose `each` is unfolded. Never raises for what the evidence holds: that is an ERROR."""
        settled = self._settled(check)
        if settled is not None:
            return settled
        if self._recorded(check):
            check = judged_as(check)
        blank = blank_result(check, self.policy.confidence_of(check))
        not_here = self._not_measured_here(check)
        if not_here is not None:
            return _ruled(check, with_finding(blank, not_here, decides=False), decided=True)
        if check.against == "anchor" and self.evidence.anchor is None:
            return self._incomparable(check, blank, self.evidence.anchor_problem)
        if self._recorded(check) and (self.evidence.baseline is None or self._of_two(check)):
            return self._incomparable(
                check, blank, self.evidence.recorded_problem or TWO_OF_ONE_RUN
            )
        try:
            candidate, baseline = self._opponents(check).of(check)
            return self._measured(check, candidate, baseline, blank)
        except IncomparableError as error:
            return _ruled(check, with_finding(blank, str(error), outcome="ERROR"), decided=True)
        except (ValueError, ArithmeticError, KeyError) as error:
            # Later answers may make it measurable: a ratio to a baseline that was 0 so far, for instance.
            result = with_finding(blank, str(error), outcome="ERROR")
            return _ruled(check, result, decided=self.looks.final)

    def _settled(self, check: Check) -> CheckLook | None:
        """What an earlier look settled: a decision, or a check beside the decision whose cases were asked no further."""
        latched = self.looks.latched(check.key)
        if latched is not None:
            return latched[1]
        if not self.looks.only_reported(check.key):
            return None
        try:
            return self.looks.last_complete(check.key, check.where, self.evidence.asked(check))
        except IncomparableError:
            return None

    def _not_measured_here(self, check: Check) -> str | None:
        if check.measure_on != self.evidence.slot and not self._of_itself(check):
            return f"measured on the {check.measure_on} deployment, not here"
        evidence = self.evidence
        if check.against == "anchor":
            none_yet = (
                evidence.baseline is None or evidence.recorded
            ) and not evidence.anchor_problem
            return why_not_judged(check, evidence.candidate, evidence.anchor, none_yet=none_yet)
        if self._recorded(check):
            of_another = evidence.release or evidence.recorded_model
            return None if of_another else self._not_of_itself(check)
        if check.relative and evidence.baseline is None:
            return "no live baseline to compare with"
        return None

    def _of_itself(self, check: Check) -> bool:
        """Whether an absolute check is judged on what is live itself: that is the production deployment, and no other."""
        evidence = self.evidence
        alone = evidence.recorded and not evidence.release and not evidence.recorded_model
        return alone and not check.relative

    def _recorded(self, check: Check) -> bool:
        """Whether a check compares with answers of before, because its baseline was not asked."""
        return self.evidence.recorded and check.relative and check.against == "baseline"

    def _of_two(self, check: Check) -> bool:
        """Whether its metric compares two answers of one run, which the candidate alone does not give."""
        return not any(has_metric(check.metric, one) for one in self.evidence.candidate.values())

    def _not_of_itself(self, check: Check) -> str | None:
        """Why a look at what is live can't judge a comparison of the model with itself."""
        if check.spec.superiority:
            return OVER_ITSELF
        return TWO_OF_ONE_RUN if self._of_two(check) else None

    def _opponents(self, check: Check) -> ComparedResults:
        return self.kept if check.against == "anchor" else self.results

    def _incomparable(self, check: Check, blank: CheckResult, why: str) -> CheckLook:
        """A check whose anchor or recorded baseline can't be compared: undecided, so that a person decides."""
        anchored = check.against == "anchor"
        short = "the anchor can't be compared" if anchored else NOT_COMPARABLE
        finding = incomparable(why) if anchored else f"{NOT_COMPARABLE}: {why}"
        result = with_finding(blank, finding, overruled=short)
        return _ruled(check, result, decided=self.looks.final)

    def _measured(
        self,
        check: Check,
        candidate: ModelResults,
        baseline: ModelResults | None,
        blank: CheckResult,
    ) -> CheckLook:
        planned = int(due_rows(check, candidate).sum())
        if (check.against == "anchor" or self._recorded(check)) and baseline is not None:
            blank = msgspec.structs.replace(blank, against_model=baseline.model_id)
            why = why_incomparable(self.policy, check, baseline)
            if why is not None:
                return self._incomparable(check, blank, why)
            planned = int(comparable_rows(check, baseline).sum())
        n, scored = (
            int(rows(check, candidate, baseline).sum()) for rows in (self._counted, paired_rows)
        )
        due = self._due(check, n, planned)
        confidence = self._confidence(check, due)

        def measured(at: float) -> Measurement:
            if check.relative and baseline is not None:
                return compare(check, candidate, baseline, at, missing=self.policy.missing)
            return measure(check, candidate, baseline, at, missing=self.policy.missing)

        found = measured(confidence)
        numbers = msgspec.structs.replace(
            with_measurement(blank, found), look=self._position(planned)
        )
        if check.min_cases is not None and planned < check.min_cases:
            few = too_few_result(check, numbers)
            return _ruled(check, few, decided=few.decides or self.looks.final)
        uncovered = unscored_share(check, candidate, baseline, self.policy.min_scored)
        if uncovered is not None:
            lacking = with_finding(numbers, uncovered, measured=False)
            return _ruled(check, lacking, decided=self.looks.final)
        if check.min_cases is not None and scored < check.min_cases:
            few = with_finding(numbers, too_few(check, scored))
            return _ruled(check, few, decided=self.looks.final)
        looked = self._compared(check, found, numbers, due, planned)
        return self._refused(check, looked, measured) if looked.futile else looked

    @property
    def _counted(self) -> Callable[[Check, ModelResults, ModelResults | None], NDArray[np.bool_]]:
        """Which cases alpha is spent on: all that were asked, unless the missing ones are left out."""
        return asked_rows if self.policy.missing == "worst_case" else paired_rows

    def _position(self, planned: int) -> LookPosition | None:
        if self.looks.rounds == 1:
            return None
        return LookPosition(look=self.looks.look, rounds=self.looks.rounds, planned=planned)

    def _due(self, check: Check, n: int, planned: int) -> Look | None:
        """The look that is due on n of the planned cases; None when there is none yet, or no plan of looks at all."""
        # Alpha is spent by the share of the check's own cases that were seen, not by the number of the look (Lan & DeMets
        # 1983): where answers were lost, or some slices were asked no further, a round brings fewer than planned.
        alpha = 1.0 - self.policy.confidence_of(check)
        made = [count for count in self.looks.counts(check.key) if count < n]
        if check.mode == "shadow" or n == 0:
            return None
        # Nothing more will come: all alpha that is left is spent now, also when cases were lost.
        if self.looks.final or (n == planned and check.metric != "answered"):
            return look_at([*made, n], max(planned, n), final=True, alpha=alpha)
        least = max(FIRST_LOOK, check.min_cases or 0)
        if check.judged_at_end or n < least or planned < 2 * FIRST_LOOK:
            return None
        if made != self.looks.counts(check.key):  # not one case more than at the look before
            return None
        return look_at([*made, n], planned, final=False, alpha=alpha)

    def _confidence(self, check: Check, due: Look | None) -> float:
        if due is None or (due.final and due.index == 0):
            return self.policy.confidence_of(check)
        # A level too fine to decide at: the bounds are only shown, and this is as wide as methods can take.
        return due.confidence if due.can_decide else 1.0 - 1e-12

    def _compared(
        self,
        check: Check,
        found: Measurement,
        numbers: CheckResult,
        due: Look | None,
        planned: int,
    ) -> CheckLook:
        final = self.looks.final or (due is not None and due.final)
        deciding = final or check.mode == "shadow" or (due is not None and due.can_decide)
        outcome: CheckOutcome = compare_with_threshold(check, found) if deciding else "INCONCLUSIVE"
        state: CheckState = "open"
        if final or (numbers.decides and outcome != "INCONCLUSIVE"):
            state = "decided"
        elif self._futile(check, found, due, planned):
            state = "given_up"
        finding = explain(check, found, outcome)
        if numbers.look is not None and check.mode != "shadow":
            finding += state_at_look(state, numbers.look, found.n)
        result = with_finding(
            numbers,
            finding,
            outcome=outcome,
            state=state,
            rests_on=rests_on(check, found, outcome),
        )
        return CheckLook(
            key=check.key,
            n=found.n,
            counted=due is not None and not found.blocked,
            decided=state == "given_up" or (state == "decided" and numbers.decides),
            result=result,
            futile=state == "given_up",
        )

    def _refused(
        self, check: Check, given_up: CheckLook, measured: Callable[[float], Measurement]
    ) -> CheckLook:
        """A check given up is a FAIL where its plain bound, at the gate's own confidence, is on the failing side already.

        A look decides at a finer level, so that looking often promotes nobody. To refuse what is not going to pass anyhow takes
        no more than the gate's word; whoever is only undecided is left to people, and to more cases.
        """
        plain = measured(self.policy.confidence_of(check))
        if compare_with_threshold(check, plain) != "FAIL":
            return given_up
        before = given_up.result
        numbers = with_measurement(before, plain)
        assert before.look is not None  # only looks give up
        ended = state_at_look("given_up", before.look, plain.n, refused=True)
        finding = explain(check, plain, "FAIL") + ended
        result = with_finding(numbers, finding, outcome="FAIL", rests_on="interval")
        return msgspec.structs.replace(given_up, result=result)

    def _futile(self, check: Check, found: Measurement, due: Look | None, planned: int) -> bool:
        # Futility only ever ends a check without a PASS, so that it may be switched off, and costs no alpha.
        if not self.policy.futility or due is None or due.final or found.blocked:
            return False
        alpha = 1.0 - self.policy.confidence_of(check)
        return futile(check, found, fraction=due.fraction, planned=planned, alpha=alpha)


def _ruled(check: Check, result: CheckResult, *, decided: bool) -> CheckLook:
    """A result that rests on a rule instead of the interval: no alpha is spent on it."""
    state: CheckState = "decided" if decided else "open"
    return CheckLook(
        key=check.key,
        n=result.n,
        counted=False,
        decided=decided,
        result=msgspec.structs.replace(result, state=state),
    )
