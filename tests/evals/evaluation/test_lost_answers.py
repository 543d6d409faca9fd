"""Answers that were lost to infrastructure are asked for again, slowly, before a run is judged; an outage ends it soon."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.evaluation.evaluation import Evaluation
from evals.evaluation.lost_answers import (
    PATIENCE,
    LostAnswersPlan,
    ask_lost_again,
    lost_answers,
)
from evals.gate.looks import RemainingCases
from evals.records import Role
from evals.sampling.accounting import read_usage
from evals.sampling.budget import Budget
from evals.sampling.progress.snapshot import Snapshot

AT_ONCE = LostAnswersPlan(attempts=5, wait_s=0.0)
BOTH: tuple[Role, ...] = ("candidate", "baseline")


@pytest.fixture
def evaluation(tmp_path: Path, folder_suite: Any) -> Callable[..., Evaluation]:
    """A contest over one suite, opened anew from its folder each time."""

    def open_(size: int, **more: Any) -> Evaluation:
        facts: dict[str, Any] = {
            "run_id": "run-1",
            "folder": tmp_path / "run",
            "suites": (folder_suite(size),),
            "roles": BOTH,
        }
        return Evaluation(**(facts | more))

    return open_


@pytest.fixture
def sides(server: Any) -> dict[Role, Any]:
    return {"candidate": server.side("ours"), "baseline": server.side("theirs")}


def lose(server: Any, *numbers: int, times: int, status: int = 500) -> Counter[str]:
    """Have the candidate's answers to some cases be lost so many times; returns how often each was asked."""
    tries: Counter[str] = Counter()
    texts = {f"triage case {number}" for number in numbers}

    def answer(model: str, text: str) -> str | int:
        if model == "ours" and text in texts:
            tries[text] += 1
            if tries[text] <= times:
                return status
        return "yes"

    server.answer = answer
    return tries


async def test_what_was_lost_is_asked_for_again_and_nothing_else(
    evaluation: Any, sides: Any, server: Any
) -> None:
    tries = lose(server, 3, 7, 11, times=2)
    now = evaluation(20)
    await now.ask(1, sides)
    assert lost_answers(now, 1) == {"candidate": 3, "baseline": 0}
    before = len(server.asked)
    assert await ask_lost_again(now, 1, sides, AT_ONCE) == {"candidate": 0, "baseline": 0}
    assert set(tries.values()) == {3}
    assert len(server.asked) - before == 6
    answers = list(now.responses("candidate", "triage"))
    assert len(answers) == 20
    assert {answer.outcome for answer in answers} == {"answered"}


async def test_it_costs_nothing_when_nothing_was_lost(
    evaluation: Any, sides: Any, server: Any
) -> None:
    now = evaluation(20)
    await now.ask(1, sides)
    patient = LostAnswersPlan(attempts=5, wait_s=3600.0)
    assert await ask_lost_again(now, 1, sides, patient) == {"candidate": 0, "baseline": 0}
    assert len(server.asked) == 40
    assert len(read_usage(now.folder / "journal")) == 1


async def test_a_request_that_can_t_be_answered_is_not_asked_again(
    evaluation: Any, sides: Any, server: Any
) -> None:
    tries = lose(server, 3, times=99, status=400)
    now = evaluation(20)
    await now.ask(1, sides)
    await ask_lost_again(now, 1, sides, AT_ONCE)
    assert set(tries.values()) == {1}


async def test_what_stays_lost_is_given_up_after_the_attempts_of_its_own(
    evaluation: Any, sides: Any, server: Any
) -> None:
    tries = lose(server, 3, times=99)
    now = evaluation(20)
    await now.ask(1, sides)
    assert await ask_lost_again(now, 1, sides, AT_ONCE) == {"candidate": 1, "baseline": 0}
    assert set(tries.values()) == {1 + AT_ONCE.attempts}
    assert await ask_lost_again(now, 1, sides, LostAnswersPlan(attempts=0)) == {
        "candidate": 1,
        "baseline": 0,
    }


async def test_an_outage_ends_each_turn_after_a_few_losses_in_a_row(
    evaluation: Any, sides: Any, server: Any
) -> None:
    now = evaluation(200)
    out = {f"triage case {number}" for number in range(2, 200)}
    server.answer = lambda model, text: 503 if model == "ours" and text in out else "yes"
    await now.ask(1, sides)
    before = len(server.asked)
    assert (await ask_lost_again(now, 1, sides, AT_ONCE))["candidate"] == 198
    assert len(server.asked) - before <= AT_ONCE.attempts * (PATIENCE + 2)


