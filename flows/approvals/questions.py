"""What a judged run asks of people: which answer lets it go live, by how many, by when, and who has given it.

Worked out anew whenever it is looked at, from the stored verdict, the gate and the answers; nothing of it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from evals.errors import RefusedError
from evals.gate.look_store import LookStore
from evals.gate.looks import LookEvent
from evals.gate.policy import GatePolicy, load_policy
from evals.records import CheckResult, Record, Slot, Verdict
from flows.config.target import load_target
from flows.registry.records import Answer, Binding, Decision, RunRecord
from flows.registry.store import Registry
from flows.registry.verdicts import shortfall
from flows.settings import Settings

__all__ = ["Question", "question_of", "why_forbidden"]

_WANTED: dict[str, Decision] = {"INCONCLUSIVE": "approve", "FAIL": "override"}
_ANSWERABLE = frozenset({"waiting", "judged", "refused"})
_SELECTORS = (("job_id", "--job"), ("model_id", "--model"), ("checkpoint", "--checkpoint"))
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
    looks = LookStore(settings.run_folder(run.run_id)).events() if slot == "developer" else ()
    forbidden = why_forbidden(run, verdict, policy, looks)
    return _question(registry, run, slot, verdict, policy, forbidden)


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
        # Production checks are measured only after the developer verdict was accepted.
        if slot == "production" or registry.verdict(run.run_id, "production") is None:
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


def _later(at: str, seconds: int) -> str:
    later = datetime.fromisoformat(at) + timedelta(seconds=seconds)
    return later.isoformat(timespec="microseconds").replace("+00:00", "Z")


def why_forbidden(
    run: RunRecord, verdict: Verdict, policy: GatePolicy, looks: Sequence[LookEvent]
) -> str:
    """Return why no person's word can make this verdict good, empty when the gate lets people.

    `looks` are those the run made: checks that can't be overridden and are open only because asking ended early can be
    decided by asking every case.
    """
    if verdict.outcome == "INCONCLUSIVE" and policy.on_inconclusive == "fail":
        return "the gate lets nobody accept that (on_inconclusive: fail)"
    if verdict.outcome == "ERROR":
        return "nobody can accept an ERROR: remove its cause and judge again"
    if verdict.outcome != "FAIL":
        return ""
    fixed = [c for c in verdict.checks if c.decides and c.outcome != "PASS" and not c.overridable]
    failed = [check for check in fixed if check.outcome != "INCONCLUSIVE"]
    undecided = [check for check in fixed if check.outcome == "INCONCLUSIVE"]
    said = []
    if failed:
        said.append(f"the gate lets nobody override {_names(failed)}")
    if undecided:
        said.append(f"the gate wants proof of {_names(undecided)}, {_why_open(looks)}")
    if undecided and not failed:
        said.append(_way_out(run, looks))
    return "; ".join(said)


def _names(checks: Sequence[CheckResult]) -> str:
    return ", ".join(f"'{check.check}'" for check in checks)


def _ended_early(looks: Sequence[LookEvent]) -> bool:
    return bool(looks) and looks[-1].stop and looks[-1].look < looks[-1].rounds


def _why_open(looks: Sequence[LookEvent]) -> str:
    return "undecided because asking ended early" if _ended_early(looks) else "which stay undecided"


def _way_out(run: RunRecord, looks: Sequence[LookEvent]) -> str:
    if not _ended_early(looks):
        return "a larger suite may decide that"
    named = next(
        (f"{flag} {run.trigger[key]}" for key, flag in _SELECTORS if key in run.trigger), ""
    )
    command = f"gatewright promote {run.target} {named} --again --no-early-stop"
    return f"to decide it, ask every case: {command}"
