"""Who decided what an event tells of: the gate, or people; and who only asked for it.

Promotions and refusals are carried out in the name of whoever requested the run, who is no judge of it. The verdicts and
the answers on record tell who was; every view takes it from here.
"""

from __future__ import annotations

from typing import Literal

from evals.records import Record, Slot
from flows.registry.records import AUTOMATION, Answer, Binding, Event
from flows.registry.store import Registry

__all__ = ["Decided", "consents", "decided_by"]

_SLOTS: tuple[Slot, ...] = ("developer", "production")
_GATE = "the gate"


class Decided(Record, frozen=True, kw_only=True):
    """Who decided something and why: `people`, or the gate where there are none.

    `how` is what people said of a verdict that alone would not have done, "" for the gate and for what a person did on
    their own word. `asked_by` requested the run, where that is not who decided.
    """

    people: tuple[str, ...]
    how: Literal["approved", "overridden", ""] = ""
    reason: str = ""
    asked_by: str = ""

    @property
    def who(self) -> str:
        """Those who decided: "bo", "bo and cy", "the gate"."""
        return " and ".join(self.people) or _GATE

    @property
    def named(self) -> str:
        """The same with how they did and who asked: "approved by bo, requested by ana"."""
        who = f"{self.how} by {self.who}" if self.how else self.who
        return f"{who}, requested by {self.asked_by}" if self.asked_by else who

    @property
    def words(self) -> str:
        """The same as the end of a sentence: "by ana"; "approved by bo, requested by ana"."""
        return self.named if self.how else f"by {self.named}"


def consents(registry: Registry, run_id: str) -> tuple[Answer, ...]:
    """Return the answers by which a run's candidate may go live although its verdicts are no PASS.

    Those to the verdicts as they stand: an answer to an earlier verdict of the run let nothing go live.
    """
    found: list[Answer] = []
    for slot in _SLOTS:
        verdict = registry.verdict(run_id, slot)
        if verdict is None or (wanted := verdict.takes) is None:
            continue
        found += (
            answer
            for answer in registry.answers(run_id, slot)
            if answer.decision == wanted and answer.binding == Binding.of(verdict)
        )
    return tuple(found)


def decided_by(registry: Registry, event: Event) -> Decided:
    """Return who decided what an event tells of."""
    if event.run_id is not None and event.kind in ("promotion", "first_release"):
        return _promoted(registry, event, event.run_id)
    if event.run_id is not None and event.kind == "model_refused":
        return _refused(registry, event, event.run_id)
    actor = AUTOMATION if event.kind in ("restore", "withdrawal") else event.actor
    return Decided(people=(actor,), reason=event.reason)


def _promoted(registry: Registry, event: Event, run_id: str) -> Decided:
    given = consents(registry, run_id)
    people = tuple(dict.fromkeys(answer.actor for answer in given))
    if not given:
        return Decided(people=(), reason=event.reason, asked_by=event.actor)
    reasons = dict.fromkeys(answer.reason for answer in given)
    overridden = any(answer.decision == "override" for answer in given)
    return Decided(
        people=people,
        how="overridden" if overridden else "approved",
        reason="; ".join(reasons),
        asked_by="" if people == (event.actor,) else event.actor,
    )


def _refused(registry: Registry, event: Event, run_id: str) -> Decided:
    rejected = (one for one in registry.answers(run_id) if one.decision == "reject")
    person = next(rejected, None)
    if person is not None:
        return Decided(people=(person.actor,), reason=event.reason)
    return Decided(people=(), reason=event.reason)
