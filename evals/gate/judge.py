"""The gate: results and a policy in, a verdict with a reason for every check out.

Judging is pure: no clock, no files, no network, and nothing is rounded before it decides. The worst outcome of the
checks that decide is the verdict's. Whatever can't be judged is never a pass: a missing metric, an empty slice, an
unmatched pair, a number that is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from evals.checks.check import Check
from evals.checks.comparability import results_for
from evals.checks.methods import IncomparableError
from evals.gate.baseline_health import require_sound_baseline
from evals.gate.examiner import Evidence, Examiner
from evals.gate.explanations import GIVEN_UP
from evals.gate.looks import CheckLook, LookEvent, LookHistory
from evals.gate.lost_answers import hinders, too_few_answered, why_missing
from evals.gate.policy import GatePolicy
from evals.gate.remaining_cases import asked_to_the_end, remaining
from evals.metrics.results import ModelResults
from evals.records import Verdict, VerdictOutcome, digest

__all__ = ["checks_of_each_slice", "judge", "take_look", "verdict_of", "worst"]

_SEVERITY: dict[str, int] = {"PASS": 0, "INCONCLUSIVE": 1, "FAIL": 2, "ERROR": 3}


def judge(policy: GatePolicy, evidence: Evidence, looks: LookHistory | None = None) -> Verdict:
    """Judge the evidence by the policy. Pure: the same input gives the same verdict, on any machine, at any time.

    Args:
        policy: the gate.
        evidence: all that was answered up to now.
        looks: where a run that looks early stands, with its earlier looks; None for a sample of fixed size, judged once.
    """
    found = [examined for _, examined in _examined(policy, evidence, looks)]
    return verdict_of(policy, evidence, found, looks)


def verdict_of(
    policy: GatePolicy, evidence: Evidence, found: Sequence[CheckLook], looks: LookHistory | None
) -> Verdict:
    """Put together what the checks came to: the worst of those that decide, with its reasons."""
    found = list(_against_a_sound_baseline(policy, evidence, found))
    outcome, reasons = _overall(policy, evidence, found)
    unusable = _unusable(evidence)
    if unusable:
        outcome, reasons = "ERROR", unusable
    ending, causes = _ending(looks), why_missing(evidence)
    nothing_decides = not any(examined.result.decides for examined in found)
    if nothing_decides or (outcome != "PASS" and any(hinders(one.result) for one in found)):
        reasons = (*causes, *reasons)
    return Verdict(
        outcome=outcome,
        reasons=(*reasons, *(said for said in (evidence.recorded_note, ending) if said)),
        checks=tuple(examined.result for examined in found),
        policy=policy.name,
        policy_digest=policy.digest,
        evidence_digest=evidence_digest(evidence),
        candidate_model=_model(evidence.candidate) or "",
        baseline_model=_model(evidence.baseline) or evidence.recorded_model or None,
        first_release=evidence.release and _nothing_to_compare(evidence),
        ending=ending,
        missing=policy.missing,
        causes=causes,
        against=evidence.recorded_as,
    )


def _nothing_to_compare(evidence: Evidence) -> bool:
    """Whether there is no baseline at all; recorded answers that can't be compared are one all the same."""
    return evidence.baseline is None and not evidence.recorded_model


def take_look(policy: GatePolicy, evidence: Evidence, looks: LookHistory) -> LookEvent:
    """Judge what there is at one look and say what is still needed. Pure; the caller stores the event.

    The run stops when every deciding check is decided, and as soon as one of them can only keep the verdict from being
    PASS: what it would cost to know more changes nothing then.
    """
    found = _examined(policy, evidence, looks)
    # All checks have to pass (an intersection-union test), so that one that is lost settles the verdict, and none needs
    # a correction for the number of checks.
    open_ = [(check, one) for check, one in found if one.result.decides and not one.decided]
    lost = [one for _, one in found if one.result.decides and one.decided and not _passed(one)]
    whole = asked_to_the_end(policy, evidence)
    why = _why_stop(open_, lost, looks, more=bool(whole))
    needs = () if why else tuple(remaining(evidence, [check for check, _ in open_], whole))
    return LookEvent(
        look=looks.look,
        rounds=looks.rounds,
        policy_digest=policy.digest,
        evidence_digest=evidence_digest(evidence),
        checks=tuple(one for _, one in found),
        needs=needs,
        stop=bool(why),
        why=why,
    )


def worst(outcomes: Iterable[VerdictOutcome]) -> VerdictOutcome:
    """Return the worst outcome: ERROR before FAIL before INCONCLUSIVE before PASS; of none, ERROR."""
    return max(outcomes, key=_SEVERITY.__getitem__, default="ERROR")


def checks_of_each_slice(check: Check, evidence: Evidence) -> Iterator[Check]:
    """Turn `each: tag` into one check for every value the cases have; other checks stay as they are."""
    if check.each is None:
        yield check
        return
    try:
        tags = results_for(check, evidence.candidate).tags.get(check.each)
    except (IncomparableError, ValueError):
        tags = None  # examining the check says why, and that is an ERROR
    values = sorted({str(value) for value in tags if value}) if tags is not None else []
    if not values:
        yield check
    for value in values:
        yield msgspec.structs.replace(check, each=None, where={**check.where, check.each: value})


