"""A run is held against earlier live models: whole runs against a host whose models are as right as a test says."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.letters import ModelHost, model_host
from support.succession import Succession, model

from evals.records import CheckResult, Verdict
from evals.report.view import build_view
from flows.evaluation.kept.anchor import anchor_findings
from flows.evaluation.kept.keep import kept_place
from flows.evaluation.kept.pinned import pinned
from flows.evaluation.open_run import open_run
from flows.evaluation.rejudge import rejudge
from flows.housekeeping.answer_cache import prune_answers
from flows.registry.opening import open_registry
from flows.reporting.gather import gather

pytestmark = pytest.mark.slow

FIRST = {"anchor": {"model": "first", "candidates": 2}}


@pytest.fixture
async def host(listening: socket.socket) -> AsyncIterator[ModelHost]:
    async with model_host(listening) as found:
        yield found


@pytest.fixture
def fresh(tmp_path: Path, host: ModelHost) -> Succession:
    """The target with nothing live."""
    return Succession(tmp_path, host, **FIRST)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, listening: socket.socket) -> Path:
    """The folder of a target whose v1 is live; made once, copied for each test."""

    async def promoted(folder: Path) -> None:
        async with model_host(listening) as host:
            await Succession(folder, host, **FIRST).promoted("v1", wrong=2)

    folder = tmp_path_factory.mktemp("line")
    asyncio.run(promoted(folder))
    return folder


@pytest.fixture
def line(tmp_path: Path, host: ModelHost, original: Path) -> Succession:
    """The target with v1 live, which is wrong on two cases."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return Succession(tmp_path, host, **FIRST).answers("v1", wrong=2)


def of_anchor(verdict: Verdict) -> CheckResult:
    (found,) = (check for check in verdict.checks if check.against == "anchor")
    return found


async def test_a_candidate_a_little_worse_each_time_passes_the_live_model_and_not_the_anchor(
    line: Succession,
) -> None:
    await line.promoted("v2", wrong=6)
    run_id, verdict = await line.judged("v3", wrong=10)
    assert [check.outcome for check in verdict.checks] == ["PASS", "PASS", "INCONCLUSIVE"]
    assert (of_anchor(verdict).baseline, of_anchor(verdict).against_model) == (
        pytest.approx(1 - 2 / 300),
        model("v1"),
    )
    assert rejudge(line.settings, run_id).checks == verdict.checks


async def test_without_an_anchor_the_same_candidate_passes(fresh: Succession) -> None:
    fresh.set_gate()
    await fresh.promoted("v1", wrong=2)
    await fresh.promoted("v2", wrong=6)
    run_id, verdict = await fresh.judged("v3", wrong=10)
    assert verdict.outcome == "PASS"
    with open_run(fresh.settings, run_id) as run:
        found = pinned(run)
    assert found is not None and found.oldest is not None and found.best is not None
    assert (found.oldest.model_id, found.best.model_id) == (model("v1"), model("v1"))


async def test_a_live_deployment_that_answers_worse_than_when_it_was_promoted_makes_no_pass(
    line: Succession,
) -> None:
    line.wrong[model("v1")] = 60  # the live deployment is degraded while it is asked
    _, verdict = await line.judged("v2", wrong=30)
    relative = verdict.checks[1]
    assert (relative.outcome, relative.rests_on) == ("INCONCLUSIVE", "rule")
    assert "answers worse than when it was promoted: 0.8 against 0.9933" in relative.reason
    assert verdict.outcome != "PASS"


async def test_an_anchor_whose_cases_were_mostly_changed_is_undecided_until_the_gate_names_another(
    line: Succession,
) -> None:
    line.write_cases(changed=220)
    run_id, verdict = await line.judged("v2", wrong=2)
    assert (verdict.outcome, verdict.takes) == ("INCONCLUSIVE", "approve")
    reason = of_anchor(verdict).reason
    assert "none of the 1 earlier live models can be" in reason
    assert "only 80 cases are the same as when" in reason
    assert "name another one by anchor.model" in reason
    with open_run(line.settings, run_id) as run:
        (said,) = anchor_findings(run)  # and before money was spent
    assert (said.level, said.name) == ("warn", "anchor")
    assert "only 80 cases are the same as when" in said.message


async def test_the_report_says_how_far_the_candidate_is_from_the_best_model(
    fresh: Succession,
) -> None:
    fresh.set_gate()
    await fresh.promoted("v1", wrong=2)
    run_id = await fresh.promoted("v2", wrong=6)
    with open_run(fresh.settings, run_id) as run:
        (said,) = build_view(gather(run)).decline
    assert said.startswith("exact against v1, the best and the oldest so far (generation 1, live ")
    assert "0.980, was 0.993, difference −0.013" in said
    assert "300 unchanged cases asked of both" in said


