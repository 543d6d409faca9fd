"""A run looks early, remembers its looks, can be told not to, and can be judged again and planned from for nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from evals.errors import ConfigurationError, RefusedError
from evals.evaluation.evaluation import EvaluatedModel
from evals.gate.look_store import LookStore
from evals.records import Candidate, Endpoint
from evals.report.sections.cost import sampling
from evals.sampling.budget import Budget
from evals.sampling.request_spec import SamplingSettings
from flows.evaluation import steps
from flows.evaluation.ask import sampling_summaries, stop_reasons
from flows.evaluation.estimate import estimate_run
from flows.evaluation.looks import judge_look
from flows.evaluation.open_run import load_plan, open_run
from flows.evaluation.plan import plan_target
from flows.evaluation.rejudge import judge_against_itself, rejudge
from flows.evaluation.request import request_run
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry
from flows.reporting.gather import gather
from flows.settings import Settings

GATE = """
version: 1
name: g
first_release: absolute_checks
checks:
  - metric: exact
    at_least: 0.5
    slices:
      - {where: {plan: enterprise}, at_least: 0.9}
"""
TARGET = """
version: 1
name: t
platform: embedded
suites: [s]
gate: g
sampling: {repeats: 2}
promotion: {production_cases: 100}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A target with one suite of 400 questions whose right answer is "yes"."""
    for name in ("targets", "gates", "datasets/s"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "targets" / "t.yaml").write_text(TARGET)
    (tmp_path / "gates" / "g.yaml").write_text(GATE)
    suite = {
        "version": 1,
        "name": "s",
        "prompt": [{"role": "user", "content": "{{ item.text }}"}],
        "graders": [{"name": "exact", "type": "exact"}],
    }
    (tmp_path / "datasets" / "s" / "suite.yaml").write_text(json.dumps(suite))
    rows = (
        {
            "id": f"c{number}",
            "item": {"text": f"case {number}"},
            "expected": "yes",
            "tags": {"plan": "enterprise" if number % 4 == 0 else "free"},
        }
        for number in range(400)
    )
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "datasets" / "s" / "cases.jsonl").write_text(text)
    return Settings(
        home=tmp_path / "home",
        registry_url=f"sqlite:///{tmp_path / 'home' / 'registry.db'}",
        targets=tmp_path / "targets",
        gates=tmp_path / "gates",
        datasets=tmp_path / "datasets",
        actor="tester",
    )


@pytest.fixture
async def side() -> AsyncIterator[EvaluatedModel]:
    """A model on loopback that says "yes" to everything."""
    said = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [said]}
    data = json.dumps(body | {"usage": usage}).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = asked.partition("content-length:")[2].partition("\r\n")[0]
                await reader.readexactly(int(length))
                writer.write(head.encode() + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    class Connection:
        endpoint = Endpoint(base_url=f"http://127.0.0.1:{port}/v1", model="m", model_id="ours")

        async def auth(self) -> dict[str, str]:
            return {"api-key": "key-0123456789abcdef"}

    yield EvaluatedModel(connection=Connection(), settings=SamplingSettings(concurrency=16))
    server.close()
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def begin(settings: Settings) -> Callable[..., str]:
    """Request a run whose candidate is known already."""

    def start(kind: Any = "evaluation", **more: Any) -> str:
        ref = TriggerRef(model_id="ours")
        run, _ = request_run(settings, "t", ref, kind=kind, actor="tester", **more)
        with open_registry(settings) as registry:
            registry.note_run(
                run.run_id,
                actor="tester",
                candidate=Candidate(model_id="ours", target="t"),
                candidate_model="ours",
                baseline_model=None,
                baseline_generation=0,
            )
        return run.run_id

    return start


async def ask(settings: Settings, run_id: str, look: int, side: EvaluatedModel) -> None:
    """What `ask_round` does once it has a connection."""
    with open_run(settings, run_id) as run:
        run.keep_deal()
        await run.evaluation.ask(look, {"candidate": side})
        await run.evaluation.grade()


async def carry_out(settings: Settings, run_id: str, side: EvaluatedModel) -> int:
    """Ask round by round until a look says stop; returns the last look."""
    for look in range(1, steps.rounds(settings, run_id) + 1):
        await ask(settings, run_id, look, side)
        if judge_look(settings, run_id, look):
            return look
    raise AssertionError("the last look always stops")


@pytest.mark.slow
async def test_a_run_stops_at_the_look_that_decides_it(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    run_id = begin()
    last = await carry_out(settings, run_id, side)
    verdict = steps.conclude(settings, run_id)
    assert 1 < last < steps.rounds(settings, run_id) == 10
    assert verdict.outcome == "PASS"
    assert f"after look {last} of 10" in verdict.reasons[-1]
    with open_registry(settings) as registry:
        result = registry.suite_results(run_id)[0]
    # The slice alone was asked on: all that was asked is counted, estimates are of the fair part.
    assert 80 < result.planned < 2 * 40 * last
    assert result.metrics["exact"] == 1.0


@pytest.mark.slow
async def test_a_look_is_made_once_and_the_verdict_comes_from_what_is_stored(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    run_id = begin()
    last = await carry_out(settings, run_id, side)
    book = LookStore(settings.run_folder(run_id))
    before = book.path.read_bytes()
    assert [judge_look(settings, run_id, look) for look in range(1, last + 1)][-1]
    assert book.path.read_bytes() == before
    first = steps.conclude(settings, run_id)
    assert steps.conclude(settings, run_id) == first
    assert rejudge(settings, run_id) == first


@pytest.mark.slow
async def test_the_report_counts_what_killed_processes_asked(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    run_id = begin(early_stop=False)
    await ask(settings, run_id, 1, side)
    account = settings.run_folder(run_id) / "journal" / "account.jsonl"
    lines = account.read_bytes().splitlines(keepends=True)
    account.write_bytes(b"".join(lines[:-1]))  # as SIGKILL leaves it: without its last line
    await ask(settings, run_id, 1, side)
    steps.conclude(settings, run_id)
    with open_run(settings, run_id) as run:
        killed, whole = sampling_summaries(run)
        told = gather(run).sampling
        words = {pair.name: pair.value for pair in sampling(gather(run))}
    assert (killed.ended, whole.ended, whole.roles["candidate"].resumed) == (False, True, 800)
    assert 800 - 16 <= told["calls"] == killed.roles["candidate"].requests <= 800
    assert (told["killed"], told["uncounted"]) == (1, 16)
    assert words["times asking was killed and taken up again"] == "1"


@pytest.mark.slow
async def test_a_round_that_its_budget_ended_and_that_went_on_later_is_no_stop(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    run_id = begin(early_stop=False)
    with open_run(settings, run_id) as run:
        await run.evaluation.ask(1, {"candidate": side}, budget=Budget(tokens=2000))
        assert "the budget of 2,000 tokens" in stop_reasons(run)[0]
        await run.evaluation.ask(1, {"candidate": side}, budget=Budget(tokens=1_000_000))
        assert stop_reasons(run) == ()


async def test_early_stop_can_be_switched_off_for_a_run_and_by_the_policy(
    settings: Settings, begin: Any
) -> None:
    looking, whole = begin(), begin(early_stop=False)
    assert looking != whole
    assert [steps.rounds(settings, run) for run in (looking, whole)] == [10, 1]
    gate = settings.gates / "g.yaml"
    gate.write_text(GATE + "early_stop: false\n")
    assert steps.rounds(settings, begin(again="later")) == 1


async def test_a_run_goes_on_as_it_was_dealt_when_its_gate_is_edited_and_judges_no_more(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    run_id = begin()
    await ask(settings, run_id, 1, side)
    judge_look(settings, run_id, 1)
    (settings.gates / "g.yaml").write_text(GATE.replace("0.9}", "0.8}") + "early_stop: false\n")
    assert steps.rounds(settings, run_id) == 10
    for step in (
        lambda: judge_look(settings, run_id, 2),
        lambda: steps.conclude(settings, run_id),
    ):
        with pytest.raises(ConfigurationError, match="the gate was changed"):
            step()


async def test_a_run_whose_folder_lost_its_look_makes_no_other_one(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    run_id = begin()
    await ask(settings, run_id, 1, side)
    judge_look(settings, run_id, 1)
    folder = settings.run_folder(run_id)
    LookStore(folder).path.unlink()  # as a kill leaves it between the record and the store
    judge_look(settings, run_id, 1)
    assert LookStore(folder).event(1) is not None
    shutil.rmtree(folder)
    await ask(settings, run_id, 1, side)
    for step in (
        lambda: judge_look(settings, run_id, 1),
        lambda: steps.conclude(settings, run_id),
    ):
        with pytest.raises(RefusedError, match="lost the look it made"):
            step()


async def test_a_promotion_is_not_judged_again_before_it_is_judged(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    run_id = begin("promotion", early_stop=False)
    await ask(settings, run_id, 1, side)
    for policy in (None, settings.gates / "g.yaml"):
        with pytest.raises(RefusedError, match=f"gatewright resume {run_id}"):
            rejudge(settings, run_id, policy)
    verdict = steps.conclude(settings, run_id)
    assert rejudge(settings, run_id).checks == verdict.checks


@pytest.mark.slow
async def test_stored_answers_are_judged_by_another_policy_for_nothing(
    settings: Settings, begin: Any, side: EvaluatedModel, tmp_path: Path
) -> None:
    run_id = begin()
    await carry_out(settings, run_id, side)
    steps.conclude(settings, run_id)
    outcomes = []
    for bar in ("0.5", "0.97"):
        other = tmp_path / "other.yaml"
        other.write_text(GATE.replace("at_least: 0.5", f"at_least: {bar}").replace("0.9}", "0.6}"))
        outcomes.append(rejudge(settings, run_id, other).outcome)
    assert outcomes == ["PASS", "INCONCLUSIVE"]
    (tmp_path / "wrong.yaml").write_text(GATE.replace("metric: exact", "metric: exakt"))
    with pytest.raises(ConfigurationError, match="did you mean 'exact'"):
        rejudge(settings, run_id, tmp_path / "wrong.yaml")


@pytest.mark.slow
async def test_a_plan_rests_on_the_last_run(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    before = plan_target(settings, "t")
    run_id = begin(early_stop=False)
    await carry_out(settings, run_id, side)
    steps.conclude(settings, run_id)
    after = plan_target(settings, "t")
    assert (before.roles, before.calls, before.checks[0].power) == (1, 800, None)
    assert after.source == f"run {run_id}"
    assert after.checks[0].power == pytest.approx(1.0)


def test_a_stated_discordance_plans_the_comparison_before_anything_is_live(
    settings: Settings,
) -> None:
    gate = settings.gates / "g.yaml"
    gate.write_text(GATE.replace("at_least: 0.5", "at_least: 0.5\n    max_drop: 0.1"))
    alone, compared = plan_target(settings, "t"), plan_target(settings, "t", differing=0.1)
    assert (alone.roles, alone.left_out, len(alone.checks)) == (1, 1, 2)
    assert (compared.roles, compared.left_out, len(compared.checks)) == (2, 0, 3)
    assert compared.overall_power is not None


def test_a_target_says_how_often_cases_are_asked_and_else_the_suite_does(
    settings: Settings, begin: Any
) -> None:
    suite = settings.datasets / "s" / "suite.yaml"
    suite.write_text(json.dumps(json.loads(suite.read_text()) | {"repeats": 3}))
    stated = load_plan(settings, "t")
    assert (stated.repeats, estimate_run(stated, "candidate", "ours", None).calls) == (
        {"s": 2},
        800,
    )
    target = settings.targets / "t.yaml"
    target.write_text(TARGET.replace("sampling: {repeats: 2}\n", ""))
    own = load_plan(settings, "t")
    assert (own.repeats, estimate_run(own, "candidate", "ours", None).calls) == ({"s": 3}, 1200)
    assert plan_target(settings, "t").calls == 1200
    with open_run(settings, begin()) as run:
        run.keep_deal()
        run_id = run.record.run_id
    suite.write_text(json.dumps(json.loads(suite.read_text()) | {"repeats": 5}))
    with open_run(settings, run_id) as run:  # a run goes on as it began
        assert run.evaluation.repeats_of(run.plan.suites[0]) == 3


@pytest.mark.slow
async def test_a_model_is_judged_against_itself_from_its_repeats(
    settings: Settings, begin: Any, side: EvaluatedModel
) -> None:
    run_id = begin(early_stop=False)
    await ask(settings, run_id, 1, side)
    with pytest.raises(ValueError, match="a gate that compares"):
        judge_against_itself(settings, run_id)
    (settings.gates / "g.yaml").write_text(GATE + "  - {metric: exact, max_drop: 0.05}\n")
    found = judge_against_itself(settings, run_id)
    assert (found.repeats, found.false_fails, found.verdicts) == (2, 0, {"PASS": 2})
