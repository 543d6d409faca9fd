"""Scores become columns, columns become metrics; nothing unscored counts as anything."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.results import results_of as results_from_columns

from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError
from evals.graders.base import grade_response
from evals.metrics.estimates import (
    available_metrics,
    confusion,
    estimate,
    metric_kind,
    metric_spec,
    names_of,
    summarise,
)
from evals.metrics.results import INVALID, UNSCORED, LabelColumn, ModelResults, pooled
from evals.metrics.tabulation import tabulate
from evals.records import Price, Response, Score, Usage, encode
from evals.suites.opened import OpenedSuite, open_suite

LABELS = ["bug", "billing", "how_to"]
PRICE = Price(input=2.0, output=8.0, cached_input=1.0)


@pytest.fixture
def opened(tmp_path: Path) -> OpenedSuite:
    return suite_at(tmp_path, 6)


def suite_at(folder: Path, size: int, **more: Any) -> OpenedSuite:
    suite = {
        "version": 1,
        "name": "small",
        "prompt": [{"role": "user", "content": "{{ item.text }}"}],
        "graders": [
            {"name": "intent", "type": "label", "labels": LABELS},
            {"name": "right", "type": "exact"},
        ],
        "tags": ["language"],
        "cluster_by": "customer",
        **more,
    }
    folder.mkdir(exist_ok=True)
    (folder / "suite.yaml").write_text(dump_yaml(suite))
    rows = [
        {
            "id": f"c{n}",
            "item": {"text": f"text {n}"},
            "expected": LABELS[n % 3],
            "tags": {"language": "en" if n % 2 else "de"},
            "customer": f"k{n // 2}",
        }
        for n in range(size)
    ]
    (folder / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return open_suite(folder)


def answer(
    number: int, text: str | None = "bug", outcome: Any = "answered", **more: Any
) -> Response:
    usage = Usage(prompt_tokens=100, cached_tokens=40, completion_tokens=10)
    return Response(
        case_id=f"c{number}",
        model_id="m",
        outcome=outcome,
        text=text,
        latency_ms=100.0 + number,
        usage=usage,
        **more,
    )


async def graded(opened: OpenedSuite, responses: Iterable[Response]) -> list[Score]:
    cases = {case.id: case for case in opened.suite.cases}
    return [s for r in responses for s in await grade_response(opened.graders, cases[r.case_id], r)]


async def results_of(opened: OpenedSuite, responses: list[Response], **more: Any) -> ModelResults:
    scores = await graded(opened, responses)
    return tabulate(opened, responses, scores, model_id="m", price=PRICE, **more)


async def test_every_grader_has_its_column(opened) -> None:
    results = await results_of(opened, [answer(n) for n in range(6)])
    assert results.columns["right"].tolist() == [1, 0, 0, 1, 0, 0]
    assert results.columns["intent.accuracy"].tolist() == [1, 0, 0, 1, 0, 0]
    assert results.labels["intent"].truth.tolist() == [[0], [1], [2], [0], [1], [2]]
    assert results.tags["language"].tolist() == ["de", "en"] * 3
    assert results.clusters.tolist() == [0, 0, 1, 1, 2, 2]
    assert results.counts == {"planned": 6, "answered": 6, "scored": 6, "errored": 0}


async def test_infrastructure_leaves_a_gap_and_the_models_fault_does_not(opened) -> None:
    responses = [
        answer(0),
        answer(1, None, "timed_out"),
        answer(2, "bu", "truncated"),
        answer(3, "nonsense"),
    ]
    results = await results_of(opened, responses)
    assert np.array_equal(
        results.columns["right"], [1, np.nan, 0, 0, np.nan, np.nan], equal_nan=True
    )
    assert results.labels["intent"].predicted[:, 0].tolist() == [
        0,
        UNSCORED,
        INVALID,
        INVALID,
        UNSCORED,
        UNSCORED,
    ]
    assert results.counts == {"planned": 6, "answered": 3, "scored": 3, "errored": 1}
    assert results.outcomes == {"answered": 2, "timed_out": 1, "truncated": 1}
    assert estimate(results, "truncation_rate") == pytest.approx(1 / 3)
    assert np.isnan(results.columns["latency_ms"][1])


async def test_cases_that_were_not_asked_are_no_gap_and_leave_no_trace(opened) -> None:
    responses = [answer(n) for n in range(6)]
    asked = np.array([True, True, False, False, False, False])
    early = await results_of(opened, responses[:2], asked=asked)
    resumed = await results_of(opened, responses, asked=asked)
    assert resumed.planned.tolist() == [True, True, False, False, False, False]
    assert resumed.evidence_digest == early.evidence_digest
    assert estimate(resumed, "right") == 0.5
    assert resumed.counts["planned"] == 2


async def test_cost_counts_cached_tokens_at_their_own_price(opened) -> None:
    results = await results_of(opened, [answer(0)])
    assert estimate(results, "cost_usd_per_1k") == pytest.approx(
        1000 * (60 * 2 + 40 * 1 + 10 * 8) / 1e6
    )


async def test_without_a_price_the_cost_is_unknown_and_never_0(opened) -> None:
    results = tabulate(opened, [answer(0)], [], model_id="m", price=None)
    assert estimate(results, "cost_usd_per_1k") is None
    assert estimate(results, "prompt_tokens_mean") == 100


async def test_repeats_are_averaged_within_their_case(opened) -> None:
    responses = [
        answer(0),
        answer(0, "billing", repeat=1),
        answer(0, None, "server_error", repeat=2),
        answer(1, "billing"),
    ]
    results = await results_of(opened, responses)
    assert results.columns["right"][:2].tolist() == [0.5, 1.0]
    assert results.labels["intent"].predicted[:2].tolist() == [
        [0, 1, UNSCORED],
        [1, UNSCORED, UNSCORED],
    ]
    assert results.labels["intent"].truth[:2].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert results.counts["planned"] == 18


async def test_the_digest_of_the_evidence_knows_no_order_and_notices_everything(opened) -> None:
    responses = [answer(n) for n in range(4)]
    scores = await graded(opened, responses)

    def digest(responses: list[Response], scores: list[Score], model: str = "m") -> str:
        return tabulate(opened, responses, scores, model_id=model, price=None).evidence_digest

    first = digest(responses, scores)
    assert digest(responses[::-1], random.Random(1).sample(scores, len(scores))) == first
    others = [
        digest(responses[:3], [s for s in scores if s.case_id != "c3"]),
        digest([msgspec.structs.replace(responses[0], latency_ms=1.0), *responses[1:]], scores),
        digest([msgspec.structs.replace(responses[0], text="x"), *responses[1:]], scores),
        digest(
            responses, [msgspec.structs.replace(scores[1], value=0.5), *scores[:1], *scores[2:]]
        ),
        digest(responses, scores, "other"),
    ]
    assert len({first, *others}) == 6


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([Score(case_id="c9", grader="right", version="1", value=1.0)], "no case 'c9'"),
        (
            [Score(case_id="c0", grader="wrong", version="1", value=1.0)],
            "no grader of the suite yields 'wrong'",
        ),
        ([Score(case_id="c0", grader="right", version="0", value=1.0)], "of version 0"),
        ([Score(case_id="c0", grader="right", version="1", value=1.5)], r"in \[0, 1\]"),
        ([Score(case_id="c0", grader="right", version="1", value=math.nan)], r"in \[0, 1\]"),
        ([Score(case_id="c0", grader="right", version="1", value=1.0)] * 2, "two scores 'right'"),
    ],
)
def test_scores_that_cannot_be_are_refused(scores, said, opened) -> None:
    with pytest.raises(ValueError, match=said):
        tabulate(opened, [], scores, model_id="m", price=None)


def test_two_answers_in_one_place_are_refused(opened) -> None:
    with pytest.raises(ValueError, match="two responses"):
        tabulate(opened, [answer(0), answer(0)], [], model_id="m", price=None)


async def test_every_available_metric_has_a_kind_and_an_estimate(opened) -> None:
    results = await results_of(opened, [answer(n) for n in range(6)])
    assert names_of(results) == available_metrics(opened)
    for name in available_metrics(opened):
        assert metric_kind(name, opened) == metric_spec(name, results)
        assert estimate(results, name) is not None
    summary = summarise("run-1", "candidate", results)
    assert set(summary.metrics) == set(available_metrics(opened))
    encode(summary)


def test_an_unknown_metric_names_the_nearest(opened) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"no metric 'intent\.macrof1' \(did you mean 'intent\.macro_f1'\?\)",
    ):
        metric_kind("intent.macrof1", opened)


def test_raw_columns_are_no_metrics(opened) -> None:
    for name in ("latency_ms", "cost_usd", "refused", "intent"):
        with pytest.raises(ConfigurationError):
            metric_kind(name, opened)


def test_kinds_say_how_a_metric_is_judged(opened) -> None:
    recall = metric_kind("intent.recall", opened)
    assert (recall.family, recall.column, recall.statistic, recall.bounded) == (
        "label",
        "intent",
        "macro_recall",
        True,
    )
    assert metric_kind("intent.mcc", opened).lo == -1
    latency = metric_kind("latency_p95_ms", opened)
    assert (latency.family, latency.quantile, latency.higher_is_better, latency.bounded) == (
        "quantile",
        0.95,
        False,
        False,
    )
    assert metric_kind("cost_usd_per_1k", opened).scale == 1000
    assert metric_kind("refusal_rate", opened).higher_is_better is False


async def test_nothing_answered_has_no_estimate_and_no_zero(opened) -> None:
    results = await results_of(opened, [answer(n, None, "rate_limited") for n in range(6)])
    known = {name: estimate(results, name) for name in names_of(results)}
    assert known.pop("answered") == 0.0
    assert set(known.values()) == {None}
    assert summarise("r", "baseline", results).errored == 6


async def test_the_confusion_matrix_counts_invalid_answers_apart(opened) -> None:
    results = await results_of(
        opened, [answer(0, "bug"), answer(1, "bug"), answer(2, "?"), answer(3, None, "refused")]
    )
    assert confusion(results, "intent").tolist() == [[1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]]


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=40))
def test_label_metrics_are_scikit_learns(pairs) -> None:
    from sklearn.metrics import classification_report, cohen_kappa_score, matthews_corrcoef

    truth, predicted = np.array(pairs).T
    names = ("a", "b", "c", "d")
    column = LabelColumn(labels=names, truth=truth[:, None], predicted=predicted[:, None])
    found = results_from_columns(labels={"intent": column})
    report = classification_report(
        truth, predicted, labels=range(4), output_dict=True, zero_division=0
    )
    for metric, average, part in (
        ("macro_f1", "macro avg", "f1-score"),
        ("weighted_f1", "weighted avg", "f1-score"),
        ("precision", "macro avg", "precision"),
        ("recall", "macro avg", "recall"),
    ):
        assert estimate(found, f"intent.{metric}") == pytest.approx(report[average][part])
    correlations = {"mcc": matthews_corrcoef, "kappa": cohen_kappa_score}
    for metric, by_sklearn in correlations.items():
        defined = len(set(truth)) > 1
        expected = pytest.approx(by_sklearn(truth, predicted)) if defined else None
        assert estimate(found, f"intent.{metric}") == expected


async def test_a_refusal_half_is_measured_over_its_own_cases_only(tmp_path) -> None:
    suite = {
        "version": 1,
        "name": "s",
        "prompt": [{"role": "user", "content": "x"}],
        "graders": [{"name": "r", "type": "refusal"}],
    }
    (tmp_path / "suite.yaml").write_text(dump_yaml(suite))
    rows = [{"id": f"c{n}", "expected": {"refuse": n < 2}} for n in range(5)]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)))
    opened = open_suite(tmp_path)
    results = await results_of(opened, [answer(n, "I can't help with that.") for n in range(5)])
    assert results.applicable_to("r").all()
    assert results.applicable_to("r.refused_when_required").tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert estimate(results, "r.refused_when_required") == 1.0
    assert estimate(results, "r.answered_when_allowed") == 0.0
    assert results.counts["scored"] == 5


async def test_suites_are_pooled_with_their_cases_apart(tmp_path) -> None:
    first, second = suite_at(tmp_path / "a", 2), suite_at(tmp_path / "b", 3, name="other")
    one = await results_of(first, [answer(0), answer(1, "billing", repeat=0), answer(1, repeat=1)])
    two = await results_of(second, [answer(n, "how_to") for n in range(3)])
    both = pooled([one, two])
    assert both.case_ids == ("small/c0", "small/c1", "other/c0", "other/c1", "other/c2")
    assert both.clusters.tolist() == [0, 0, 1, 1, 2]
    assert both.labels["intent"].truth.shape == (5, 2)
    assert estimate(both, "right") == pytest.approx((1 + 0.5 + 0 + 0 + 1) / 5)
    with pytest.raises(ValueError, match="one model"):
        pooled([])


@pytest.mark.slow
def test_twenty_thousand_cases_take_seconds(tmp_path) -> None:
    opened = suite_at(tmp_path, 20_000)
    responses = (answer(n, LABELS[n % 3]) for n in range(20_000))
    scores = (
        Score(
            case_id=f"c{n}",
            grader="intent",
            version="1",
            value=1.0,
            truth=LABELS[n % 3],
            predicted=LABELS[n % 3],
        )
        for n in range(20_000)
    )
    began = time.process_time()  # of this process alone: a busy machine must not fail it
    results = tabulate(opened, responses, scores, model_id="m", price=PRICE)
    assert time.process_time() - began < 12
    assert estimate(results, "intent.accuracy") == 1.0


async def test_what_a_missing_answer_can_cost_is_its_prompt_and_all_tokens_allowed(opened) -> None:
    answers = [answer(n) for n in range(5)] + [answer(5, None, "timed_out")]
    results = await results_of(opened, answers, most_tokens=1000)
    limit = (100 * PRICE.input + 1000 * PRICE.output) / 1e6
    assert results.most["cost_usd"] == pytest.approx(np.full(6, limit))
    assert (await results_of(opened, answers)).most == {}


async def test_a_share_of_answers_is_known_where_the_infrastructure_failed(opened) -> None:
    lost = [answer(n, None, "timed_out") for n in range(2)]
    results = await results_of(opened, [*lost, *(answer(n) for n in range(2, 6))])
    assert estimate(results, "answered") == pytest.approx(4 / 6)
    assert np.isfinite(results.columns["answered"]).all()


async def test_of_repeats_it_is_known_which_share_is_missing(opened) -> None:
    answers = [answer(n, repeat=repeat) for n in range(6) for repeat in range(2)]
    answers[1] = answer(0, None, "server_error", repeat=1)
    results = await results_of(opened, answers, repeats=2)
    assert results.share_of("latency_ms").tolist() == [0.5, 1, 1, 1, 1, 1]
    assert results.columns["answered"].tolist() == [0.5, 1, 1, 1, 1, 1]


async def test_the_truth_of_a_label_is_known_without_an_answer(opened) -> None:
    results = await results_of(opened, [answer(n, None, "timed_out") for n in range(6)])
    (column,) = results.labels.values()
    assert (column.truth[:, 0] != UNSCORED).all()
    assert (column.predicted == UNSCORED).all()
