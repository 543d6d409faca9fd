"""What moved since the recorded answers, whether or not the model is worse: its deployment, its answers, its scores.

System fingerprint and model name are what the service says, and need no test. Answers do: at temperature 0 a model still
answers some cases now so and now otherwise. Each case's answer is held against two earlier ones (`evals.stats.odd_one_out`), once as
text and once by its scores, one vote for a cluster of cases, so that an unchanged model is ever called changed with a chance of at
most 1 - confidence. That takes clusters that are independent within a pass: see there for what no such test can tell.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

import numpy as np

from evals.evaluation.kept_answers import deployment_marks
from evals.evaluation.kept_results import deployments_changed
from evals.metrics.results import ModelResults
from evals.sampling.journal.journal import Journal
from evals.stats.odd_one_out import OddOnes, Triple, level_of_look, odd_ones
from flows.evaluation.kept.keep import open_reference, own_names
from flows.evaluation.looks import due_look, evidence_at, results_at
from flows.evaluation.open_run import OpenRun
from flows.monitoring.earlier_draw import EarlierDraw, answers_in, texts_of
from flows.registry.kept_answers import KeptReference

__all__ = ["marks_today", "what_changed"]

_DECIMALS = 9
_CONDITION = "a service that answers whole passes from different back ends looks the same"


def what_changed(
    run: OpenRun, reference: KeptReference, draw: EarlierDraw | None, look: int
) -> tuple[str, ...]:
    """Return what moved, one sentence each; `look` is the number of this run among those held against the reference.

    Raises KeptAnswersError when the recorded answers are damaged.
    """
    found = [_deployment(run, reference)]
    if draw is not None:
        found += [_moved(run, reference, draw, level_of_look(look, 1.0 - run.policy.confidence))]
    return tuple(filter(None, found))


def _deployment(run: OpenRun, reference: KeptReference) -> str:
    suites = open_reference(run.settings, reference).record.suites
    told = deployments_changed(
        [mark for one in suites for mark in one.deployments], sorted(marks_today(run))
    )
    return f"the deployment is another one: {told}" if told else ""


def marks_today(run: OpenRun) -> frozenset[str]:
    """Return what a run's answers tell of the deployments that gave them: system fingerprints, and model names of their own."""
    pointer = run.registry.find(run.target.name, run.record.candidate_model)
    names = own_names(run, pointer) if pointer is not None else frozenset()
    now: set[str] = set()
    with Journal.open(run.folder / "journal", read_only=True) as journal:
        for opened in run.plan.suites:
            for entry in journal.entries("candidate", opened.suite.name):
                now.update(deployment_marks(entry, names))
    return frozenset(now)


def _moved(run: OpenRun, reference: KeptReference, draw: EarlierDraw, level: float) -> str:
    """Say that more answers are otherwise than chance makes them; half of the level is for texts, half for scores."""
    evidence = evidence_at(run, results_at(run, due_look(run)[0]))
    recorded = evidence.baseline or {}
    texts = _odd(_texts(run, reference, draw, recorded))
    if texts.p <= level / 2:
        return _said("answers", "answer", texts)
    scores = _odd(_scores(recorded, draw.results, evidence.candidate))
    return _said("scores", "score", scores) if scores.p <= level / 2 else ""


def _odd(found: Iterator[tuple[Hashable, Triple]]) -> OddOnes:
    pairs = list(found)
    return odd_ones([triple for _, triple in pairs], [cluster for cluster, _ in pairs])


def _said(what: str, one: str, found: OddOnes) -> str:
    unit = "clusters of cases" if found.clustered else "cases"
    differs = f"most of today's {what} differ" if found.clustered else f"today's {one} differs"
    return (
        f"the {what} changed: in {found.odd} of {found.telling} telling {unit} {differs} from both earlier ones"
        f" ({found.expected:.0f} expected by chance, p = {found.p:.2g}); {_CONDITION}"
    )


def _cluster(results: ModelResults, row: int) -> Hashable:
    """What moves together with a case: its cluster, or the case alone."""
    if results.clusters is None:
        return results.suite, "case", row
    return results.suite, "cluster", int(results.clusters[row])


def _texts(
    run: OpenRun,
    reference: KeptReference,
    draw: EarlierDraw,
    recorded: Mapping[str, ModelResults],
) -> Iterator[tuple[Hashable, Triple]]:
    """The answers to the cases that did not change: recorded, second draw, today's."""
    opened = open_reference(run.settings, reference)
    for suite, results in recorded.items():
        then = texts_of(line.response for line in opened.lines(suite))
        again, now = draw.answers(suite), answers_in(run, suite)
        for row in np.flatnonzero(results.planned):
            case = results.case_ids[int(row)]
            if case in then and case in again and case in now:
                yield _cluster(results, int(row)), (then[case], again[case], now[case])


def _scores(
    recorded: Mapping[str, ModelResults],
    again: Mapping[str, ModelResults],
    now: Mapping[str, ModelResults],
) -> Iterator[tuple[Hashable, Triple]]:
    """The same by all graders' scores of a case, rounded to what repeats of one score share."""
    for suite in recorded.keys() & again.keys() & now.keys():
        three = (recorded[suite], again[suite], now[suite])
        graded = [
            name for name in three[0].grader_versions if all(name in one.columns for one in three)
        ]
        if not graded:
            continue
        table = [
            np.round(np.column_stack([one.columns[name] for name in graded]), _DECIMALS)
            for one in three
        ]
        there = three[0].planned & np.isfinite(np.hstack(table)).all(axis=1)
        for row in np.flatnonzero(there):
            first, second, third = (tuple(one[row].tolist()) for one in table)
            yield _cluster(three[0], int(row)), (first, second, third)
