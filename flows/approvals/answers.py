"""A person's answer to a judged run: whether this person may give it now, and what it did. What is asked: `flows.approvals.questions`.

Used alike by the command line and by the review pages. The registry keeps the answer, bound to the digests of what was
judged; the promotion itself looks at all of it once more before anything goes live.
"""

from __future__ import annotations

from evals.errors import RefusedError
from evals.people import is_among, same_person
from evals.records import Slot
from evals.report.sanitise import shorten
from flows.approvals.questions import Question, question_of
from flows.registry.judge_anew import judge_anew
from flows.registry.opening import open_registry, require_run
from flows.registry.records import Answer, Binding, Decision, RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["answer_run", "give_answer"]

_LONGEST = 160
"""A verdict's reasons fill a screen; the report has them all."""


def answer_run(
    settings: Settings, run_id: str, decision: Decision, *, actor: str, reason: str
) -> str:
    """Record a person's answer to a run and return in one sentence what it did.

    The caller carries an approved run on by starting its promotion again.

    Raises:
        ConfigurationError: there is no such run, or its target or gate have problems.
        RefusedError: the run asks nothing, the answer does not fit, or this person may not give it now.
    """
    with open_registry(settings) as registry:
        return give_answer(settings, registry, run_id, decision, actor=actor, reason=reason)


def give_answer(
    settings: Settings,
    registry: Registry,
    run_id: str,
    decision: Decision,
    *,
    actor: str,
    reason: str,
    evidence: str | None = None,
) -> str:
    """Do as `answer_run` with a registry that is open. `evidence` is the digest the person was shown, None for any."""
    run = require_run(registry, run_id)
    if decision == "reject":
        return _reject(registry, run, actor, reason, evidence)
    question = question_of(settings, registry, run)
    if question is None:
        raise _asks_nothing(run)
    _refuse_other_evidence(question.binding, evidence)
    _require_open(registry, run, question, decision, actor)
    answer = registry.answer(
        run_id,
        decision,
        actor=actor,
        reason=reason,
        binding=question.binding,
        slot=question.slot,
    )
    again = question_of(settings, registry, run)
    assert again is not None
    count = f"{len(again.given)} of {again.required}"
    if run.state != "waiting":
        registry.set_run_state(run_id, "waiting", f"{count} {_plural(answer)}", actor=actor)
    goes_on = "the promotion goes on" if again.enough else "it waits for the others"
    return f"{_past(answer)} by {actor} ({count}): {goes_on}"


def _require_open(
    registry: Registry, run: RunRecord, question: Question, decision: Decision, actor: str
) -> None:
    if question.wanted is None:
        raise RefusedError(f"{shorten(question.asks, _LONGEST)}; {question.forbidden}")
    if decision != question.wanted:
        raise RefusedError(
            f"{shorten(question.asks, _LONGEST)}; that takes '{question.wanted}', not '{decision}'"
            + (f"; {question.forbidden}" if question.forbidden else "")
        )
    if question.expired:
        why = f"the question stood open until {question.deadline}, and expiry is rejection"
        registry.set_run_state(run.run_id, "refused", why)
        raise RefusedError(why)
    if is_among(actor, question.excluded):
        own = same_person(actor, run.requested_by)
        whose = "this promotion" if own else "an earlier try of this candidate"
        raise RefusedError(
            f"{actor} asked for {whose}; somebody else's word is wanted (GATEWRIGHT_ACTOR says who is acting)"
        )
    hold = registry.held(run.target)
    if hold is not None:
        raise RefusedError(
            f"{run.target} is held by {hold.actor} since {hold.since}: {hold.reason}; release it first"
        )
    if run.baseline_generation != registry.generation(run.target):
        raise RefusedError(f"something else was made live since the verdict; {judge_anew(run)}")


def _reject(
    registry: Registry, run: RunRecord, actor: str, reason: str, evidence: str | None
) -> str:
    """A rejection closes the run at once; one that stands in production already is closed by the flow, which cleans up."""
    slot: Slot = "production" if registry.verdict(run.run_id, "production") else "developer"
    verdict = registry.verdict(run.run_id, slot)
    if run.kind != "promotion" or run.state not in ("waiting", "judged") or verdict is None:
        raise _asks_nothing(run)
    binding = Binding.of(verdict)
    _refuse_other_evidence(binding, evidence)
    registry.answer(run.run_id, "reject", actor=actor, reason=reason, binding=binding, slot=slot)
    if any(step.step == "deploying" for step in registry.steps(run.run_id)):
        return f"rejected by {actor}; its promotion removes what it deployed when it goes on"
    registry.set_run_state(run.run_id, "refused", f"rejected by {actor}: {reason}", actor=actor)
    return f"rejected by {actor}; what is live stays live"


def _refuse_other_evidence(binding: Binding, evidence: str | None) -> None:
    if evidence is not None and evidence != binding.evidence_digest:
        raise RefusedError("the evidence is another one than was shown: look at it again")


def _asks_nothing(run: RunRecord) -> RefusedError:
    why = f"run {run.run_id} is {run.state} and asks nothing"
    return RefusedError(f"{why}: {shorten(run.detail, _LONGEST)}" if run.detail else why)


def _past(answer: Answer) -> str:
    return "approved" if answer.decision == "approve" else "overridden"


def _plural(answer: Answer) -> str:
    return "approvals" if answer.decision == "approve" else "overrides"
