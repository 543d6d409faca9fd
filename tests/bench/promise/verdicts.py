"""Judges tables of pairs by the code that judges real runs, each distinct table once.

A gate sees nothing of pass/fail answers but how many of each pair there are, and at a look, besides, how many cases the looks
before rested on. So 20,000 simulated runs are a few thousand different questions. A test holds the answers against runs
made one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from promise.counts import MARGIN, Counts

from evals.checks.check import Check
from evals.gate.examiner import Evidence
from evals.gate.judge import judge, take_look
from evals.gate.looks import LookEvent, LookHistory
from evals.gate.policy import GatePolicy
from evals.records import Verdict
from evals.selftest.simulated_models import Pair, simulated_evidence

__all__ = ["DROP", "Endings", "at_fixed_n", "evidence_of", "forget", "looking_early"]

DROP = Check(metric="score", kind="max_drop", threshold=MARGIN, field="a")
_SCORES = np.array([0.0, 1.0, np.nan])

Bools = NDArray[np.bool_]
Makes = Callable[[Pair, int | None], Evidence]


@dataclass(frozen=True, slots=True)
class Endings:
    """How simulated runs ended.

    `verdicts` are the different ones; `of` says which of them each run came to,
    and `cases` how many cases each model was asked by then, both of shape (replicates,).
    """

    verdicts: tuple[Verdict, ...]
    of: NDArray[np.int64]
    cases: NDArray[np.int64]

    def where(self, holds: Callable[[Verdict], bool]) -> Bools:
        """Which runs came to a verdict of which something holds, shape (replicates,)."""
        met, places = np.unique(self.of, return_inverse=True)
        return np.array([holds(self.verdicts[one]) for one in met], dtype=np.bool_)[places]

    @property
    def passed(self) -> Bools:
        return self.where(lambda verdict: verdict.outcome == "PASS")

    @property
    def refused(self) -> Bools:
        return self.where(lambda verdict: verdict.outcome == "FAIL")


def evidence_of(
    table: NDArray[np.int64], size: int | None = None, make: Makes = simulated_evidence
) -> Evidence:
    """A table as evidence; with a `size`, the other cases of so large a suite are not asked yet."""
    asked = int(table.sum())
    states = np.repeat(np.arange(9), table)
    ours, theirs = np.full(size or asked, np.nan), np.full(size or asked, np.nan)
    ours[:asked], theirs[:asked] = _SCORES[states // 3], _SCORES[states % 3]
    return make({"ours": {"score": ours}, "theirs": {"score": theirs}}, asked)


def at_fixed_n(policy: GatePolicy, found: Counts, make: Makes = simulated_evidence) -> Endings:
    """Judge samples of fixed size, shape (replicates, 9)."""
    distinct, places = np.unique(found, axis=0, return_inverse=True)
    verdicts = tuple(judge(policy, evidence_of(table, make=make)) for table in distinct)
    return Endings(verdicts, places.ravel(), found.sum(axis=-1))


class _Judged:
    """What one policy said at looks so far: for the looks before and a table, the ending, or what goes on from there.

    `pasts` holds one history for each way that looks counted their cases; the rest of an earlier look, of a check that it
    left open, changes nothing at a later one.
    """

    def __init__(self, policy: GatePolicy, rounds: int, size: int) -> None:
        self.policy, self.rounds, self.size = policy, rounds, size
        self.verdicts: list[Verdict] = []
        self.pasts: list[tuple[LookEvent, ...]] = [()]
        self._numbers: dict[tuple[int, int, bool], int] = {}
        self._found: dict[tuple[int, bytes], tuple[bool, int]] = {}

    def look(self, past: int, table: NDArray[np.int64]) -> tuple[bool, int]:
        """Whether the run ends at this look, and the number of its verdict, or else of its history."""
        key = past, table.tobytes()
        if key not in self._found:
            self._found[key] = self._taken(past, table)
        return self._found[key]

    def _taken(self, past: int, table: NDArray[np.int64]) -> tuple[bool, int]:
        before, evidence = self.pasts[past], evidence_of(table, self.size)
        number = len(before) + 1
        due = LookHistory(look=number, rounds=self.rounds, past=before)
        event = take_look(self.policy, evidence, due)
        if not event.stop:
            return False, self._history(past, event)
        made = LookHistory(look=number, rounds=self.rounds, past=(*before, event))
        self.verdicts.append(judge(self.policy, evidence, made))
        return True, len(self.verdicts) - 1

    def _history(self, past: int, event: LookEvent) -> int:
        (check,) = event.checks
        key = past, check.n, check.counted
        if key not in self._numbers:
            self._numbers[key] = len(self.pasts)
            self.pasts.append((*self.pasts[past], event))
        return self._numbers[key]


_JUDGED: dict[tuple[bytes, int, int], _Judged] = {}


def forget() -> None:
    """Forget all verdicts on looks, which take memory and are of little use to another cell."""
    _JUDGED.clear()


def looking_early(policy: GatePolicy, found: Counts) -> Endings:
    """Judge runs look by look until each is decided; `found` are paths, shape (replicates, looks, 9).

    The policy has one check.
    """
    replicates, rounds, _ = found.shape
    key = msgspec.json.encode(policy), rounds, int(found[0, -1].sum())
    judged = _JUDGED.setdefault(key, _Judged(policy, *key[1:]))
    of, cases, past = (np.zeros(replicates, dtype=np.int64) for _ in range(3))
    going = np.arange(replicates)
    for look in range(rounds):
        if not going.size:
            break
        keys = np.column_stack([past[going], found[going, look]])
        distinct, places = np.unique(keys, axis=0, return_inverse=True)
        answers = [judged.look(int(one[0]), one[1:]) for one in distinct]
        ends = np.array([end for end, _ in answers], dtype=np.bool_)[places.ravel()]
        numbers = np.array([number for _, number in answers], dtype=np.int64)[places.ravel()]
        of[going[ends]], past[going[~ends]] = numbers[ends], numbers[~ends]
        cases[going[ends]] = found[going[ends], look].sum(axis=-1)
        going = going[~ends]
    return Endings(tuple(judged.verdicts), of, cases)
