"""What a judged run asks of people: which answer lets it go live, by how many, by when, and who has given it.

Worked out anew whenever it is looked at, from the stored verdict, the gate and the answers; nothing of it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict

from evals.errors import RefusedError
from evals.gate.look_store import LookStore
from evals.gate.looks import LookEvent
from evals.gate.policy import GatePolicy, load_policy
from evals.records import CheckResult, Slot, Verdict
from flows.approvals.acceptance import Acceptance, acceptance_of, locked_checks
from flows.approvals.changes import changed_since_verdict
from flows.config.target import load_target
from flows.registry.judge_anew import judge_anew, promote_command
from flows.registry.records import Binding, RunRecord
from flows.registry.store import Registry
from flows.registry.verdicts import shortfall
from flows.settings import Settings

__all__ = ["Question", "question_of", "why_forbidden"]

_ANSWERABLE = frozenset({"waiting", "judged", "refused"})
_SLOTS: tuple[Slot, ...] = ("developer", "production")


class Question(Acceptance, frozen=True, kw_only=True):
    """What a run asks of people; where no answer can be given, `forbidden` says why, and what can be done instead."""

    run_id: str
    target: str
    slot: Slot
    asks: str
    forbidden: str
    binding: Binding


def question_of(settings: Settings, registry: Registry, run: RunRecord) -> Question | None:
    """Return what a run asks of people, None when there is nothing to answer.

    Raises ConfigurationError when target or gate have problems, RefusedError when gate, suites or where the
    target's models answer are other ones by now.
    """
    found = _open_verdict(registry, run)
    if found is None:
        return None
    slot, verdict = found
    policy = load_policy(settings.gates / f"{load_target(settings.targets, run.target).gate}.yaml")
    if policy.digest != verdict.policy_digest:
        raise RefusedError(f"the gate was changed since the verdict; {judge_anew(run)}")
    if changed := changed_since_verdict(settings, registry, run):
        raise RefusedError(f"{changed}; {judge_anew(run)}")
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
    found = acceptance_of(registry, run, slot, verdict, policy)
    return Question(
        run_id=run.run_id,
        target=run.target,
        slot=slot,
        asks=shortfall(verdict, f"the {slot} verdict") or "",
        forbidden=forbidden,
        binding=Binding.of(verdict),
        **asdict(found),
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
        if run.state == "refused" and verdict.takes != "override":
            return None
        # Production checks are measured only after the developer verdict was accepted.
        if slot == "production" or registry.verdict(run.run_id, "production") is None:
            return slot, verdict
    return None


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
        return f"nobody can accept an ERROR: remove its cause and judge again ({_retry(run)})"
    if verdict.unmeasured and verdict.outcome == "INCONCLUSIVE":
        return f"too little was measured of {_names(verdict.unmeasured)} to approve: see why answers are missing, then {_retry(run)}"
    if verdict.outcome != "FAIL":
        return ""
    fixed = locked_checks(verdict)
    failed = [check for check in fixed if check.outcome != "INCONCLUSIVE"]
    undecided = [check for check in fixed if check.outcome == "INCONCLUSIVE"]
    reasons = []
    if failed:
        reasons.append(f"the gate lets nobody override {_names(failed)}")
    if undecided:
        reasons.append(f"the gate wants proof of {_names(undecided)}, {_why_open(looks)}")
    if undecided and not failed:
        reasons.append(_how_to_decide(run, looks))
    return "; ".join(reasons)


def _retry(run: RunRecord) -> str:
    return f"gatewright retry {run.run_id} asks again for what is missing"


def _names(checks: Sequence[CheckResult]) -> str:
    return ", ".join(f"'{check.check}'" for check in checks)


def _ended_early(looks: Sequence[LookEvent]) -> bool:
    return bool(looks) and looks[-1].stop and looks[-1].look < looks[-1].rounds


def _why_open(looks: Sequence[LookEvent]) -> str:
    return "undecided because asking ended early" if _ended_early(looks) else "which stay undecided"


def _how_to_decide(run: RunRecord, looks: Sequence[LookEvent]) -> str:
    if not _ended_early(looks):
        return "a larger suite may decide that"
    return f"to decide it, ask every case: {promote_command(run, '--no-early-stop')}"
