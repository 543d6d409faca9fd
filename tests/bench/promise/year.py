"""A whole year of one target: twenty candidates, a few of them tried again, one edited gate, a sweep, and lost answers.

Every model is worse than what is live then by exactly the margin, and the losing cases of each lose their answers, as many as
the shipped gate allows. So every promotion that no person approved is a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray
from promise.cells import Cell, Setting
from promise.counts import MARGIN, Counts, lose, paths
from promise.rows import Row, share
from promise.sweeps import one_chosen
from promise.tries import counted, promoted_alone, widened_count
from promise.verdicts import DROP, looking_early

from evals.gate.policy import GatePolicy
from evals.gate.tries.family import Family
from evals.records import TryCount
from evals.stats.sequential import plan_looks

__all__ = ["CELLS"]

YEAR = "a year: 20 candidates at the margin, two tried again, one gate widened, a sweep of five, 1 % of answers lost"
TEN = "ten candidates at the margin: at least one is promoted without a person"
N, LOST, CANDIDATES, FIELD = 1142, 0.01, 20, 5
DECISIONS = CANDIDATES + 1

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Year:
    """What is drawn for a year, and judged by one gate after the other; paths of shape (replicates, looks, 9) each."""

    candidates: tuple[Counts, ...]
    again: tuple[Counts, ...]
    chosen: Counts
    field: tuple[Counts, ...]


def _drawn(rng: np.random.Generator, replicates: int) -> _Year:
    sizes = plan_looks(N).sizes

    def one() -> Counts:
        return lose(paths(rng, replicates, sizes, -MARGIN), np.asarray(sizes), LOST)

    by_hand, chosen, rest = one_chosen(rng, replicates, FIELD, alike=0.0)
    return _Year(
        tuple(one() for _ in range(CANDIDATES)),
        tuple(one() for _ in range(3)),
        lose(chosen, np.asarray(rest), LOST),
        tuple(lose(by_hand[:, place], np.asarray(sizes), LOST) for place in range(FIELD)),
    )


def _alone(gate: GatePolicy, path: Counts, count: TryCount) -> Bools:
    return looking_early(gate, path).where(lambda verdict: promoted_alone(verdict, count))


def _now(gate: GatePolicy, wide: GatePolicy, year: _Year) -> list[Bools]:
    """Which decisions of the year promote without a person, one array a decision."""
    found = [_alone(gate, path, counted(1)) for path in year.candidates]
    for place in (0, 1):
        found[place] |= _alone(gate, year.again[place], counted(2))
    found[2] |= _alone(wide, year.again[2], widened_count())
    return [*found, _alone(gate, year.chosen, counted(1))]


def _before(gate: GatePolicy, wide: GatePolicy, year: _Year) -> list[Bools]:
    """The same where tries are not counted, missing answers are left out, and the field is tried one after the other."""
    found = [looking_early(gate, path).passed for path in year.candidates]
    for place in (0, 1):
        found[place] |= looking_early(gate, year.again[place]).passed
    found[2] |= looking_early(wide, year.again[2]).passed
    tried = [looking_early(gate, path).passed for path in year.field]
    return [*found, np.any(tried, axis=0)]


def _rates(rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    year, loose = _drawn(rng, setting.binary), msgspec.structs.replace(DROP, threshold=2 * MARGIN)
    now = _now(setting.gate(DROP), setting.gate(loose), year)
    random = {"missing": "at_random"}
    before = _before(setting.gate(DROP, **random), setting.gate(loose, **random), year)
    yield share(
        YEAR,
        f"wrong promotions, per candidate ({DECISIONS} of them)",
        np.concatenate(now),
        before=np.concatenate(before),
        bound=0.055,
    )
    yield Row(
        group=YEAR,
        name="wrong promotions in a year, expected",
        now=float(np.sum(now)) / setting.binary,
        before=float(np.sum(before)) / setting.binary,
        bound=0.055 * DECISIONS,
        replicates=setting.binary,
    )
    together = Family(candidates=DECISIONS, confidence=setting.confidence)
    strict = _now(setting.gate(DROP, family=together), setting.gate(loose, family=together), year)
    yield share(
        YEAR,
        f"at least one, where the gate's family is {DECISIONS}",
        np.any(strict, axis=0),
        before=np.any(before, axis=0),
        bound=0.055,
    )


def _family(count: int, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    sizes = plan_looks(N).sizes
    gate = setting.gate(DROP, family=Family(candidates=count, confidence=setting.confidence))
    alone, plain = [], []
    for number in range(1, count + 2):  # one more than the family is made for
        path = paths(rng, setting.binary, sizes, -MARGIN)
        of_family = msgspec.structs.replace(counted(1), candidates=number, allowed=count)
        alone.append(_alone(gate, path, of_family))
        plain.append(looking_early(setting.gate(DROP), path).passed)
    yield share(
        TEN,
        f"a gate with a family of {count}, and {count + 1} candidates",
        np.any(alone, axis=0),
        before=np.any(plain, axis=0),
        bound=0.055,
    )


CELLS = [
    Cell(name="year family", rows=partial(_family, 10)),
    Cell(name="year", rows=_rates),
]
