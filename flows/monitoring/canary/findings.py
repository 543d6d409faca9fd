"""From answers to the record: alike, changed, or undecided; every transition of a canary is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from evals.records import LivePointer, digest
from evals.stats.steady_answers import CHOICES_PER_FALSE_TRIGGER
from flows.config.target import CanaryPlan
from flows.evaluation.open_run import TargetPlan
from flows.monitoring.canary import change
from flows.monitoring.canary.choosing import Chosen, asking
from flows.monitoring.canary.comparing import Compared
from flows.monitoring.canary.live_model import Spending
from flows.monitoring.canary.marks import counted_steady, new_marks, with_marks
from flows.monitoring.canary.words import (
    BUDGET_RAN_OUT,
    said_alike,
    said_changed,
    said_chosen,
    said_doubtful,
    said_few,
    said_other,
    said_stopped,
)
from flows.monitoring.drift_watch import at_work
from flows.registry.canaries import CanaryChange, CanaryLook, CanaryState, LookOutcome
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = [
    "Here",
    "after_choosing",
    "after_comparing",
    "changing_now",
    "chosen_lately",
    "noted",
    "settle",
    "unasked",
]

_CHOOSES_EVERY = timedelta(days=1)
_NOTHING = Spending()


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The target that is looked at, and what is live for it."""

    settings: Settings
    registry: Registry
    plan: TargetPlan
    live: LivePointer

    @property
    def limits(self) -> CanaryPlan:
        """What the target file says, or the defaults where a person asks for a look at a target without a canary."""
        return self.plan.target.canary or CanaryPlan()

    @property
    def folder(self) -> Path:
        """Where the answers of a look lie until it is on record."""
        return self.settings.home / "canary" / self.plan.target.name


def settle(at: Here, state: CanaryState, *, anew: bool, actor: str) -> CanaryState:
    """Apply the outcome of regression runs and the request of a person: whether a change is over, and cases are chosen again."""
    state = change.settled(at.registry, state)
    found = state.change
    if anew:
        because = f"{actor} asked for it"
        fresh = replace(_without_cases(state), own_answers=True, because=because, steady_marks={})
        fresh = replace(fresh, passed_over=0, looked_over=0, measured_by="")
        reason = f"{actor} compares with today's answers from now on"
    elif found is not None and change.is_over(found):
        says = f"regression run {found.run_id}: {found.regressed}"
        fresh, reason = _over(state, found, says), f"the change is over ({says})"
    else:
        return state
    if found is not None:
        at.registry.keep_canary(fresh, event="canary_over", reason=reason, actor=actor)
    return fresh


def _over(state: CanaryState, found: CanaryChange, says: str) -> CanaryState:
    """Where marks alone changed, the cases stay: the answers they are compared with are older than the change, and still valid."""
    if state.cases and not found.answers:
        return replace(counted_steady(state, found.marks), change=None)
    because = f"the change of {found.at[:16].replace('T', ' ')} UTC is over ({says})"
    return replace(_without_cases(state), measured_by=found.run_id, because=because)


def _without_cases(state: CanaryState) -> CanaryState:
    return replace(state, change=None, cases=(), chosen_at="")


def changing_now(at: Here) -> str:
    """Say that Gatewright itself is changing what answers, or has just changed it; empty when it is not."""
    if at_work(at.settings, at.registry, at.plan.target.name):
        return "a promotion or a rollback is just changing what answers"
    live = at.registry.live(at.plan.target.name)
    if live is None or live.generation != at.live.generation:
        return "something else was made live during the look"
    return ""


def chosen_lately(at: Here, state: CanaryState) -> bool:
    """Whether cases were looked for within a day, and none was found."""
    if not state.chosen_at or state.cases:
        return False
    ago = datetime.fromisoformat(at.registry.now()) - datetime.fromisoformat(state.chosen_at)
    return ago < _CHOOSES_EVERY


def after_choosing(
    at: Here, state: CanaryState, chosen: Chosen, spent: Spending, because: str
) -> CanaryState:
    """Put chosen cases on record, or a change where the answers are not those that were kept, or vary as they did not."""
    if spent.stopped:
        return noted(at, state, "skipped", BUDGET_RAN_OUT, spent)
    if not chosen.answered:
        return unasked(at, state, "no case was answered each time it was asked", spent)
    if chosen.answered < chosen.asked / 2:
        return unasked(at, state, said_few(chosen.answered, chosen.asked), spent)
    strange = [
        one
        for one in new_marks(state, chosen.marks - chosen.kept_marks)
        if one.startswith("model ") and not chosen.own_answers
    ]
    turned = chosen.p is not None and chosen.p <= 1.0 / CHOICES_PER_FALSE_TRIGGER
    restless = chosen.p_restless <= 1.0 / CHOICES_PER_FALSE_TRIGGER
    state = replace(
        with_marks(state, chosen.marks),
        asking=asking(at.plan, at.limits.cases),
        passed_over=chosen.passed_over,
        looked_over=chosen.looked_over,
        because="",
        unasked=0,
        unasked_since="",
    )
    if turned or restless or strange:
        said = said_other(chosen, strange, turned=turned, restless=restless)
        look = CanaryLook(
            at="", outcome="changed", said=said, answered=chosen.answered, differing=chosen.turned, p=chosen.p
        )  # fmt: skip
        return _changed(at, state, look, spent, turned or restless, strange)
    said = said_chosen(chosen, because)
    state = replace(
        state,
        chosen_at=at.registry.now(),
        own_answers=chosen.own_answers,
        measured_by=chosen.measured_by,
        cases=chosen.cases,
    )
    facts = {"cases": len(chosen.cases)}
    at.registry.keep_canary(state, event="canary_chosen", reason=said, data=facts)
    return noted(at, state, "chosen", said, spent, answered=chosen.answered)


