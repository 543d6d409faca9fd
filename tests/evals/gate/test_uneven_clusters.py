"""Clusters count by what they are worth: one with a third of the cases is no third of the evidence, whatever is judged by whatever method."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.checks.check import Check
from evals.checks.comparison import compare, measure
from evals.checks.kept_comparison import too_few_comparable
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.replay import replay
from evals.metrics.results import LabelColumn, ModelResults
from evals.stats.sequential import plan_looks

GROUPS = 20
EVEN = np.repeat(np.arange(GROUPS), 20)
UNEVEN = np.repeat(np.arange(GROUPS), [120, *[15] * 14, *[14] * 5])
N = UNEVEN.size
REASON = "only 8.6 effective clusters (of 20; the largest holds 30 % of the cases)"
DROP = Check(metric="exact", kind="max_drop", threshold=0.5)
CHECKS = {
    "level": Check(metric="exact", kind="at_least", threshold=0.3),
    "difference": DROP,
    "ratio": msgspec.structs.replace(DROP, percent=True),
    "amount": Check(metric="latency_mean_ms", kind="max_rise", threshold=50.0),
    "ratio of amounts": Check(
        metric="latency_mean_ms", kind="max_rise", threshold=0.9, percent=True
    ),
    "macro-F1": Check(metric="intent.macro_f1", kind="max_drop", threshold=0.5),
}


def model(seed: int, clusters: np.ndarray, name: str = "live-1", lost: int = 0) -> ModelResults:
    rng = np.random.default_rng(seed)
    truth = np.arange(N) % 3
    said = np.where(rng.random(N) < 0.9, truth, (truth + 1) % 3)
    passed = (said == truth).astype(float)
    passed[:lost] = np.nan
    return results_of(
        {"exact": passed, "latency_ms": rng.uniform(50.0, 90.0, N)},
        model=name,
        clusters=clusters,
        labels={
            "intent": LabelColumn(
                labels=("a", "b", "c"), truth=truth[:, None], predicted=said[:, None]
            )
        },
    )


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("lost", [0, 3])
def test_nothing_is_decided_below_ten_clusters_in_effect(kind: str, lost: int) -> None:
    check = CHECKS[kind]

    def found(clusters: np.ndarray) -> Any:
        ours, theirs = model(1, clusters, "new-1", lost), model(2, clusters)
        if check.relative:
            return compare(check, ours, theirs, 0.95)
        return measure(check, ours, None, 0.95)

    assert found(EVEN).blocked is None
    assert REASON in found(UNEVEN).blocked


def test_the_verdict_is_inconclusive_with_that_reason_at_a_fixed_n_and_at_every_look() -> None:
    gate = policy_of(CHECKS["level"], DROP, min_scored=0.99)
    order = np.random.default_rng(3).permutation(N)

    def evidence(asked: int) -> Evidence:
        planned = np.arange(N) < asked
        sides = []
        for seed, name in ((1, "new-1"), (2, "live-1")):
            whole = model(seed, UNEVEN, name)
            sides.append(
                results_of(
                    {"exact": np.where(planned, whole.columns["exact"][order], np.nan)},
                    model=name,
                    clusters=UNEVEN[order],
                    planned=planned,
                )
            )
        return Evidence(candidate={"triage": sides[0]}, baseline={"triage": sides[1]})

    fixed = judge(gate, evidence(N))
    assert (fixed.outcome, REASON in fixed.reasons[0]) == ("INCONCLUSIVE", True)
    sizes = plan_looks(N).sizes
    early, look = replay(gate, lambda number: evidence(sizes[number - 1]), len(sizes))
    assert (early.outcome, look) == ("INCONCLUSIVE", len(sizes))
    assert {one.outcome for one in early.checks} == {"INCONCLUSIVE"}


def test_a_look_that_is_less_uneven_by_luck_decides_no_earlier() -> None:
    ours, theirs = model(1, UNEVEN, "new-1"), model(2, UNEVEN)
    lucky = np.concatenate([np.flatnonzero(group == UNEVEN)[:14] for group in range(GROUPS)])
    planned = np.isin(np.arange(N), lucky)
    sides = [
        results_of(
            {"exact": np.where(planned, one.columns["exact"], np.nan)},
            clusters=UNEVEN,
            planned=planned,
        )
        for one in (ours, theirs)
    ]
    found = compare(DROP, *sides, 0.95)
    assert found.n == 14 * GROUPS
    assert found.blocked is not None
    assert REASON in found.blocked


def test_kept_answers_are_compared_only_on_clusters_that_are_enough_in_effect() -> None:
    assert too_few_comparable(DROP, model(1, EVEN), 0.95) is None
    reason = too_few_comparable(DROP, model(1, UNEVEN), 0.95)
    assert reason is not None
    assert f"{REASON} are the same" in reason
    assert "at least 10 clusters are needed" in reason
