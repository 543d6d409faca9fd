"""The rules every grader keeps: whose fault a failure is, and what a crash means."""

from __future__ import annotations

from typing import get_args

import pytest

from evals.graders.base import INVALID_LABEL
from evals.records import INFRASTRUCTURE_OUTCOMES, Outcome

EXPECTED = {"urgency": "high"}
ONE_OF_EACH = [
    {"name": "g", "type": "exact", "field": "urgency"},
    {"name": "g", "type": "contains", "text": "high"},
    {"name": "g", "type": "regex", "pattern": "high"},
    {"name": "g", "type": "fields", "fields": ["urgency"]},
    {"name": "g", "type": "json_schema", "schema": {"type": "object"}},
    {"name": "g", "type": "label", "field": "urgency"},
    {"name": "g", "type": "text_similarity", "evaluation_metric": "fuzzy_match"},
    {
        "name": "g",
        "type": "string_check",
        "input": "{{sample.output_text}}",
        "operation": "like",
        "reference": "high",
    },
    {"name": "g", "type": "judge", "model": "j", "rubric": "good?"},
    {"name": "g", "type": "custom", "entry_point": "tests.evals.graders.own_grader:slowly"},
]
ANSWER = '{"urgency": "high"}'
ids = pytest.mark.parametrize("grader", ONE_OF_EACH, ids=lambda grader: grader["type"])


@pytest.mark.slow
@ids
@pytest.mark.parametrize("outcome", sorted(INFRASTRUCTURE_OUTCOMES))
async def test_an_answer_that_never_came_is_unscored(grader, outcome, grade, scripted) -> None:
    scores = await grade(
        grader, ANSWER, expected=EXPECTED, outcome=outcome, error="boom", model_client=scripted([])
    )
    assert scores
    assert all(
        score.unscored_because == "no_answer" and outcome in score.reason and "boom" in score.reason
        for score in scores.values()
    )


@ids
@pytest.mark.parametrize("outcome", ["refused", "truncated", "content_filtered"])
async def test_the_models_own_fault_is_a_wrong_answer(grader, outcome, grade, scripted) -> None:
    scores = await grade(
        grader, ANSWER, expected=EXPECTED, outcome=outcome, model_client=scripted([])
    )
    assert scores
    assert all(score.value == 0.0 and score.reason for score in scores.values())
    assert {score.predicted for score in scores.values()} <= {None, INVALID_LABEL}


@ids
async def test_an_answer_without_text_is_a_wrong_answer(grader, grade, scripted) -> None:
    scores = await grade(grader, None, expected=EXPECTED, model_client=scripted([]))
    assert all(score.value == 0.0 for score in scores.values())


def test_every_outcome_is_either_the_models_or_the_infrastructures() -> None:
    from evals.records import MODEL_OUTCOMES

    assert set(get_args(Outcome)) == MODEL_OUTCOMES | INFRASTRUCTURE_OUTCOMES


async def test_a_grader_that_crashes_leaves_the_answer_unscored_with_the_traceback(grade) -> None:
    grader = {
        "name": "mine",
        "type": "custom",
        "entry_point": "tests.evals.graders.own_grader:broken",
    }
    score = (await grade(grader, "x"))["mine"]
    assert score.unscored_because == "ungradable"
    assert "ZeroDivisionError" in score.reason
    assert "own_grader.py" in score.reason


async def test_a_custom_value_outside_the_range_is_unscored(grade) -> None:
    grader = {
        "name": "mine",
        "type": "custom",
        "entry_point": "tests.evals.graders.own_grader:too_much",
    }
    score = (await grade(grader, "x"))["mine"]
    assert score.unscored
    assert "1.5" in score.reason


@pytest.mark.parametrize(
    "name", ["no.such.module:f", "json:no_such", "json:__doc__", "unregistered", "os:sep.join.x"]
)
def test_an_entry_point_that_cannot_be_loaded_is_a_problem(name, opened) -> None:
    from evals.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"suite\.yaml.*entry_point"):
        opened({"name": "mine", "type": "custom", "entry_point": name}, [{}])


def test_another_source_or_version_changes_the_fingerprint(opened) -> None:
    def fingerprint(**more: object) -> str:
        grader = {
            "name": "mine",
            "type": "custom",
            "entry_point": "tests.evals.graders.own_grader:slowly",
            **more,
        }
        return opened(grader, [{}]).fingerprint

    assert fingerprint() == fingerprint()
    assert fingerprint() != fingerprint(version="2")
