"""Whatever a model says, every grader gives one score for each of its columns: in range, or unscored with a reason."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.config.documents import parse_yaml
from evals.config.yaml_lines import dump_yaml
from evals.graders.base import INVALID_LABEL, grade_response
from evals.graders.judges.pairwise import grade_pair
from evals.graders.model_client import JudgeAnswer, JudgeQuestion
from evals.records import INFRASTRUCTURE_OUTCOMES, MODEL_OUTCOMES, Response, Score
from evals.suites.opened import OpenedSuite, open_suite

PAGE = Path(__file__).parents[3] / "docs" / "graders.md"
EXAMPLE = re.compile(r"```yaml\n(.*?)```\n```json\n(.*?)\n", re.DOTALL)
SHOWN = {
    (grader := parse_yaml(match[1], PAGE).data)["name"]: (grader, json.loads(match[2]))
    for match in EXAMPLE.finditer(PAGE.read_text(encoding="utf-8"))
}
WORDS = st.sampled_from(["urgency", "high", "category", "billing", "result", "good", "label", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
TEXT = (
    st.text(max_size=40) | JSON.map(json.dumps) | WORDS | st.text("0123456789.,-eE+% ", max_size=12)
)
ANSWERS = st.builds(
    dict,
    text=st.none() | TEXT,
    outcome=st.sampled_from(("answered", *MODEL_OUTCOMES, *INFRASTRUCTURE_OUTCOMES)),
    finish_reason=st.none() | st.just("stop"),
    tool_calls=st.none() | st.just([{"type": "function", "function": {"name": "f"}}]),
)


def answered(**more: Any) -> Response:
    return Response(case_id="c0", model_id="m", **more)


def hold_to_the_rules(score: Score, labels: set[str], outcome: str) -> None:
    assert "the grader crashed" not in score.reason, score.reason
    if score.unscored:
        assert score.reason
    elif score.predicted is not None:
        assert score.predicted in labels | {INVALID_LABEL}
    else:
        assert score.value is not None
        assert 0.0 <= score.value <= 1.0
    if outcome in INFRASTRUCTURE_OUTCOMES:
        assert score.unscored


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_any_answer_has_its_scores(name: str, opened, scripted) -> None:
    grader, example = SHOWN[name]
    case = {key: example[key] for key in ("expected", "item") if key in example}
    model_client = scripted([], example.get("embeddings"))
    suite = opened(grader, [case], model_client)
    (built,) = suite.graders
    columns = {column.name: set(column.labels) for column in built.columns()}

    # Half of the examples, since two dozen graders each have theirs.
    @settings(max_examples=min(50, settings.default.max_examples))
    @given(ANSWERS, st.lists(TEXT, min_size=3, max_size=3))
    def hold(answer: dict[str, Any], verdicts: list[str]) -> None:
        model_client.replies, model_client.questions = verdicts, []
        response = answered(**answer)
        scores = loop.run(grade_response(suite.graders, suite.suite.cases[0], response))
        applying = [c for c in columns if built.applies(c, suite.suite.cases[0])]
        assert [score.grader for score in scores] == applying
        for score in scores:
            hold_to_the_rules(score, columns[score.grader], response.outcome)

    with asyncio.Runner() as loop:
        hold()


class PairJudge:
    """Says in each of the two orders what it was told to say."""

    def __init__(self) -> None:
        self.verdicts: list[str] = []

    async def ask(self, question: JudgeQuestion) -> JudgeAnswer:
        return JudgeAnswer(text=json.dumps({"steps": [], "result": self.verdicts.pop()}))


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory) -> tuple[OpenedSuite, PairJudge]:
    folder, judge = tmp_path_factory.mktemp("pair"), PairJudge()
    grader = {"name": "p", "type": "pairwise_judge", "model": "j", "rubric": "?"}
    prompt = [{"role": "user", "content": "x"}]
    suite = {
        "version": 1,
        "name": "p",
        "prompt": prompt,
        "graders": [grader | {"against": "baseline"}],
    }
    (folder / "suite.yaml").write_text(dump_yaml(suite))
    (folder / "cases.jsonl").write_text('{"id": "c0", "item": {}}')
    return open_suite(folder, judge), judge


@given(
    ANSWERS, ANSWERS, st.lists(TEXT | st.sampled_from(["first", "second"]), min_size=2, max_size=2)
)
def test_two_answers_share_what_a_judge_gives_them(
    evaluation: Any, ours: dict[str, Any], theirs: dict[str, Any], verdicts: list[str]
) -> None:
    suite, judge = evaluation
    judge.verdicts = verdicts
    first, second = answered(**ours), answered(**theirs)
    (won,), (lost,) = asyncio.run(grade_pair(suite.graders, suite.suite.cases[0], first, second))
    for score, response in ((won, first), (lost, second)):
        hold_to_the_rules(score, set(), response.outcome)
    assert won.unscored == lost.unscored
    assert won.unscored or won.value + lost.value == 1
