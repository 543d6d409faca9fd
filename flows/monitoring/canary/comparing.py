"""One look at chosen cases: each is asked once, and those that answer otherwise twice more.

A look is compared with the answers by which the cases were chosen, and with none since: else a model that changes slowly would
become its own reference, hour by hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from evals.evaluation.kept_answers import case_digest
from evals.stats.steady_answers import LOOKS_A_YEAR, p_of_differing
from evals.suites.opened import OpenedSuite
from flows.monitoring.canary.live_model import Answer, AskedCase, Key, LiveModel
from flows.monitoring.canary.trigger import AGAIN, chance
from flows.registry.canaries import CanaryCase, CanaryState

__all__ = ["Compared", "compare", "still_there"]

_LEAST_ANSWERED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the answers of a look say: of `answered` cases `differing` answered otherwise each time they were asked; `unconfirmed` more did
    so until an answer was lost.

    `p` is the p-value of that, and `enough` says whether enough cases answered to decide.
    """

    answered: int
    differing: int
    p: float
    p_unconfirmed: float
    unconfirmed: int
    latency: float | None
    marks: frozenset[str]
    enough: bool

    @property
    def changed(self) -> bool:
        """Whether so many answer otherwise that an unchanged model does so in one of `LOOKS_A_YEAR` looks at most."""
        return self.enough and self.p <= 1.0 / LOOKS_A_YEAR

    @property
    def doubtful(self) -> bool:
        """Whether this would be a change if the answers that were lost had been as those before them."""
        return not self.changed and self.p_unconfirmed <= 1.0 / LOOKS_A_YEAR


async def compare(live: LiveModel, state: CanaryState, asked: Mapping[Key, AskedCase]) -> Compared:
    """Ask the cases of a canary and compare their answers with the recorded ones.

    Raises SamplingError when the endpoint can't be asked at all.
    """
    cases = [one for one in state.cases if _key(one) in asked]
    first = await live.ask([asked[_key(one)] for one in cases])
    here = [one for one in cases if _key(one) in first]
    otherwise = [one for one in here if not _alike(one, first[_key(one)])]
    differing, unconfirmed = await _asked_again(live, otherwise, asked)
    likely = chance(state.cases)
    marks = frozenset(mark for answer in first.values() for mark in answer.marks)
    return Compared(
        answered=len(here),
        differing=len(differing),
        unconfirmed=unconfirmed,
        p=p_of_differing(len(differing), state.passed_over, likely),
        p_unconfirmed=p_of_differing(len(differing) + unconfirmed, state.passed_over, likely),
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


async def _asked_again(
    live: LiveModel, otherwise: list[CanaryCase], asked: Mapping[Key, AskedCase]
) -> tuple[list[CanaryCase], int]:
    """Those of the cases that answer otherwise every time they are asked in this look, and how many lost an answer on the way."""
    left, lost = otherwise, 0
    for _ in range(AGAIN - 1):
        if not left or live.spent.stopped:
            break
        answers = await live.ask([asked[_key(one)] for one in left])
        came = [one for one in left if _key(one) in answers]
        lost += len(left) - len(came)
        left = [one for one in came if not _alike(one, answers[_key(one)])]
    return ([], len(left) + lost) if live.spent.stopped else (left, lost)


def _alike(one: CanaryCase, answer: Answer) -> bool:
    return answer.forms.by(one.by) == one.answer


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
