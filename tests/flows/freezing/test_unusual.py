"""What freezes, prompts, files and frozen answers come to when something unusual is done to them."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from aiohttp import web
from support.letters import ModelHost
from support.succession import CASES, Succession, model

from evals.errors import ConfigurationError, InfrastructureError
from evals.evaluation.kept_answers import KeptAnswersError
from flows.evaluation.kept.frozen import frozen_folder, open_frozen
from flows.freezing.freeze import freeze, question_of
from flows.freezing.prompts import read_prompts
from flows.registry.opening import open_registry
from flows.release.go_live import go_live

pytestmark = pytest.mark.slow

V1 = model("v1")


async def test_lost_answers_freeze_nothing_unless_it_is_said_that_they_may_be_lost(
    line: Succession, host: ModelHost
) -> None:
    line.change(
        line.targets / "line.yaml",
        "max_attempts: 1",
        "max_attempts: 1, lost_answers: {attempts: 1, wait: 0s}",
    )
    well = host.say
    assert well is not None

    def lose(asked: str, text: str) -> str:
        if "number 7 " in text:
            raise web.HTTPInternalServerError
        return well(asked, text)

    host.say = lose
    with pytest.raises(InfrastructureError, match=r"1 answers .* were lost"):
        await freeze(question_of(line.settings, "line", repeats=1))
    with open_registry(line.settings) as registry:
        assert registry.frozen("line") == ()
    before = host.asked[V1]
    done = await freeze(question_of(line.settings, "line", repeats=1), with_losses=True)
    assert (done.on_record.baseline.lost, done.on_record.baseline.answers) == (1, CASES - 1)
    assert host.asked[V1] - before <= 2, "what was answered is not asked again"


async def test_two_freezes_of_the_same_at_once_come_to_one(
    line: Succession, host: ModelHost
) -> None:
    before = host.asked[V1]
    questions = [question_of(line.settings, "line", repeats=1) for _ in range(2)]
    found = await asyncio.gather(*map(freeze, questions), return_exceptions=True)
    with open_registry(line.settings) as registry:
        (one,) = registry.frozen("line")
    assert one.baseline.answers == CASES
    assert host.asked[V1] - before <= CASES + 5
    for other in found:
        if isinstance(other, BaseException):
            assert isinstance(other, InfrastructureError), other
            assert "another process" in str(other)


async def test_what_nobody_went_on_with_for_long_goes_with_the_next_freeze(
    line: Succession,
) -> None:
    abandoned = line.home / "freezing" / f"line-{'0' * 16}"
    recent = line.home / "freezing" / f"line-{'1' * 16}"
    others = line.home / "freezing" / f"line-two-{'0' * 16}"
    for folder in (abandoned, recent, others):
        folder.mkdir(parents=True)
        (folder / "freezing.json").write_text("{}")
        if folder != recent:
            os.utime(folder / "freezing.json", (0, 0))
    await freeze(question_of(line.settings, "line", repeats=1))
    assert set((line.home / "freezing").iterdir()) == {recent, others}


def prompts_file(line: Succession, text: bytes) -> list[str]:
    path = line.folder / "production.jsonl"
    path.write_bytes(text)
    return [case.id for case in read_prompts(path, ()).suite.cases]


def prompt(text: str, **more: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode() + b"\n"


def test_prompts_as_they_come_are_read(line: Succession) -> None:
    bom = b"\xef\xbb\xbf"
    assert prompts_file(
        line, bom + prompt("a", id="../../etc/passwd") + b"\n  \n" + prompt("b", id="x/y")
    ) == [
        "../../etc/passwd",
        "x/y",
    ]
    assert len(prompts_file(line, prompt("x" * 3_000_000) + prompt("\u2028\u0000"))) == 2
    with pytest.raises(ConfigurationError) as refused:
        prompts_file(line, prompt("a") + b"{broken\n" + b"[1]\n" + b"\xff\xfe\n" + prompt("b"))
    assert [problem.line for problem in refused.value.problems] == [2, 3, 4]


async def test_ids_like_paths_are_only_names(line: Succession) -> None:
    path = line.folder / "production.jsonl"
    path.write_bytes(prompt("Is number 7 right?", id="../../../evil"))
    done = await freeze(question_of(line.settings, "line", repeats=1, prompts=path))
    assert done.on_record.baseline.answers == CASES + 1
    assert not list(line.folder.parent.rglob("evil*"))


async def test_a_file_of_frozen_answers_that_is_cut_off_is_an_error_and_no_traceback(
    frozen: Succession,
) -> None:
    with open_registry(frozen.settings) as registry:
        one = registry.frozen("line")[0].baseline
    for name in ("line.jsonl.zst", "sealed/line.scores.jsonl.zst", "kept.json"):
        path = frozen_folder(frozen.settings, one) / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-7])
        with pytest.raises(KeptAnswersError, match="was altered"):
            open_frozen(frozen.settings, one)
        refused = frozen.command("plan", "line", "--against", "frozen")
        assert (refused.code != 0, "Traceback" in refused.err, "bug" in refused.err) == (
            True,
            False,
            False,
        )
        path.write_bytes(whole)
    open_frozen(frozen.settings, one)


async def test_after_a_rollback_a_promotion_against_frozen_answers_waits_for_the_hold_to_be_released(
    frozen: Succession, host: ModelHost
) -> None:
    host.gone.add(V1)
    with open_registry(frozen.settings) as registry:
        registry.hold("line", actor="ana", reason="incident")
    run_id, verdict = await frozen.judged("v2", wrong=4)
    assert verdict.outcome == "PASS"
    assert (await go_live(frozen.settings, run_id)).state != "live"
    with open_registry(frozen.settings) as registry:
        registry.release("line", actor="ana", reason="over")
    outcome = await go_live(frozen.settings, run_id)
    assert outcome.state == "live", outcome.detail