async def test_of_a_model_that_answers_nothing_there_is_one_turn(
    evaluation: Any, sides: Any, server: Any
) -> None:
    server.answer = lambda model, _text: 503 if model == "ours" else "yes"
    now = evaluation(200)
    await now.ask(1, sides)
    before = len(server.asked)
    assert (await ask_lost_again(now, 1, sides, AT_ONCE))["candidate"] == 200
    assert len(server.asked) - before <= PATIENCE + 2


async def test_those_that_are_never_answered_don_t_keep_the_others_from_their_turn(
    evaluation: Any, sides: Any, server: Any
) -> None:
    hopeless = {f"triage case {number}" for number in range(30)}
    tries: Counter[str] = Counter()

    def answer(model: str, text: str) -> str | int:
        tries[f"{model} {text}"] += 1
        first = tries[f"{model} {text}"] == 1
        return 500 if model == "ours" and (text in hopeless or first) else "yes"

    server.answer = answer
    now = evaluation(60)
    await now.ask(1, sides)
    assert await ask_lost_again(now, 1, sides, AT_ONCE) == {"candidate": 30, "baseline": 0}


async def test_both_models_get_their_turn(evaluation: Any, sides: Any, server: Any) -> None:
    tries: Counter[tuple[str, str]] = Counter()

    def answer(model: str, text: str) -> str | int:
        tries[model, text] += 1
        return 503 if tries[model, text] == 1 else "yes"

    server.answer = answer
    now = evaluation(12)
    await now.ask(1, sides)
    assert lost_answers(now, 1) == {"candidate": 12, "baseline": 12}
    assert await ask_lost_again(now, 1, sides, AT_ONCE) == {"candidate": 0, "baseline": 0}


async def test_only_what_is_still_needed_is_asked_for_again(
    evaluation: Any, sides: Any, server: Any
) -> None:
    server.answer = lambda model, _text: 503 if model == "ours" else "yes"
    await evaluation(120, looks=2).ask(1, sides)
    server.answer = lambda _model, _text: "yes"
    need = RemainingCases(role="candidate", suite="triage", where={"plan": "enterprise"})
    now = evaluation(120, looks=2, needs={2: (need,)})
    asked = len(server.asked)
    await ask_lost_again(now, 2, sides, AT_ONCE)
    assert len(server.asked) > asked
    assert {int(text.split()[-1]) % 5 for _, text in server.asked[asked:]} == {0}


async def test_the_budget_holds_and_its_end_is_no_reason_against_what_was_answered(
    evaluation: Any, sides: Any, server: Any
) -> None:
    lose(server, *range(20), times=1)
    now = evaluation(60)
    budget = Budget(tokens=1_000_000)
    await now.ask(1, sides, budget=budget)
    budget.tokens = budget.spent_tokens + 10
    lost = await ask_lost_again(now, 1, sides, AT_ONCE, budget=budget)
    assert lost["candidate"] == 20
    calls = read_usage(now.folder / "journal")
    assert [call.lost_round for call in calls] == [False, True]
    assert [call.stopped for call in calls] == [None, "budget"]


async def test_a_slow_round_says_what_it_does(evaluation: Any, sides: Any, server: Any) -> None:
    lose(server, 3, times=2)
    seen: list[Snapshot] = []

    class Sink:
        def update(self, snapshot: Snapshot) -> None:
            seen.append(snapshot)

    now = evaluation(20)
    await now.ask(1, sides)
    await ask_lost_again(now, 1, sides, AT_ONCE, progress=Sink())
    told = (re.sub(r" at [-0-9: ]+ UTC,", "", snapshot.note) for snapshot in seen)
    notes = list(dict.fromkeys(told))
    assert notes == [
        "1 lost answer: asked for again in 0 s, slowly (1 of 5)",
        "asks for 1 lost answer again, slowly (1 of 5)",
        "1 lost answer: asked for again in 0 s, slowly (2 of 5)",
        "asks for 1 lost answer again, slowly (2 of 5)",
    ]
    assert [seen[0].roles["candidate"].done, seen[-1].roles["candidate"].done] == [19, 20]
    assert seen[-1].roles["candidate"].planned == seen[-1].roles["baseline"].planned == 20
