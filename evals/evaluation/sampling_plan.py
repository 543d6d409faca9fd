"""The sampling plan of a run, as its folder keeps it (`deal.json`): written once, before the first case is asked."""

from __future__ import annotations

from pathlib import Path

import msgspec

from evals.files.versions import read_stored
from evals.records import Record

__all__ = ["SAMPLING_PLAN_FILE", "SamplingPlan", "read_sampling_plan"]

SAMPLING_PLAN_FILE = "deal.json"


class SamplingPlan(Record, frozen=True, kw_only=True):
    """What decides which case a run asks in which round, besides its id and its suites.

    `repeats` says how often each case of a suite is asked, by the suite's name; `looks` is the number of rounds;
    `strata` are the tags whose proportions every round keeps. `left_out` are the cases of each suite, by their ids, that
    the run was never meant to ask, since the candidate was chosen on them.
    """

    repeats: dict[str, int]
    looks: int
    strata: tuple[str, ...]
    left_out: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


def read_sampling_plan(folder: Path) -> SamplingPlan | None:
    """Read the plan of the run in `folder`, None when no case was asked yet."""
    path = folder / SAMPLING_PLAN_FILE
    return read_stored(path, SamplingPlan) if path.is_file() else None
