"""A person's answer to a judged run: what is asked, whether this person may answer it now, and what the answer did.

Used alike by the command line and by the review pages. The registry keeps the answer, bound to the digests of what was
judged; the promotion itself looks at all of it once more before anything goes live.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evals.errors import RefusedError
from evals.look_book import LookBook
from evals.policy import GatePolicy, load_policy
from evals.records import Record, Slot, Verdict
from flows.forbidding import why_forbidden
from flows.registry.records import Answer, Binding, Decision, RunRecord
from flows.registry.store import Registry
from flows.registry.verdicts import shortfall
from flows.settings import Settings
from flows.stores import open_registry, require_run
from flows.target import load_target

__all__ = ["Question", "answer_run", "give_answer", "question_of"]

_WANTED: dict[str, Decision] = {"INCONCLUSIVE": "approve", "FAIL": "override"}
_ANSWERABLE = frozenset({"waiting", "judged", "refused"})
_SLOTS: tuple[Slot, ...] = ("developer", "production")


class Question(Record, frozen=True, kw_only=True):
    """What a run asks of people.

    `wanted` is the answer that lets the candidate go live, None when no answer can; then `forbidden` says why, and what
    can be done instead. `given` are those who gave it in time; `deadline` is UTC, ISO 8601, None when it never ends; `excluded` may not give it.
    """

    run_id: str
    target: str
    slot: Slot
    asks: str
    wanted: Decision | None
    forbidden: str
    binding: Binding
    required: int
    given: tuple[str, ...]
    excluded: str | None
    deadline: str | None
    expired: bool

    @property
    def enough(self) -> bool:
        """True when as many people as the gate asks for have said yes."""
        return self.wanted is not None and len(self.given) >= self.required


def question_of(settings: Settings, registry: Registry, run: RunRecord) -> Question | None:
    """Return what a run asks of people, None when there is nothing to answer.

    Raises ConfigurationError when target or gate have problems, RefusedError when the gate is another one by now.
    """
    found = _open_verdict(registry, run)
    if found is None:
        return None
    slot, verdict = found
    policy = load_policy(settings.gates / f"{load_target(settings.targets, run.target).gate}.yaml")
    if policy.digest != verdict.policy_digest:
        raise RefusedError("the gate's policy was changed since the verdict: judge again")
    looks = LookBook(settings.run_folder(run.run_id)).events() if slot == "developer" else ()
    forbidden = why_forbidden(run, verdict, policy, looks)
    return _question(registry, run, slot, verdict, policy, forbidden)


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
        raise RefusedError(f"run {run_id} is {run.state} and asks nothing: {run.detail}")
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


def _question(
    registry: Registry,
    run: RunRecord,
    slot: Slot,
    verdict: Verdict,
    policy: GatePolicy,
    forbidden: str,
) -> Question:
    approving = verdict.outcome == "INCONCLUSIVE"
    wanted = None if forbidden else _WANTED.get(verdict.outcome)
    judged = registry.judged_at(run.run_id, slot)
    deadline = None
    if approving and judged is not None:
        deadline = _later(judged[0], policy.approval.expires_after_s)
    now = registry.now()
    excluded = run.requested_by if policy.approval.not_requester else None
    needed = policy.approval.required if approving else policy.override.approvers
    binding = Binding.of(verdict)
    return Question(
        run_id=run.run_id,
        target=run.target,
        slot=slot,
        asks=shortfall(verdict, f"the {slot} verdict") or "",
        wanted=wanted,
        forbidden=forbidden,
        binding=binding,
        required=max(1, needed),
        given=_given(registry, run, slot, wanted, binding, deadline, excluded, policy, now),
        excluded=excluded,
        deadline=deadline,
        expired=deadline is not None and now > deadline,
    )


def _open_verdict(registry: Registry, run: RunRecord) -> tuple[Slot, Verdict] | None:
    """The first verdict that is no PASS and that people may still answer."""
    if run.kind != "promotion" or run.state not in _ANSWERABLE:
        return None
    for slot in _SLOTS:
        verdict = registry.verdict(run.run_id, slot)
        answers = registry.answers(run.run_id, slot)
        if any(answer.decision == "reject" for answer in answers):
            return None
        if verdict is None or shortfall(verdict) is None:
            continue
        if run.state == "refused" and verdict.outcome != "FAIL":
            return None
        later = slot == "developer" and registry.verdict(run.run_id, "production") is not None
        if (
            not later
        ):  # the production checks were measured only after the developer verdict was accepted
            return slot, verdict
    return None


def _given(
    registry: Registry,
    run: RunRecord,
    slot: Slot,
    wanted: Decision | None,
    binding: Binding,
    deadline: str | None,
    excluded: str | None,
    policy: GatePolicy,
    now: str,
) -> tuple[str, ...]:
    """Who said yes to this very verdict, in time; an override counts only while it is fresh."""

    def counts(answer: Answer) -> bool:
        if (answer.decision, answer.binding) != (wanted, binding) or answer.actor == excluded:
            return False
        if wanted == "override":
            return now <= _later(answer.at, policy.override.expires_after_s)
        return deadline is None or answer.at <= deadline

    people = {a.actor: None for a in registry.answers(run.run_id, slot) if counts(a)}
    return tuple(people)


def _require_open(
    registry: Registry, run: RunRecord, question: Question, decision: Decision, actor: str
) -> None:
    if question.wanted is None:
        raise RefusedError(f"{question.asks}; {question.forbidden}")
    if decision != question.wanted:
        raise RefusedError(f"{question.asks}; that takes '{question.wanted}', not '{decision}'")
    if question.expired:
        why = f"the question stood open until {question.deadline}, and expiry is rejection"
        registry.set_run_state(run.run_id, "refused", why)
        raise RefusedError(why)
    if actor == question.excluded:
        raise RefusedError(f"{actor} asked for this promotion; the gate wants somebody else's word")
    hold = registry.held(run.target)
    if hold is not None:
        raise RefusedError(
            f"{run.target} is held by {hold.actor} since {hold.since}: {hold.reason}; release it first"
        )
    if run.baseline_generation != registry.generation(run.target):
        raise RefusedError("something else was made live since the verdict: judge again")


def _reject(
    registry: Registry, run: RunRecord, actor: str, reason: str, evidence: str | None
) -> str:
    """A rejection closes the run at once; one that stands in production already is closed by the flow, which cleans up."""
    slot: Slot = "production" if registry.verdict(run.run_id, "production") else "developer"
    verdict = registry.verdict(run.run_id, slot)
    if run.kind != "promotion" or run.state not in ("waiting", "judged") or verdict is None:
        raise RefusedError(f"run {run.run_id} is {run.state} and asks nothing: {run.detail}")
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


def _later(at: str, seconds: int) -> str:
    later = datetime.fromisoformat(at) + timedelta(seconds=seconds)
    return later.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _past(answer: Answer) -> str:
    return "approved" if answer.decision == "approve" else "overridden"


def _plural(answer: Answer) -> str:
    return "approvals" if answer.decision == "approve" else "overrides"
