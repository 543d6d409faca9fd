"""May this run's candidate go live now? Asked before money is spent on it, and again right before the switch.

A PASS goes through; INCONCLUSIVE needs the approvals its gate asks for, in time; FAIL needs overrides. Everything is read
from the registry anew, and whatever is missing, older or other than what was judged is a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from evals.errors import RefusedError, StaleGenerationError, WaitingError
from evals.gate.policy import Approval, Override
from evals.records import Candidate, Record, Slot, Verdict
from flows.config.strategy import Strategy
from flows.platforms.base import SlotSpec
from flows.registry.records import Answer, Binding, RunRecord
from flows.registry.store import Registry
from flows.registry.verdicts import shortfall

__all__ = ["Promotion", "require_clear", "require_consistent"]


class Promotion(Record, frozen=True, kw_only=True):
    """What is to be promoted, on which evidence, and what the gate asks of people.

    `policy_digest` and `evidence_digest` are those the caller judged by; the registry must agree. `production_checks`
    says whether the gate measures on the production deployment; None reads it from the verdict. `deployment` is the
    name to deploy under, None for one made from target and run; with `strategy` replace or in_place it is the one that is kept.
    """

    run_id: str
    candidate: Candidate
    slot: SlotSpec
    policy_digest: str
    evidence_digest: str
    actor: str
    approval: Approval
    override: Override
    on_inconclusive: Literal["needs_approval", "fail"] = "needs_approval"
    production_checks: bool | None = None
    deployment: str | None = None
    strategy: Strategy = "blue_green"
    reason: str = ""

    @property
    def target(self) -> str:
        """The target the candidate is for."""
        return self.candidate.target


def require_clear(
    registry: Registry, act: Promotion, policy_digest_now: Callable[[], str] | None = None
) -> Verdict:
    """Return the verdict that clears the promotion.

    Raises RefusedError when it may not go live, StaleGenerationError when what is live is not what it was judged
    against, WaitingError when people still have to answer.
    """
    run = _run(registry, act)
    _refuse_hold(registry, act)
    verdict = _judged(registry, act)
    if policy_digest_now is not None and policy_digest_now() != verdict.policy_digest:
        raise RefusedError("the gate's policy was changed since the verdict: judge again")
    _refuse_moved_baseline(registry, act, run, verdict)
    _require_accepted(registry, act, run, verdict, "developer")
    production = registry.verdict(act.run_id, "production")
    if production is not None:
        require_consistent(act, verdict, production)
        _require_accepted(registry, act, run, production, "production")
    return verdict


def require_consistent(act: Promotion, verdict: Verdict, production: Verdict) -> None:
    """Raise RefusedError unless the production verdict speaks of the same models under the same policy."""
    if production.candidate_model != act.candidate.model_id:
        raise RefusedError(f"the production checks measured {production.candidate_model}")
    if production.policy_digest != verdict.policy_digest:
        raise RefusedError("the production checks were judged by another policy")
    if production.baseline_model not in (None, verdict.baseline_model):
        raise RefusedError(f"the production checks compare with {production.baseline_model}")


def _run(registry: Registry, act: Promotion) -> RunRecord:
    run = registry.run(act.run_id)
    if run is None:
        raise RefusedError(f"run {act.run_id} is not in the registry")
    if (run.kind, run.target) != ("promotion", act.target):
        raise RefusedError(f"run {act.run_id} is a {run.kind} of {run.target}")
    return run


def _refuse_hold(registry: Registry, act: Promotion) -> None:
    hold = registry.held(act.target)
    if hold is not None:
        raise RefusedError(
            f"{act.target} is held by {hold.actor} since {hold.since}: {hold.reason}"
        )


def _judged(registry: Registry, act: Promotion) -> Verdict:
    verdict = registry.verdict(act.run_id)
    if verdict is None:
        raise RefusedError(f"run {act.run_id} has no verdict: nothing was evaluated")
    pairs = {
        "candidate": (act.candidate.model_id, verdict.candidate_model),
        "policy": (act.policy_digest, verdict.policy_digest),
        "evidence": (act.evidence_digest, verdict.evidence_digest),
    }
    for what, (asked, stored) in pairs.items():
        if not asked or asked != stored:
            raise RefusedError(f"the verdict is on another {what}: {stored!r}, not {asked!r}")
    return verdict


def _refuse_moved_baseline(
    registry: Registry, act: Promotion, run: RunRecord, verdict: Verdict
) -> None:
    live, generation = registry.live(act.target), registry.generation(act.target)
    model = live.model_id if live is not None else None
    if model == act.candidate.model_id:
        raise RefusedError(f"{model} is live for {act.target} already")
    if run.baseline_generation != generation or verdict.baseline_model != model:
        # A FAIL is refused on its merits; any other verdict is only out of date, and can be judged anew.
        moved = RefusedError if verdict.outcome == "FAIL" else StaleGenerationError
        raise moved(
            f"the baseline moved: judged against {verdict.baseline_model or 'nothing'} (generation"
            f" {run.baseline_generation}), live is {model or 'nothing'} (generation {generation});"
            " judge again"
        )


def _require_accepted(
    registry: Registry, act: Promotion, run: RunRecord, verdict: Verdict, slot: Slot
) -> None:
    answers = registry.answers(act.run_id, slot)
    for answer in answers:
        if answer.decision == "reject":
            raise RefusedError(f"rejected by {answer.actor} at {answer.at}: {answer.reason}")
    missing = shortfall(verdict, f"the {slot} verdict")
    if missing is None:
        return
    if verdict.outcome == "INCONCLUSIVE" and act.on_inconclusive == "needs_approval":
        _require_approvals(registry, act, run, verdict, slot, missing)
    elif verdict.outcome == "FAIL":
        _require_overrides(registry, act, run, verdict, slot, missing)
    else:
        raise RefusedError(missing)


def _require_approvals(
    registry: Registry, act: Promotion, run: RunRecord, verdict: Verdict, slot: Slot, missing: str
) -> None:
    judged = registry.judged_at(act.run_id, slot)
    deadline = _later(judged[0] if judged else registry.now(), act.approval.expires_after_s)
    given = [a for a in _bound(registry, act, run, verdict, slot, "approve") if a.at <= deadline]
    approvers = {answer.actor for answer in given}
    if len(approvers) >= max(1, act.approval.required):
        return
    count = f"{len(approvers)} of {max(1, act.approval.required)} approvals"
    if registry.now() > deadline:
        raise RefusedError(f"{missing}; {count} until {deadline}, and expiry is rejection")
    raise WaitingError(f"{missing}; {count} so far, open until {deadline}")


def _require_overrides(
    registry: Registry, act: Promotion, run: RunRecord, verdict: Verdict, slot: Slot, missing: str
) -> None:
    fixed = [
        c.check for c in verdict.checks if c.decides and c.outcome != "PASS" and not c.overridable
    ]
    if fixed:
        raise RefusedError(f"{missing}; not overridable: {', '.join(fixed)}")
    now, span = registry.now(), act.override.expires_after_s
    given = _bound(registry, act, run, verdict, slot, "override")
    people = {answer.actor for answer in given if now <= _later(answer.at, span)}
    needed = max(1, act.override.approvers)
    if len(people) >= needed:
        return
    if people:
        raise WaitingError(f"{missing}; {len(people)} of {needed} overrides so far")
    raise RefusedError(missing)


def _bound(
    registry: Registry, act: Promotion, run: RunRecord, verdict: Verdict, slot: Slot, decision: str
) -> list[Answer]:
    """Answers to this very verdict; where the gate says so, the requester's own does not count."""
    bound = Binding.of(verdict)
    return [
        answer
        for answer in registry.answers(act.run_id, slot)
        if (answer.decision, answer.binding) == (decision, bound)
        and not (act.approval.not_requester and answer.actor == run.requested_by)
    ]


def _later(at: str, seconds: int) -> str:
    later = datetime.fromisoformat(at) + timedelta(seconds=seconds)
    return later.isoformat(timespec="microseconds").replace("+00:00", "Z")
