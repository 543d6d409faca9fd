"""A/A over months: the live model against itself, from the passes over its suites that regression runs make anyway.

Each regression run leaves the pairs that it completed in its folder; what they show together is derived from these, and no
questions are asked for it. A lost folder only lowers the number of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from evals.records import LivePointer, Record
from evals.stats.symmetric import symmetric_mean
from flows.files import read_record
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = [
    "CONFIDENCE",
    "ENOUGH_PAIRS",
    "AgainstItself",
    "PairOnRecord",
    "RunPairs",
    "against_itself",
    "pairs_file",
    "runs_of_model",
]

CONFIDENCE = 0.95
ENOUGH_PAIRS = 20
"""Pairs of passes below which nothing is claimed: a dozen tells nothing about symmetric differences of any size."""
_USUAL_VARIANCE = 0.1
"""Of the difference of two answers to a case, where a tenth of the cases changes; it only says where the interval is best."""


class PairOnRecord(Record, frozen=True, kw_only=True):
    """One pair of passes: of one run (`within`), or of this run and an earlier one (`between`)."""

    kind: Literal["within", "between"]
    suite: str
    column: str
    cases: int
    difference: float


class RunPairs(Record, frozen=True, kw_only=True):
    """The pairs that a regression run completed. `partner` is the earlier run whose pass it was paired with; `alone` says that
    its own pass waits for the next run."""

    pairs: tuple[PairOnRecord, ...] = ()
    partner: str = ""
    alone: bool = False


class AgainstItself(Record, frozen=True, kw_only=True):
    """What the pairs of the live model show together in one column of a suite.

    `difference` is the mean of later minus earlier passes, with an interval of 95 % that holds however often one looks.
    `enough` says whether there are pairs enough to claim anything; `says` is the claim: `too_few`, `same` (the interval holds
    zero) or `differs` (it does not: the model drifted, or the measuring prefers one of two passes). `enough_on` is the day (UTC) on
    which there are enough at the present pace; None where there are, or two runs are yet to show a pace.
    """

    suite: str
    column: str
    pairs: int
    within_runs: int
    between_runs: int
    answers: int
    difference: float
    lower: float
    upper: float
    confidence: float
    enough: bool
    enough_pairs: int
    says: Literal["too_few", "same", "differs"]
    enough_on: date | None = None


def pairs_file(settings: Settings, run_id: str) -> Path:
    """Return where a run leaves its pairs."""
    return settings.run_folder(run_id) / "against_itself.json"


def runs_of_model(registry: Registry, target: str, model_id: str) -> list[RunRecord]:
    """Return the regression runs of a model, oldest first; those that are settled have left their pairs."""
    found = registry.regressions_of(target, model_id)
    return sorted(found, key=lambda run: (run.created_at, run.run_id))


def against_itself(
    settings: Settings, registry: Registry, live: LivePointer | None
) -> tuple[AgainstItself, ...]:
    """Return what all pairs of the live model show, for each column of each suite; none before the first pair."""
    if live is None:
        return ()
    runs = runs_of_model(registry, live.target, live.model_id)
    columns: dict[tuple[str, str], list[PairOnRecord]] = {}
    ended: dict[tuple[str, str], str] = {}
    for run in runs:
        for pair in _pairs(settings, run.run_id):
            columns.setdefault((pair.suite, pair.column), []).append(pair)
            ended[(pair.suite, pair.column)] = run.created_at
    return tuple(
        _together(pairs, _enough_on(len(pairs), runs[0].created_at, ended[key]))
        for key, pairs in sorted(columns.items())
    )


def _enough_on(pairs: int, began: str, last: str) -> date | None:
    """When there are enough pairs, if they go on coming as they came from the first run to the last pair."""
    newest = datetime.fromisoformat(last)
    took = newest - datetime.fromisoformat(began)
    if pairs >= ENOUGH_PAIRS or not took:
        return None
    try:
        return (newest + took / pairs * (ENOUGH_PAIRS - pairs)).date()
    except OverflowError:
        return None


def _pairs(settings: Settings, run_id: str) -> Iterator[PairOnRecord]:
    found = read_record(pairs_file(settings, run_id), RunPairs)
    yield from found.pairs if found is not None else ()


def _together(pairs: Sequence[PairOnRecord], enough_on: date | None) -> AgainstItself:
    # Known before anything is seen: from the cases of the first pair, for as many pairs as are enough.
    rho = ENOUGH_PAIRS / 2 * _USUAL_VARIANCE / pairs[0].cases
    mean = symmetric_mean([one.difference for one in pairs], rho=rho, confidence=CONFIDENCE)
    enough = len(pairs) >= ENOUGH_PAIRS
    apart = mean.lower > 0.0 or mean.upper < 0.0
    return AgainstItself(
        suite=pairs[0].suite,
        column=pairs[0].column,
        pairs=len(pairs),
        within_runs=sum(one.kind == "within" for one in pairs),
        between_runs=sum(one.kind == "between" for one in pairs),
        answers=sum(2 * one.cases for one in pairs),
        difference=mean.mean,
        lower=mean.lower,
        upper=mean.upper,
        confidence=CONFIDENCE,
        enough=enough,
        enough_pairs=ENOUGH_PAIRS,
        says=("differs" if apart else "same") if enough else "too_few",
        enough_on=enough_on,
    )
