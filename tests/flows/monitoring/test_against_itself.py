"""The live model against itself: passes that are there anyway are paired once each, and a dozen pairs claim nothing."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from flows.evaluation import steps
from flows.evaluation.open_run import open_run
from flows.evaluation.request import request_run, resolve
from flows.files import read_record, write_record
from flows.monitoring.against_itself import (
    PairOnRecord,
    RunPairs,
    _enough_on,
    against_itself,
    pairs_file,
    runs_of_model,
)
from flows.monitoring.self_pairs import store_pairs
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry

BASELINE = "ft:gpt-4.1-mini-2025-04-14:acme:old:Bb2"


@pytest.fixture
def live(letters: Any, host: Any) -> Any:
    """A live model whose letters are kind where the test says so."""
    suite = letters.suite / "suite.yaml"
    prompt, _, _ = suite.read_text().partition("graders:")
    suite.write_text(prompt + "graders: [{name: tone, type: contains, text: kind}]\n")
    rows = ({"id": f"c{n}", "item": {"about": f"matter {n:03}"}} for n in range(20))
    (letters.suite / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    target = letters.target.read_text().replace("judge: {model: gpt-4.1}\n", "")
    letters.target.write_text(target)
    letters.go_live()
    kind_in(host, 20)
    return letters


def kind_in(host: Any, cases: int) -> None:
    """From now on so many of the cases are answered kindly, the first ones."""
    host.say = lambda _model, asked: "a kind letter" if int(asked[-4:-1]) < cases else "a letter"


async def week(letters: Any, number: int) -> RunPairs:
    """One regression run up to its verdict, and the pairs it completes."""
    run, _ = request_run(
        letters.settings,
        "letters",
        TriggerRef(model_id=BASELINE),
        kind="regression",
        actor="cron",
        again=str(number),
    )
    await resolve(letters.settings, run.run_id)
    await steps.ask_round(letters.settings, run.run_id, 1)
    steps.conclude(letters.settings, run.run_id)
    with open_run(letters.settings, run.run_id) as opened:
        return store_pairs(opened)


def seen(letters: Any) -> Any:
    with open_registry(letters.settings) as registry:
        return against_itself(letters.settings, registry, registry.live("letters"))


async def test_single_passes_are_paired_in_twos_and_no_answer_is_used_twice(
    live: Any, host: Any
) -> None:
    assert await week(live, 1) == RunPairs(alone=True)
    assert seen(live) == ()
    kind_in(host, 18)
    second = await week(live, 2)
    (pair,) = second.pairs
    assert (pair.kind, pair.cases, pair.difference) == ("between", 20, pytest.approx(-0.1))
    assert await week(live, 3) == RunPairs(alone=True), "the second pass is used up"
    (found,) = seen(live)
    assert (found.pairs, found.between_runs, found.answers) == (1, 1, 40)
    assert (found.says, found.enough) == ("too_few", False)
    assert (found.lower, found.upper) == (-1.0, 1.0)


async def test_repeats_of_one_run_are_pairs_of_their_own(live: Any) -> None:
    suite = live.suite / "suite.yaml"
    suite.write_text(suite.read_text() + "repeats: 2\n")
    first = await week(live, 1)
    assert [(one.kind, one.difference) for one in first.pairs] == [("within", 0.0)]
    assert (first.partner, first.alone) == ("", False)


async def test_another_way_of_asking_or_another_suite_is_no_partner(live: Any) -> None:
    await week(live, 1)
    live.change(live.target, "sampling: {", "sampling: {temperature: 0.7, ")
    assert await week(live, 2) == RunPairs(alone=True)
    with (live.suite / "cases.jsonl").open("a") as cases:
        cases.write(json.dumps({"id": "new", "item": {"about": "matter 999"}}) + "\n")
    assert await week(live, 3) == RunPairs(alone=True)


async def test_runs_that_different_deployments_answered_are_no_pair(live: Any, host: Any) -> None:
    host.fingerprint = "fp_1"
    await week(live, 1)
    host.fingerprint = "fp_2"
    assert await week(live, 2) == RunPairs(alone=True)
    third = await week(live, 3)
    assert (len(third.pairs), third.alone) == (1, False), "paired with the one that it is like"


def test_enough_pairs_are_there_at_the_pace_so_far() -> None:
    first, last = "2026-11-02T06:00:00.000000Z", "2026-11-30T06:00:00.000000Z"
    assert _enough_on(2, first, last) == date(2027, 8, 9)
    assert _enough_on(20, first, last) is None
    assert _enough_on(1, first, first) is None


async def test_months_of_pairs_claim_what_they_can_and_a_lost_folder_only_lowers_them(
    live: Any,
) -> None:
    await week(live, 1)
    await week(live, 2)
    with open_registry(live.settings) as registry:
        first, second = (run.run_id for run in runs_of_model(registry, "letters", BASELINE))

    def over(differences: list[float]) -> Any:
        pairs = tuple(
            PairOnRecord(kind="between", suite="letters", column="tone", cases=200, difference=one)
            for one in differences
        )
        write_record(pairs_file(live.settings, second), RunPairs(pairs=pairs))
        return seen(live)[0]

    assert over([0.02, 0.021] * 6).says == "too_few", "a dozen claims nothing"
    steady = over([0.01, -0.01] * 13)
    assert (steady.says, steady.lower < 0.0 < steady.upper) == ("same", True)
    assert over([0.02, 0.03] * 13).says == "differs"
    assert read_record(pairs_file(live.settings, first), RunPairs) is not None
    pairs_file(live.settings, second).unlink()
    assert seen(live) == ()
