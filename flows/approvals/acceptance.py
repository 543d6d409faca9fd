"""When people's answers let a candidate go live whose verdict is no PASS: the one rule, for whoever asks and whoever acts.

INCONCLUSIVE takes approvals, given before a deadline; FAIL, and what too little was measured of, takes overrides, each good
for a while, unless the gate calls one of the checks that did not pass not overridable. Nobody can accept an ERROR. An answer counts only for the very evidence, policy,
candidate and baseline it was given for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Protocol

from evals.gate.policy import Approval, Override
from evals.gate.tries.rule import excluded_people
from evals.people import distinct, is_among
from evals.records import CheckResult, Record, Slot, Verdict
from flows.registry.records import Answer, Binding, Decision, RunRecord
from flows.registry.store import Registry

__all__ = ["Acceptance", "AcceptanceRules", "acceptance_of", "locked_checks"]


class AcceptanceRules(Protocol):
    """What a gate says of people: a `GatePolicy`, or whatever carries its rules."""

    @property
    def approval(self) -> Approval: ...
    @property
    def override(self) -> Override: ...
    @property
    def on_inconclusive(self) -> Literal["needs_approval", "fail"]: ...


class Acceptance(Record, frozen=True, kw_only=True):
    """What it takes for people to accept a verdict, and who has.

    `wanted` is the answer that lets the candidate go live, None when no answer can. `given` are those who gave it in
    time, of `required`; `excluded` may not give it. `deadline` is UTC, ISO 8601, None when it never ends; `given_until` is when
    the first of the given overrides ends to count, None where none was given.
    """

    wanted: Decision | None
    required: int
    given: tuple[str, ...]
    excluded: tuple[str, ...]
    deadline: str | None
    expired: bool
    given_until: str | None = None

    @property
    def enough(self) -> bool:
        """True when as many people as the gate asks for have said yes."""
        return self.wanted is not None and len(self.given) >= self.required


def acceptance_of(
    registry: Registry, run: RunRecord, slot: Slot, verdict: Verdict, rules: AcceptanceRules
) -> Acceptance:
    """Return what it takes for people to accept the verdict of a slot that is no PASS, as things stand now."""
    now, wanted = registry.now(), _wanted(verdict, rules)
    excluded = excluded_people(verdict.tries, run.requested_by)
    if rules.approval.not_requester:
        excluded = distinct((run.requested_by, *excluded))
    required, deadline = rules.override.approvers, None
    if verdict.takes == "approve":
        judged = registry.judged_at(run.run_id, slot)
        deadline = _later(judged[0] if judged else now, rules.approval.expires_after_s)
        required = rules.approval.required

    def counts(answer: Answer) -> bool:
        if (answer.decision, answer.binding) != (wanted, Binding.of(verdict)):
            return False
        if wanted == "override":
            return now <= _later(answer.at, rules.override.expires_after_s)
        return deadline is None or answer.at <= deadline

    answers = registry.answers(run.run_id, slot) if wanted is not None else ()
    counted = [answer for answer in answers if counts(answer)]
    people = distinct(answer.actor for answer in counted)
    ends = [_later(one.at, rules.override.expires_after_s) for one in counted]
    return Acceptance(
        wanted=wanted,
        required=max(1, required),
        given=tuple(actor for actor in people if not is_among(actor, excluded)),
        excluded=excluded,
        deadline=deadline,
        expired=deadline is not None and now > deadline,
        given_until=min(ends, default=None) if wanted == "override" else None,
    )


def locked_checks(verdict: Verdict) -> list[CheckResult]:
    """Return the checks that did not pass and that the gate lets nobody override."""
    return [c for c in verdict.checks if c.decides and c.outcome != "PASS" and not c.overridable]


def _wanted(verdict: Verdict, rules: AcceptanceRules) -> Decision | None:
    if verdict.outcome == "INCONCLUSIVE" and rules.on_inconclusive == "fail":
        return None
    return None if verdict.takes == "override" and locked_checks(verdict) else verdict.takes


def _later(at: str, seconds: int) -> str:
    later = datetime.fromisoformat(at) + timedelta(seconds=seconds)
    return later.isoformat(timespec="microseconds").replace("+00:00", "Z")
