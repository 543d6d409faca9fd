"""What is kept of a selection: the field and its rule before anything is asked, each rung after it, and the choice."""

from __future__ import annotations

from evals.records import Candidate, Record
from evals.selection.split import SplitRule

__all__ = ["FieldPlan", "RungResult", "SelectionFacts", "Standing"]


class FieldPlan(Record, frozen=True, kw_only=True):
    """A field of candidates and how one of them will be chosen, on record before the first answer.

    `named` is how each was named, `candidates` what it turned out to be, in the same order. `choosing` and `judging`
    count cases by suite. `check` is the condition whose metric ranks, as its gate words it; `rungs` counts the cases of
    all suites together that have been asked after each rung.
    """

    named: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    rule: SplitRule
    choosing: dict[str, int]
    judging: dict[str, int]
    metric: str
    check: str
    higher_is_better: bool
    rungs: tuple[int, ...]


class Standing(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One candidate after a rung.

    `score` ranks: its metric with missing answers at their worst, None where it could not be measured. `lower` and
    `upper` are one-sided bounds at `confidence` each, of the answers there are. `asked` and `scored` count cases that the
    metric is about. `failed` names the conditions that it clearly breaks; `left` says whether it goes on.
    """

    place: int
    score: float | None
    asked: int
    scored: int
    lower: float | None = None
    upper: float | None = None
    confidence: float = 0.95
    failed: tuple[str, ...] = ()
    left: bool = False


class RungResult(Record, frozen=True, kw_only=True):
    """One rung: how many cases each candidate had been asked by its end, and how all that were asked stand."""

    rung: int
    cases: int
    standings: tuple[Standing, ...]

    @property
    def left(self) -> tuple[int, ...]:
        """Places in the field of those that go on."""
        return tuple(one.place for one in self.standings if one.left)


class SelectionFacts(Record, frozen=True, kw_only=True, omit_defaults=True):
    """All of a selection that a report shows. `chosen` is a place in the field, None while, or because, there is none."""

    selection: str
    plan: FieldPlan
    rungs: tuple[RungResult, ...] = ()
    chosen: int | None = None
    why: str = ""
