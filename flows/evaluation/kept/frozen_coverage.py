"""Of several frozen baselines of one model, the one that covers most of what is asked today: what came later may cover less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.evaluation.kept_results import AskedSuite, unchanged, why_incomparable
from evals.report.numbers import counted
from flows.evaluation.kept.frozen import open_frozen
from flows.registry.frozen import FrozenOnRecord
from flows.settings import Settings

__all__ = ["Coverage", "as_frozen", "coverage"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of today's suites a frozen baseline covers: in how many of them any case, and how many cases of all `asked`."""

    found: FrozenOnRecord
    suites: int
    cases: int
    asked: int

    @property
    def words(self) -> str:
        """It, for people."""
        one = self.found.baseline
        doubt = ", unverified" if one.unverified else ""
        return (
            f"{one.mark} (covers {self.cases:,} of {counted(self.asked, 'case')}, asked"
            f" {counted(one.repeats, 'time')} a case on {one.frozen_at[:10]}{doubt})"
        )


def coverage(
    settings: Settings, frozen: Sequence[FrozenOnRecord], asked: Sequence[AskedSuite]
) -> list[Coverage]:
    """Return what each of them covers, the best first: most suites, most cases, verified, most repeats, newest.

    `frozen` are the oldest first. A case counts when it is as it was and is asked in the same way, no more often.

    Raises KeptAnswersError when one of them is missing or was altered, since nobody knows then what it covers: one that
    covers less must not take its place unseen.
    """
    found = [_coverage(settings, one, asked) for one in reversed(frozen)]
    return sorted(found, key=_rank, reverse=True)  # stable: the newest of equals first


def as_frozen(one: AskedSuite, api: str | None) -> AskedSuite:
    """Return a suite as asked through the API that it was frozen with: which one makes no difference to what is not asked."""
    others = {key: value for key, value in one.asked_with.items() if key != "api"}
    return replace(one, asked_with=others if api is None else {**others, "api": api})


def _rank(one: Coverage) -> tuple[int, int, bool, int]:
    of = one.found.baseline
    return one.suites, one.cases, not of.unverified, of.repeats


def _coverage(settings: Settings, found: FrozenOnRecord, asked: Sequence[AskedSuite]) -> Coverage:
    kept = open_frozen(settings, found.baseline)
    counts = []
    for one in asked:
        then = kept.record.suite(one.opened.suite.name)
        same = then is not None and not why_incomparable(
            then, as_frozen(one, then.asked_with.get("api"))
        )
        counts.append(int(np.count_nonzero(unchanged(kept, one))) if same else 0)
    total = sum(len(one.opened.suite.cases) for one in asked)
    return Coverage(found, sum(count > 0 for count in counts), sum(counts), total)
