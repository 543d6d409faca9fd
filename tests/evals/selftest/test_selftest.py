"""The gate's own measurement of itself: seeded, through the code that judges real runs, and honest about its noise."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from support.results import policy_of

from evals.records import Response, Score
from evals.report.selftest_view import selftest_view
from evals.selftest.aa_test import same_model
from evals.selftest.rates import PROMISED, SAVED, SelfTest
from evals.selftest.simulation import self_test


@pytest.fixture(scope="module")
def measured() -> SelfTest:
    return self_test(replicates=60, seed=3)


@pytest.mark.slow
def test_every_promised_rate_is_kept(measured: SelfTest) -> None:
    assert measured.missed == ()


@pytest.mark.slow
def test_the_gate_of_averages_promotes_every_second_such_model(measured: SelfTest) -> None:
    naive = [row.naive for row in measured.rows if row.group == PROMISED]
    assert 0.4 < sum(naive) / len(naive) < 0.65


@pytest.mark.slow
def test_looking_early_saves_most_where_the_answer_is_clear(measured: SelfTest) -> None:
    saved = {row.name: row.gate for row in measured.rows if row.group == SAVED}
    assert saved["better by 1 margin"] > saved["equal"] > 0.1
    assert saved["worse by 3 margins"] > 0.5


@pytest.mark.slow
def test_the_same_seed_gives_the_same_rates() -> None:
    first, again, other = (self_test(replicates=6, seed=seed) for seed in (3, 3, 4))
    assert again.rows == first.rows
    assert other.rows != first.rows


@pytest.mark.slow
def test_the_view_sets_both_gates_side_by_side(measured: SelfTest) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(selftest_view(measured))
    text = console.export_text()
    assert "averages" in text
    assert "every promised rate was kept" in text


@pytest.mark.slow
def test_a_model_against_itself_counts_flips_and_no_false_fail(folder_suite: Any) -> None:
    opened = folder_suite(100)
    responses, scores = [], []
    for number in range(100):
        for repeat in range(3):
            right = (number + repeat) % 10 != 0
            said = "yes" if right else "no"
            common: dict[str, Any] = {"case_id": f"c{number}", "repeat": repeat}
            responses.append(Response(**common, model_id="m", outcome="answered", text=said))
            scores.append(Score(**common, grader="exact", version="1", value=float(right)))
    gate = policy_of({"metric": "exact", "kind": "max_drop", "threshold": 0.1})
    found = same_model(gate, [(opened, responses, scores)], model_id="m")
    assert (found.repeats, found.pairs, found.checks, found.false_fails) == (3, 6, 6, 0)
    assert found.flips["triage/exact"] == pytest.approx(0.2)


def test_what_was_asked_once_is_left_out_of_a_model_against_itself(folder_suite: Any) -> None:
    answers = []
    for name, repeats in (("triage", 3), ("other", 1)):
        column = "exact" if name == "triage" else name
        facts = [
            {"case_id": f"c{number}", "repeat": repeat}
            for number in range(100)
            for repeat in range(repeats)
        ]
        said = [Response(**one, model_id="m", outcome="answered", text="yes") for one in facts]
        scores = [Score(**one, grader=column, version="1", value=1.0) for one in facts]
        answers.append((folder_suite(100, name), said, scores))
    drop = {"kind": "max_drop", "threshold": 0.1}
    gate = policy_of({"metric": "exact", **drop}, {"metric": "other", **drop})
    found = same_model(gate, answers, model_id="m")
    assert (found.repeats, found.checks, found.verdicts) == (3, 6, {"PASS": 6})
    assert set(found.flips) == {"triage/exact"}
    with pytest.raises(ValueError, match="two repeats"):
        same_model(gate, answers[1:], model_id="m")


def test_a_model_asked_once_has_nothing_to_be_compared_with(folder_suite: Any) -> None:
    gate = policy_of({"metric": "exact", "kind": "max_drop", "threshold": 0.1})
    with pytest.raises(ValueError, match="two repeats"):
        same_model(gate, [(folder_suite(10), [], [])], model_id="m")