async def test_an_anchor_asked_with_other_parameters_is_not_compared(line: Succession) -> None:
    line.change(line.targets / "line.yaml", "temperature: 0", "temperature: 0.7")
    _, verdict = await line.judged("v2", wrong=2)
    assert verdict.outcome == "INCONCLUSIVE"
    assert "temperature 0 then, 0.7 now" in of_anchor(verdict).reason


@pytest.mark.parametrize("named", [1, "v1", model("v1"), "best"])
async def test_an_anchor_is_named_by_generation_or_model_or_as_the_best(
    line: Succession, named: Any
) -> None:
    line.set_gate(anchor={"model": named})
    _, verdict = await line.judged("v2", wrong=2)
    assert verdict.outcome == "PASS"
    assert of_anchor(verdict).against_model == model("v1")


async def test_a_model_that_was_never_live_is_no_anchor_and_the_reason_says_so(
    line: Succession,
) -> None:
    line.set_gate(anchor={"model": 7})
    _, verdict = await line.judged("v2", wrong=2)
    assert verdict.outcome == "INCONCLUSIVE"
    assert "nothing was live as generation 7" in of_anchor(verdict).reason


async def test_kept_answers_outlive_the_run_and_the_cache(fresh: Succession) -> None:
    run_id = await fresh.promoted("v1", wrong=2)
    shutil.rmtree(fresh.settings.run_folder(run_id))
    prune_answers(fresh.settings)
    _, verdict = await fresh.judged("v2", wrong=2)
    assert (verdict.outcome, of_anchor(verdict).n) == ("PASS", 300)


async def test_damaged_kept_answers_are_said_and_never_a_silent_pass(line: Succession) -> None:
    (path,) = kept_place(line.settings, "line").glob("*/line.jsonl.zst")
    path.write_bytes(path.read_bytes()[:-20])
    _, verdict = await line.judged("v2", wrong=2)
    assert verdict.outcome == "INCONCLUSIVE"
    assert [check.outcome for check in verdict.checks] == ["PASS", "INCONCLUSIVE", "INCONCLUSIVE"]
    for check in verdict.checks[1:]:
        assert "are damaged" in check.reason
        assert "bring the folder back from a backup" in check.reason


@pytest.mark.parametrize("named", ["first", "best"])
async def test_no_other_model_stands_in_for_an_anchor_whose_kept_answers_are_damaged(
    fresh: Succession, named: str
) -> None:
    fresh.set_gate(anchor={"model": named, "candidates": 2})
    await fresh.promoted("v1", wrong=2)
    (path,) = kept_place(fresh.settings, "line").glob("*/line.jsonl.zst")
    await fresh.promoted("v2", wrong=5)
    path.write_bytes(path.read_bytes()[:-20])
    _, verdict = await fresh.judged("v3", wrong=5)
    assert (verdict.outcome, of_anchor(verdict).outcome) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert "are damaged" in of_anchor(verdict).reason


async def test_what_was_not_kept_at_its_time_is_kept_from_the_runs_folder(
    line: Succession,
) -> None:
    with open_registry(line.settings) as registry:
        (kept,) = registry.kept_answers("line")
    shutil.rmtree(kept_place(line.settings, "line"))
    with open_registry(line.settings) as registry:
        registry.record_step(kept.run_id, "kept", "done", {})  # as one that kept nothing
        assert registry.unkept_runs("line") == (kept.run_id,)
    _, verdict = await line.judged("v2", wrong=2)
    assert verdict.outcome == "PASS"
    with open_registry(line.settings) as registry:
        assert registry.kept_answers("line") == (kept,)
        assert registry.verify() == ()


async def test_with_looks_the_candidate_is_asked_every_case_and_the_live_model_only_what_is_open(
    fresh: Succession,
) -> None:
    fresh.set_gate(**FIRST, early_stop=True)
    await fresh.promoted("v1", wrong=0)
    fresh.host.asked.clear()
    await fresh.promoted("v2", wrong=0)
    with open_registry(fresh.settings) as registry:
        kept = registry.kept_answers("line")
    assert [one.model_id for one in kept] == [model("v1"), model("v2")]
    assert fresh.host.asked[model("v2")] == 300 + 1  # the smoke test asks one
    assert fresh.host.asked[model("v1")] < 300
