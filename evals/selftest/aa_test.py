"""A/A: the same model as candidate and as baseline, from the repeats of its own stored answers.

Nothing is different, so every FAIL is a false one, and every case whose score changes between two repeats shows how
noisy the model (or its judge) is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import permutations

import msgspec
import numpy as np
from numpy.typing import NDArray

from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.policy import GatePolicy
from evals.gate.validation import measured_by
from evals.metrics.results import ModelResults
from evals.metrics.tabulation import tabulate_repeats
from evals.records import Record, Response, Score
from evals.suites.opened import OpenedSuite

Floats = NDArray[np.float64]

__all__ = ["SameModel", "same_model"]


class SameModel(Record, frozen=True, kw_only=True):
    """What a gate says of a model against itself.

    `verdicts` counts ordered pairs of repeats by outcome; `false_fails` counts relative checks that FAILed, out of
    `checks`; `flips` maps a column of scores to the share of (case, pair) whose score differs, `noise` to the standard
    deviation of that difference.
    """

    model_id: str
    repeats: int
    pairs: int
    verdicts: dict[str, int]
    checks: int
    false_fails: int
    flips: dict[str, float]
    noise: dict[str, float]


def same_model(
    policy: GatePolicy,
    answers: Sequence[tuple[OpenedSuite, Iterable[Response], Iterable[Score]]],
    *,
    model_id: str,
) -> SameModel:
    """Judge every ordered pair of repeats of one model's stored answers.

    Args:
        policy: the gate; its absolute checks say what they say of any model and are left out.
        answers: for each suite its responses and scores. What was asked once has nothing to be compared with, so a suite
            without a second repeat is left out with every check that needs it; of the others as many repeats are
            judged as all of them have.
        model_id: the model.

    Raises:
        ValueError: no suite has two repeats, or the gate compares nothing of those that have.
    """
    suites = [opened for opened, _, _ in answers]
    by_repeat = _by_repeat(answers, model_id)
    repeated = {name for found in by_repeat for name in found}
    checks = (
        check
        for check in policy.checks
        if check.relative
        and check.against == "baseline"
        and {opened.suite.name for opened in measured_by(check, suites)} <= repeated
    )
    relative = msgspec.structs.replace(policy, checks=tuple(checks))
    if len(by_repeat) < 2 or not relative.checks:
        raise ValueError("expected two repeats of every case, and a gate that compares two models")
    verdicts = [
        judge(relative, Evidence(candidate=candidate, baseline=baseline))
        for candidate, baseline in permutations(by_repeat, 2)
    ]
    measured = [check for verdict in verdicts for check in verdict.checks if check.n > 0]
    differences = _differences(by_repeat)
    return SameModel(
        model_id=model_id,
        repeats=len(by_repeat),
        pairs=len(verdicts),
        verdicts=dict(Counter(verdict.outcome for verdict in verdicts)),
        checks=len(measured),
        false_fails=sum(check.outcome == "FAIL" for check in measured),
        flips={name: float(np.mean(gaps != 0.0)) for name, gaps in differences.items()},
        noise={name: float(np.std(gaps)) for name, gaps in differences.items()},
    )


def _by_repeat(
    answers: Sequence[tuple[OpenedSuite, Iterable[Response], Iterable[Score]]], model_id: str
) -> list[dict[str, ModelResults]]:
    """One set of results for each repeat that all suites with two or more have, as if it were all that had been asked."""
    by_suite: dict[str, list[ModelResults]] = {}
    for opened, responses, scores in answers:
        found = tabulate_repeats(opened, responses, scores, model_id=model_id)
        if len(found) > 1:
            by_suite[opened.suite.name] = found
    common = min((len(found) for found in by_suite.values()), default=0)
    return [{name: found[index] for name, found in by_suite.items()} for index in range(common)]


def _differences(by_repeat: Sequence[dict[str, ModelResults]]) -> dict[str, Floats]:
    found: dict[str, list[Floats]] = {}
    for candidate, baseline in permutations(by_repeat, 2):
        for suite, results in candidate.items():
            for name in results.grader_versions:
                column = name if name in results.columns else f"{name}.accuracy"
                if column in results.columns and suite in baseline:
                    gaps = results.columns[column] - baseline[suite].columns[column]
                    found.setdefault(f"{suite}/{column}", []).append(gaps[np.isfinite(gaps)])
    return {name: np.concatenate(parts) for name, parts in found.items() if sum(map(len, parts))}
