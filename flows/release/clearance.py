"""May this run's candidate go live now? Asked before money is spent on it, and again right before the switch.

A PASS goes through; INCONCLUSIVE needs the approvals its gate asks for, in time; FAIL needs overrides. Everything is read
from the registry anew, and whatever is missing, older or other than what was judged is a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from evals.errors import GatewrightError, RefusedError, StaleGenerationError, WaitingError
from evals.gate.policy import Approval, Override
from evals.records import Candidate, Record, Slot, Verdict
from flows.approvals.acceptance import Acceptance, acceptance_of, locked_checks
from flows.config.strategy import Strategy
from flows.platforms.base import SlotSpec
from flows.registry.judge_anew import judge_anew
from flows.registry.records import RunRecord
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
    registry: Registry,
    act: Promotion,
    policy_digest_now: Callable[[], str] | None = None,
    changed_now: Callable[[], str] | None = None,
) -> Verdict:
    """Return the verdict that clears the promotion. `changed_now` says what else changed since, "" for nothing.

    Raises RefusedError when it may not go live, StaleGenerationError when what is live is not what it was judged
    against, WaitingError when people still have to answer, or can't since what was judged was edited, RegistryError
    when the registry's rows are not what its events tell.
    """
    run = _run(registry, act)
    if run.state == "superseded":
        raise RefusedError(f"run {run.run_id} was {run.detail}")
    registry.require_intact(act.target)
    _refuse_hold(registry, act)
    verdict = _judged(registry, act)
    gates = {act.policy_digest, policy_digest_now() if policy_digest_now else act.policy_digest}
    if not verdict.policy_digest or gates != {verdict.policy_digest}:
        raise _edited(registry, run, "the gate was changed since the verdict")
    if changed_now is not None and (changed := changed_now()):
        raise _edited(registry, run, changed)
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
        "evidence": (act.evidence_digest, verdict.evidence_digest),
    }
    for what, (asked, stored) in pairs.items():
        if not asked or asked != stored:
            raise RefusedError(f"the verdict is on another {what}: {stored!r}, not {asked!r}")
    return verdict


def _edited(registry: Registry, run: RunRecord, what: str) -> GatewrightError:
    """An edit decides nothing about a run that waits for people: undone, its question stands again. Any other is refused."""
    why = f"{what}; {judge_anew(run)}"
    answers = (*registry.answers(run.run_id), *registry.answers(run.run_id, "production"))
    rejected = any(answer.decision == "reject" for answer in answers)
    moved = run.baseline_generation != registry.generation(run.target)
    return (
        WaitingError(why)
        if run.state == "waiting" and not (rejected or moved)
        else RefusedError(why)
    )


def _refuse_moved_baseline(
    registry: Registry, act: Promotion, run: RunRecord, verdict: Verdict
) -> None:
    live, generation = registry.live(act.target), registry.generation(act.target)
    model = live.model_id if live is not None else None
    if model == act.candidate.model_id:
        raise RefusedError(f"{model} is live for {act.target} already")
    # Where nothing is live, a frozen baseline may have stood for it: the registry says whether it did, at the switch.
    compared = None if model is None and "against" in run.trigger else verdict.baseline_model
    if run.baseline_generation != generation or compared != model:
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
    found = acceptance_of(registry, run, slot, verdict, act)
    if found.enough:
        return
    if found.wanted == "approve":
        raise _unapproved(found, missing)
    if found.given:
        count = f"{len(found.given)} of {found.required} overrides"
        raise WaitingError(f"{missing}; {count} so far")
    locked = locked_checks(verdict) if verdict.takes == "override" else ()
    named = ", ".join(check.check for check in locked)
    raise RefusedError(f"{missing}; not overridable: {named}" if locked else missing)


def _unapproved(found: Acceptance, missing: str) -> GatewrightError:
    count = f"{len(found.given)} of {found.required} approvals"
    if found.expired:
        return RefusedError(f"{missing}; {count} until {found.deadline}, and expiry is rejection")
    return WaitingError(f"{missing}; {count} so far, open until {found.deadline}")
