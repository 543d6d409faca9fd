"""Pairs the passes of a regression run: repeats of one run with each other, a single pass with that of an earlier run.

Passes that took part in choosing a model are left out: the answers that won a promotion are a lucky draw, and could not be
swapped with later ones. So are two runs that were answered by different deployments, by their system fingerprints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from evals.errors import GatewrightError
from evals.metrics.results import ModelResults
from evals.metrics.tabulation import tabulate_repeats
from evals.selftest.passes import PassPair, pair_differences
from flows.evaluation.open_run import OpenRun, open_run
from flows.files import read_record, write_record
from flows.monitoring.against_itself import PairOnRecord, RunPairs, pairs_file, runs_of_model
from flows.monitoring.regression_changes import marks_today
from flows.registry.records import RunRecord

__all__ = ["store_pairs"]

_Passes = Mapping[str, list[ModelResults]]
_ASKING = ("sampling", "platform", "options", "production")
"""What of a target has a say in how the live model is asked."""


def store_pairs(run: OpenRun) -> RunPairs:
    """Work out the pairs that a judged regression run completes, and leave them in its folder. Safe to do again."""
    place = pairs_file(run.settings, run.record.run_id)
    known = read_record(place, RunPairs)
    if known is not None:
        return known
    passes = _passes(run)
    repeated = {suite: found for suite, found in passes.items() if len(found) > 1}
    pairs = list(_within(repeated))
    single = {suite: found for suite, found in passes.items() if len(found) == 1}
    waiting = _waiting(run) if single else None
    earlier = _passes_of(run, waiting) if waiting is not None else None
    if earlier is not None:
        pairs += _between(earlier, single)
    found = RunPairs(
        pairs=tuple(pairs),
        partner=waiting.run_id if waiting is not None and earlier is not None else "",
        alone=bool(single) and earlier is None,
    )
    write_record(place, found)
    return found


def _passes(run: OpenRun) -> _Passes:
    """Each suite's passes: every repeat as if it were all that had been asked."""
    if not (run.folder / "journal").exists():
        return {}
    return {
        opened.suite.name: tabulate_repeats(
            opened,
            run.evaluation.responses("candidate", opened.suite.name),
            run.evaluation.scores("candidate", opened),
            model_id=run.record.candidate_model,
        )
        for opened in run.plan.suites
    }


def _passes_of(run: OpenRun, waiting: RunRecord) -> _Passes | None:
    """An earlier run's passes; None, so that it is no partner, where it can't be read any more or other deployments answered it."""
    try:
        with open_run(run.settings, waiting.run_id) as earlier:
            return _passes(earlier) if marks_today(earlier) == marks_today(run) else None
    except GatewrightError:
        return None


def _within(passes: _Passes) -> Iterator[PairOnRecord]:
    """Repeats in twos, the first with the second, the third with the fourth; one that is left over is not compared."""
    for found in passes.values():
        for first, second in zip(found[::2], found[1::2], strict=False):
            for pair in pair_differences(first, second):
                yield _on_record("within", pair)


def _between(earlier: _Passes, later: _Passes) -> Iterator[PairOnRecord]:
    for suite, (second,) in later.items():
        for first in earlier.get(suite, [])[:1]:
            for pair in pair_differences(first, second):
                yield _on_record("between", pair)


def _on_record(kind: Literal["within", "between"], pair: PassPair) -> PairOnRecord:
    return PairOnRecord(
        kind=kind,
        suite=pair.suite,
        column=pair.column,
        cases=pair.cases,
        difference=pair.difference,
    )


def _waiting(run: OpenRun) -> RunRecord | None:
    """The earlier run whose pass waits for a partner, if it was asked in the same way and on the same suites."""
    mine, waiting = run.record, None
    for other in runs_of_model(run.registry, mine.target, mine.candidate_model):
        if (other.created_at, other.run_id) >= (mine.created_at, mine.run_id):
            break
        pairs = read_record(pairs_file(run.settings, other.run_id), RunPairs)
        if pairs is None or other.fingerprints != mine.fingerprints:
            continue
        if waiting is not None and pairs.partner == waiting.run_id:
            waiting = None
        elif pairs.alone:
            waiting = other
    return waiting if waiting is not None and _asked_alike(run, waiting) else None


def _asked_alike(run: OpenRun, other: RunRecord) -> bool:
    now, then = run.registry.judged_by(run.record.run_id), run.registry.judged_by(other.run_id)
    if now is None or then is None or now.target is None or then.target is None:
        return False
    return all(now.target.get(key) == then.target.get(key) for key in _ASKING)