def after_comparing(
    at: Here, state: CanaryState, compared: Compared, spent: Spending
) -> CanaryState:
    """Put on record what the answers of chosen cases say."""
    if spent.stopped:
        return noted(at, state, "skipped", said_stopped(compared), spent)
    if not compared.enough:
        return unasked(at, state, said_few(compared.answered, len(state.cases)), spent)
    new = new_marks(state, compared.marks)
    state = with_marks(state, compared.marks)
    if compared.doubtful and not new and (state.change is None or not state.change.answers):
        look = _compared(compared, "unasked", said_doubtful(compared))
        return _looked(at, _without_answers(at, state), look, spent)
    state = replace(
        state,
        compared_at=at.registry.now(),
        unasked=0,
        unasked_since="",
    )
    look = _compared(compared, "alike", said_alike(compared))
    known = state.change
    news = bool(new) or (compared.changed and known is not None and not known.answers)
    if known is not None and not (news and known.regressed):
        return _still(at, state, known, look, spent)
    if compared.changed or new:
        differing = compared.differing if compared.changed else 0
        said = said_changed(differing, compared.answered, new)
        return _changed(at, state, replace(look, said=said), spent, compared.changed, new)
    return _looked(at, state, look, spent)


def noted(
    at: Here,
    state: CanaryState,
    outcome: LookOutcome,
    said: str,
    spent: Spending = _NOTHING,
    *,
    answered: int = 0,
) -> CanaryState:
    """Return the canary after a look with this outcome."""
    look = CanaryLook(at="", outcome=outcome, said=said, answered=answered)
    return _looked(at, state, look, spent)


def unasked(at: Here, state: CanaryState, why: str, spent: Spending) -> CanaryState:
    """Return the canary after a look that brought too few answers: that is no change, whoever is to blame."""
    return noted(at, _without_answers(at, state), "unasked", why, spent)


def _without_answers(at: Here, state: CanaryState) -> CanaryState:
    since = state.unasked_since or at.registry.now()
    return replace(state, unasked=state.unasked + 1, unasked_since=since)


def _compared(compared: Compared, outcome: LookOutcome, said: str) -> CanaryLook:
    return CanaryLook(
        at="",
        outcome=outcome,
        said=said,
        answered=compared.answered,
        differing=compared.differing,
        unconfirmed=compared.unconfirmed,
        p=compared.p,
        latency=compared.latency,
    )


def _still(
    at: Here, state: CanaryState, known: CanaryChange, look: CanaryLook, spent: Spending
) -> CanaryState:
    """A change that is not over: its answers may be back by now, once a regression run has looked at it."""
    back = known.answers and not look.differing and not look.unconfirmed
    if not (back and known.regressed):
        said = f"since {known.at[:16].replace('T', ' ')} UTC: {known.said}"
        return _looked(at, state, replace(look, outcome="changed", said=said), spent)
    state = replace(state, change=None)
    reason = f"the answers are as before again; {look.said}"
    at.registry.keep_canary(state, event="canary_over", reason=reason)
    return _looked(at, state, replace(look, said=reason), spent)


def _changed(
    at: Here,
    state: CanaryState,
    look: CanaryLook,
    spent: Spending,
    answers: bool,
    marks: Sequence[str],
) -> CanaryState:
    """Put a change on record before anything follows from it."""
    now = at.registry.now()
    found = CanaryChange(
        at=now,
        said=look.said,
        answers=answers,
        marks=tuple(marks),
        key=f"canary:{state.target}:{digest([state.generation, now, look.said])[7:19]}",
    )
    state = _looked(
        at, replace(state, change=found), replace(look, at=now, outcome="changed"), spent
    )
    at.registry.keep_canary(
        state, event="canary_changed", reason=look.said, data={"marks": list(marks)}
    )
    return state


def _looked(at: Here, state: CanaryState, look: CanaryLook, spent: Spending) -> CanaryState:
    made = replace(
        look, at=look.at or at.registry.now(), calls=spent.calls, cost_usd=spent.cost_usd
    )
    return replace(state, last=made, looks=state.looks + 1)
