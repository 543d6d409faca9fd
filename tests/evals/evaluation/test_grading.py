"""Scores are kept as they come: a slow judge holds nobody up, and what was judged is not lost with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.config.yaml_lines import dump_yaml
from evals.evaluation.grading import AT_ONCE, grade_pairs, grade_role
from evals.evaluation.score_store import ScoreStore
from evals.graders.model_client import JudgeAnswer, JudgeQuestion
from evals.records import Response
from evals.suites.opened import OpenedSuite, open_suite

CASES = 2 * AT_ONCE


class SlowJudge:
    """Answers at once, but for the first case, which it keeps until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked: list[str] = []

    async def ask(self, question: JudgeQuestion) -> JudgeAnswer:
        text = str(question.messages[-1].content)
        self.asked.append(text)
        if "answer-0." in text:
            await self.go.wait()
        verdict = "first" if "first answer" in text else "good"
        return JudgeAnswer(text=json.dumps({"steps": [], "result": verdict}))


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., OpenedSuite]:
    def open_(judge: SlowJudge, **grader: Any) -> OpenedSuite:
        grader = {"name": "j", "type": "judge", "model": "judge", "rubric": "?"} | grader
        suite = {"version": 1, "name": "s", "prompt": [{"role": "user", "content": "x"}]}
        (tmp_path / "suite.yaml").write_text(dump_yaml(suite | {"graders": [grader]}))
        rows = (json.dumps({"id": f"c{number}"}) for number in range(CASES))
        (tmp_path / "cases.jsonl").write_text("\n".join(rows))
        return open_suite(tmp_path, judge)

    return open_


def answers(role: str, _suite: str) -> list[Response]:
    return [
        Response(case_id=f"c{n}", model_id=role, outcome="answered", text=f"answer-{n}.")
        for n in range(CASES)
    ]


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(900):
        while not ready():
            await asyncio.sleep(0.02)


async def test_one_slow_verdict_holds_up_no_other_and_loses_none(judged: Any, tmp_path) -> None:
    judge = SlowJudge()
    opened = judged(judge, labels=["good", "bad"], passing=["good"])

    def scored() -> int:
        return sum(1 for _ in ScoreStore(tmp_path, "candidate", opened).scores())

    grading = asyncio.create_task(grade_role(tmp_path, "candidate", opened, answers))
    await until(lambda: scored() == CASES - 1)
    grading.cancel()  # the others' verdicts were paid for, and are on disk by now
    with pytest.raises(asyncio.CancelledError):
        await grading
    judge.go.set()
    await grade_role(tmp_path, "candidate", opened, answers)
    assert len(judge.asked) == CASES + 1
    assert scored() == CASES


async def test_pairs_are_kept_as_they_come_too(judged: Any, tmp_path: Path) -> None:
    judge = SlowJudge()
    opened = judged(judge, type="pairwise_judge", against="baseline")
    grading = asyncio.create_task(grade_pairs(tmp_path, opened, answers))
    books = [ScoreStore(tmp_path, role, opened, pairs=True) for role in ("candidate", "baseline")]
    await until(lambda: all(sum(1 for _ in book.scores()) == CASES - 1 for book in books))
    judge.go.set()
    await grading
    for book in books:
        assert {score.value for score in book.scores()} == {0.5}
        assert sum(1 for _ in book.scores()) == CASES


async def test_an_error_ends_the_others_and_comes_through(judged: Any, tmp_path: Path) -> None:
    judge = SlowJudge()
    opened = judged(judge, labels=["good", "bad"], passing=["good"])

    def broken(role: str, suite: str) -> Any:
        yield from answers(role, suite)[:10]
        raise OSError("the journal can't be read")

    with pytest.raises(OSError, match="the journal can't be read"):
        await grade_role(tmp_path, "candidate", opened, broken)
    assert len(asyncio.all_tasks()) == 1
