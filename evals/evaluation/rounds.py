"""Which cases a run asks in which round, and which of them are still needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evals.evaluation.ordering import look_sizes, stratified_order
from evals.gate.looks import RemainingCases
from evals.records import Case, Role
from evals.suites.case_arrays import matching_all
from evals.suites.opened import OpenedSuite

__all__ = ["Rounds"]

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """The cases of some suites, divided into rounds; who comes when depends on the run id alone.

    `repeats` says, by a suite's name, how often each of its cases is asked where that is not what the suite itself says;
    `looks` is how many rounds are planned at most; `strata` are the tags whose proportions every round keeps; `limit`
    is how many cases of a suite are asked at most. `needs` says what is asked in a round (1-based) of which not
    everything is needed any more.
    """

    run_id: str
    suites: tuple[OpenedSuite, ...]
    repeats: Mapping[str, int] = field(default_factory=dict)
    looks: int = 1
    strata: tuple[str, ...] = ()
    limit: int | None = None
    needs: Mapping[int, tuple[RemainingCases, ...]] = field(default_factory=dict)
    _cache: dict[str, Rows] = field(default_factory=dict, repr=False)

    @cached_property
    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        """Cases asked of each suite up to each look, shape (looks,) for every suite."""
        needed = {opened.suite.name: len(self.order(opened)) for opened in self.suites}
        looks = max(len(look_sizes(count, self.looks)) for count in needed.values())
        return {
            name: tuple(-(-count * step // looks) for step in range(1, looks + 1))
            for name, count in needed.items()
        }

    @property
    def rounds(self) -> int:
        """How many rounds there are at most."""
        return len(next(iter(self.sizes.values())))

    def repeats_of(self, opened: OpenedSuite) -> int:
        """How often each case of a suite is asked."""
        return self.repeats.get(opened.suite.name, opened.suite.repeats)

    def order(self, opened: OpenedSuite) -> Rows:
        """Positions of a suite's cases in asking order, cut to `limit`."""
        name = opened.suite.name
        if name not in self._cache:
            tags = [tag for tag in self.strata if tag in opened.suite.tags]
            order = stratified_order(opened.suite.cases, tags, f"{self.run_id}/{name}")
            self._cache[name] = order[: self.limit]
        return self._cache[name]

    def rows(
        self,
        opened: OpenedSuite,
        look: int,
        role: Role = "candidate",
        fair_to: Mapping[str, str] | None = None,
    ) -> Rows:
        """Positions of the cases asked of a role up to and including a look (1-based), in asking order.

        With `fair_to` only as far as all cases with these tags were asked ({}: all cases): what was asked later, of
        the slices that were still needed, is no fair sample any more.
        """
        last = look if fair_to is None else self.fair_look(opened, look, role, fair_to)
        return np.concatenate([self._asked(step, role, opened) for step in range(1, last + 1)])

    def needed_rows(self, opened: OpenedSuite, look: int, role: Role = "candidate") -> Rows:
        """Of the positions asked of a role up to a look, those whose answers are still needed at that look."""
        rows, needed = self.rows(opened, look, role), self._needed(look, role, opened)
        return rows if needed is None else rows[needed[rows]]

    def asked(
        self,
        opened: OpenedSuite,
        look: int,
        role: Role = "candidate",
        fair_to: Mapping[str, str] | None = None,
    ) -> Mask:
        """Which cases these are, as a mask of shape (cases,)."""
        mask = np.zeros(len(opened.suite.cases), dtype=np.bool_)
        mask[self.rows(opened, look, role, fair_to)] = True
        return mask

    def cases(self, opened: OpenedSuite, look: int, role: Role = "candidate") -> Iterator[Case]:
        """The cases asked of a role up to and including a look, in asking order; read as they are needed."""
        return (opened.suite.cases[int(row)] for row in self.rows(opened, look, role))

    def fair_look(
        self, opened: OpenedSuite, look: int, role: Role, where: Mapping[str, str]
    ) -> int:
        """The last look, up to this one, before which every case with these tags was asked of a role."""
        # Which slices were asked on depends on the answers so far. Cases of such a round are a fair sample of these
        # slices and of no wider group, so that a wider group is measured only up to the round before.
        due = matching_all(opened.suite.cases, where)
        for step in range(2, look + 1):
            in_round, needed = self._in_round(step, opened), self._needed(step, role, opened)
            if needed is not None and not needed[in_round[due[in_round]]].all():
                return step - 1
        return look

    def _asked(self, step: int, role: Role, opened: OpenedSuite) -> Rows:
        """What is asked of a role in one round."""
        in_round, needed = self._in_round(step, opened), self._needed(step, role, opened)
        return in_round if needed is None else in_round[needed[in_round]]

    def _in_round(self, step: int, opened: OpenedSuite) -> Rows:
        """The cases of one round, needed or not."""
        sizes = self.sizes[opened.suite.name]
        return self.order(opened)[sizes[step - 2] if step > 1 else 0 : sizes[step - 1]]

    def _needed(self, step: int, role: Role, opened: OpenedSuite) -> Mask | None:
        """The cases of a suite that a role is still to be asked in a round; None for all."""
        if step not in self.needs:
            return None
        needed = np.zeros(len(opened.suite.cases), dtype=np.bool_)
        for need in self.needs[step]:
            if need.role == role and need.suite == opened.suite.name:
                needed |= matching_all(opened.suite.cases, need.where)
        return needed
