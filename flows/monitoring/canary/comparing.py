"""One look at chosen cases: each is asked once, those that answer otherwise twice more, and all that is held together.

The answers of the last day take no part in what a look is held against: else a model that was changed would, hour by hour,
become what it is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from msgspec.structs import replace

from evals.evaluation.kept_answers import case_digest
from evals.stats.steady_answers import LOOKS_A_YEAR, e_of_case, e_together, fewest_differing
from evals.suites.opened import OpenedSuite
from flows.monitoring.canary.live_model import Answer, AskedCase, Key, LiveModel
from flows.registry.canaries import CanaryCase, CanaryState

__all__ = ["AGAIN", "Compared", "compare", "fewest", "still_there"]

AGAIN = 3
"""How often a case has to answer otherwise within a look to count."""
_DAY = 24
_LEAST_ANSWERED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the answers of a look say. `cases` are the canary's, with this look's answers among those of the last day.

    `differing` are those that answered otherwise each time, `enough` whether so many answered that it says anything.
    """

    cases: tuple[CanaryCase, ...]
    answered: int
    differing: tuple[CanaryCase, ...]
    e: float
    latency: float | None
    marks: frozenset[str]
    enough: bool

    @property
    def changed(self) -> bool:
        """Whether so many answer otherwise that an unchanged model does so once in `LOOKS_A_YEAR` looks at most."""
        return self.enough and self.e >= LOOKS_A_YEAR


async def compare(live: LiveModel, state: CanaryState, asked: Mapping[Key, AskedCase]) -> Compared:
    """Ask the cases of a canary and hold their answers against what is recorded.

    Raises SamplingError when the endpoint can't be asked at all.
    """
    cases = [one for one in state.cases if _key(one) in asked]
    first = await live.ask([asked[_key(one)] for one in cases])
    here = [one for one in cases if _key(one) in first]
    otherwise = [one for one in here if not _alike(one, first[_key(one)])]
    differing = await _asked_again(live, otherwise, asked)
    values = {_key(one): _e(one) for one in differing}
    flags = {_key(one): "1" if one in otherwise else "0" for one in here}
    marks = frozenset(mark for answer in first.values() for mark in answer.marks)
    return Compared(
        cases=tuple(_with(one, flags.get(_key(one), "")) for one in state.cases),
        answered=len(here),
        differing=tuple(differing),
        e=e_together([values.get(_key(one), 0.0) for one in here], state.passed_over),
        latency=_latency(here, first),
        marks=marks,
        enough=len(here) >= max(1.0, _LEAST_ANSWERED * len(state.cases)),
    )


def still_there(state: CanaryState, suites: Sequence[OpenedSuite]) -> dict[Key, AskedCase]:
    """Return the chosen cases that their suites still have unchanged."""
    named = {opened.suite.name: opened for opened in suites}
    found = {}
    for one in state.cases:
        opened = named.get(one.suite)
        row = opened.suite.cases.row(one.case_id) if opened is not None else None
        if opened is not None and row is not None:
            asked = AskedCase(opened=opened, case=opened.suite.cases[row])
            if case_digest(asked.case) == one.case:
                found[_key(one)] = asked
    return found


def fewest(cases: Sequence[CanaryCase], passed_over: int) -> int | None:
    """How many of the cases have to answer otherwise for a look to trigger; None when all of them are not enough."""
    return fewest_differing([_e(one) for one in cases], passed_over, LOOKS_A_YEAR)


async def _asked_again(
    live: LiveModel, otherwise: list[CanaryCase], asked: Mapping[Key, AskedCase]
) -> list[CanaryCase]:
    """Those of the cases that answer otherwise every time they are asked in this look; a lost answer tells nothing."""
    left = otherwise
    for _ in range(AGAIN - 1):
        if not left or live.spent.stopped:
            break
        answers = await live.ask([asked[_key(one)] for one in left])
        left = [one for one in left if _key(one) in answers and not _alike(one, answers[_key(one)])]
    return left if not live.spent.stopped else []


def _e(one: CanaryCase) -> float:
    return e_of_case(one.asked, one.differed, AGAIN)


def _alike(one: CanaryCase, answer: Answer) -> bool:
    return answer.forms.by(one.by) == one.answer


def _with(one: CanaryCase, flag: str) -> CanaryCase:
    """The case with one more answer among those of the last day; the oldest of them joins what is compared with."""
    recent = one.recent + flag
    if len(recent) <= _DAY:
        return replace(one, recent=recent)
    return replace(
        one,
        recent=recent[1:],
        asked=one.asked + 1,
        differed=one.differed + (recent[0] == "1"),
    )


def _latency(cases: Sequence[CanaryCase], answers: Mapping[Key, Answer]) -> float | None:
    """How many times as long the answers took as when the cases were chosen: the median over the cases."""
    ratios = [
        now / one.latency_ms
        for one in cases
        if one.latency_ms and (now := answers[_key(one)].latency_ms) is not None
    ]
    return median(ratios) if ratios else None


def _key(one: CanaryCase) -> Key:
    return one.suite, one.case_id
