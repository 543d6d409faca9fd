"""Builds one grader over one case, and stands in for judge models with scripted replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evals.config.yaml_lines import dump_yaml
from evals.graders.base import grade_response
from evals.graders.model_client import JudgeAnswer, JudgeQuestion, NoAnswerError
from evals.records import Response, Score, Usage
from evals.suites.opened import OpenedSuite, open_suite

Definition = dict[str, Any]


class ScriptedAsker:
    """Gives scripted replies and vectors; remembers what it was asked. A reply of None is no answer."""

    def __init__(self, replies: list[str | None], vectors: list[list[float]] | None = None) -> None:
        self.replies = replies
        self.vectors = vectors
        self.questions: list[JudgeQuestion] = []

    async def ask(self, question: JudgeQuestion) -> JudgeAnswer:
        self.questions.append(question)
        reply = self.replies[len(self.questions) - 1]
        if reply is None:
            raise NoAnswerError("the judge is out")
        return JudgeAnswer(text=reply, usage=Usage(prompt_tokens=10, completion_tokens=5))

    async def embed(self, model: str, texts: list[str]) -> list[list[float]]:
        if self.vectors is None:
            raise NoAnswerError("no embedding today")
        return self.vectors


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., OpenedSuite]:
    """Open a suite made of some graders and cases (each with expected, item, …)."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3]))

    def build(
        graders: list[Definition] | Definition,
        cases: list[Definition],
        model_client: Any = None,
        **more: Any,
    ) -> OpenedSuite:
        graders = [graders] if isinstance(graders, dict) else graders
        prompt = [{"role": "user", "content": "{{ item.text }}"}]
        suite = {"version": 1, "name": "tried", "prompt": prompt, "graders": graders, **more}
        (tmp_path / "suite.yaml").write_text(dump_yaml(suite), encoding="utf-8")
        rows = [
            {"id": f"c{number}", **case, "item": {"text": "hello", **case.get("item", {})}}
            for number, case in enumerate(cases)
        ]
        (tmp_path / "cases.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
        return open_suite(tmp_path, model_client)

    return build


Grade = Callable[..., Awaitable[dict[str, Score]]]


@pytest.fixture
def grade(opened: Callable[..., OpenedSuite]) -> Grade:
    """Grade one answer to one case; returns the scores by column."""

    async def run(
        grader: Definition,
        answer: str | None,
        *,
        expected: Any = None,
        item: dict[str, Any] | None = None,
        outcome: Any = "answered",
        model_client: Any = None,
        **more: Any,
    ) -> dict[str, Score]:
        case = {"item": item or {}} | ({} if expected is None else {"expected": expected})
        suite = opened(grader, [case], model_client)
        response = Response(case_id="c0", model_id="m", outcome=outcome, text=answer, **more)
        scores = await grade_response(suite.graders, suite.suite.cases[0], response)
        return {score.grader: score for score in scores}

    return run


@pytest.fixture
def scripted() -> type[ScriptedAsker]:
    """The class of the stand-in for judges."""
    return ScriptedAsker