def evidence_digest(evidence: Evidence) -> str:
    """Digest of every response and score of both models, in no particular order."""
    by_role = {"candidate": evidence.candidate, "baseline": evidence.baseline or {}}
    # Only where there is one, so that evidence without it keeps the digest that approvals are bound to.
    kept = {"anchor": evidence.anchor, "kept baseline": evidence.kept_baseline}
    by_role |= {role: by_suite for role, by_suite in kept.items() if by_suite is not None}
    return digest(
        {
            role: {suite: results.evidence_digest for suite, results in by_suite.items()}
            for role, by_suite in by_role.items()
        }
    )


def _examined(
    policy: GatePolicy, evidence: Evidence, looks: LookHistory | None
) -> list[tuple[Check, CheckLook]]:
    examiner = Examiner(policy, evidence, looks)
    return [
        (check, examiner.examine(check))
        for authored in policy.checks
        for check in checks_of_each_slice(authored, evidence)
    ]


def _against_a_sound_baseline(
    policy: GatePolicy, evidence: Evidence, found: Sequence[CheckLook]
) -> Iterator[CheckLook]:
    """Return the results of all checks, earlier looks' included, without any PASS that only a degraded live model allowed."""
    checks = {
        check.key: check
        for authored in policy.checks
        for check in checks_of_each_slice(authored, evidence)
    }
    for one in found:
        check = checks.get(one.key)
        yield (
            one
            if check is None
            else require_sound_baseline(check, one, evidence, policy.confidence)
        )


def _overall(
    policy: GatePolicy, evidence: Evidence, found: Sequence[CheckLook]
) -> tuple[VerdictOutcome, tuple[str, ...]]:
    deciding = [one.result for one in found if one.result.decides]
    first = evidence.release and _nothing_to_compare(evidence) and evidence.slot == "developer"
    if not deciding:
        reason = "nothing was checked: no check of this gate decides on this evidence"
        if not (first and policy.first_release == "needs_approval"):
            return "ERROR", (reason,)
        lacking = too_few_answered(evidence, policy.min_scored)
        if lacking is not None:  # a person may only approve what answered
            return "ERROR", (lacking, reason)
        return "INCONCLUSIVE", (_FIRST, reason)
    outcome = worst(result.outcome for result in deciding)
    reasons = [result.reason for result in deciding if result.outcome == outcome != "PASS"]
    if first:
        outcome, reasons = _first_release(policy, outcome, reasons)
    return outcome, tuple(reasons) or (_all_hold(len(deciding)),)


def _all_hold(deciding: int) -> str:
    return (
        f"all {deciding} deciding checks hold" if deciding > 1 else "the one deciding check holds"
    )


NOTHING_MORE = "no further answers are stored"
_FIRST = "first release: no live baseline to compare with, so a person has to approve"


def _first_release(
    policy: GatePolicy, outcome: VerdictOutcome, reasons: list[str]
) -> tuple[VerdictOutcome, list[str]]:
    if policy.first_release == "refuse":
        refusal = "first release: the policy refuses without a live baseline"
        return worst(["FAIL", outcome]), [refusal, *reasons]
    if policy.first_release == "needs_approval":
        return worst(["INCONCLUSIVE", outcome]), [_FIRST, *reasons]
    return outcome, reasons


def _unusable(evidence: Evidence) -> tuple[str, ...]:
    """Why the evidence as a whole can't be judged, whatever single checks say."""
    if not any(results.case_ids for results in evidence.candidate.values()):
        return ("nothing was measured: there is no case with an answer of the candidate",)
    for role, by_suite in (
        ("candidate", evidence.candidate),
        ("baseline", evidence.baseline or {}),
    ):
        models = sorted({results.model_id for results in by_suite.values()})
        if len(models) > 1:
            return (f"the {role}'s answers are of several models: {', '.join(models)}",)
    return ()


def _ending(looks: LookHistory | None) -> str:
    """Where a run that could look early ended, and why; empty for a sample of fixed size."""
    if looks is None or looks.rounds == 1:
        return ""
    made = [event for event in looks.past if event.look == looks.look]
    why = (made[0].why or NOTHING_MORE) if made else NOTHING_MORE
    return f"asking ended after look {looks.look} of {looks.rounds}: {why}"


def _passed(one: CheckLook) -> bool:
    return one.result.outcome == "PASS"


def _why_stop(
    open_: Sequence[tuple[Check, CheckLook]],
    lost: Sequence[CheckLook],
    looks: LookHistory,
    *,
    more: bool,
) -> str:
    if lost:
        names = "; ".join(f"{one.result.check} ({_outcome(one)})" for one in lost)
        return f"the verdict can't become PASS any more: {names}"
    if not open_ and (looks.final or not more):
        return "every deciding check is decided"
    return "every case has been asked" if looks.final else ""


def _outcome(one: CheckLook) -> str:
    return GIVEN_UP if one.futile else one.result.outcome


def _model(by_suite: Mapping[str, ModelResults] | None) -> str | None:
    names = {results.model_id for results in (by_suite or {}).values()}
    return min(names) if names else None
