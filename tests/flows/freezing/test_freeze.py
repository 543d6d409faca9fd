"""The live model is frozen while it answers: everything asked, kept, signed, on record; nothing asked twice."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support.letters import ModelHost
from support.project import FOREIGN
from support.promoted import new_signing_key
from support.succession import CASES, Succession, model

from evals.errors import ConfigurationError, RefusedError, SamplingError
from evals.evaluation.kept_answers import KeptAnswersError
from flows.evaluation.kept.frozen import frozen_folder, open_frozen
from flows.freezing.freeze import Frozen, freeze, question_of
from flows.freezing.statement import statement_problems
from flows.housekeeping.answer_cache import prune_answers
from flows.registry.opening import open_registry
from flows.release.signing import verifying_key

pytestmark = pytest.mark.slow

PROMPT = {"messages": [{"role": "user", "content": "Is number 7 right?"}]}


def write_prompts(line: Succession, *lines: object) -> Path:
    path = line.folder / "production.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


async def frozen(line: Succession, repeats: int = 1, **how: object) -> Frozen:
    return await freeze(question_of(line.settings, "line", repeats=repeats, **how))  # type: ignore[arg-type]


async def test_every_case_is_asked_so_often_and_kept_with_scores_and_statement(
    line: Succession, host: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", new_signing_key())
    before = host.asked[model("v1")]
    done = await frozen(line, repeats=2, prompts=write_prompts(line, PROMPT, PROMPT))
    one = done.on_record.baseline
    assert host.asked[model("v1")] - before == 2 * CASES + 2, "a prompt twice in the file is one"
    assert (one.model_id, one.answers, one.repeats) == (model("v1"), 2 * CASES + 2, 2)
    assert (one.prompts, one.prompt_count, one.generation) == ("production", 1, 1)
    (result,) = (result for result in one.results if result.suite == "line")
    assert result.metrics["exact"] == pytest.approx(1 - 2 / CASES)
    assert result.metrics["latency_mean_ms"] is not None
    key = verifying_key()
    assert isinstance(key, Ed25519PublicKey)
    assert statement_problems(one, done.on_record.envelope, key) == ()
    with open_registry(line.settings) as registry:
        assert registry.verify() == ()
        assert registry.history("line")[0].kind == "frozen"


async def test_the_same_question_is_frozen_once_and_again_only_when_asked_for(
    line: Succession, host: ModelHost
) -> None:
    first = await frozen(line)
    before = host.asked[model("v1")]
    second = await frozen(line)
    assert (second.new, second.on_record) == (False, first.on_record)
    assert host.asked[model("v1")] == before
    third = await frozen(line, again=True)
    assert third.new
    assert third.on_record.baseline.frozen_id != first.on_record.baseline.frozen_id


async def test_a_freeze_that_was_stopped_asks_only_what_has_no_answer(
    line: Succession, host: ModelHost
) -> None:
    line.change(
        line.targets / "line.yaml", "max_attempts: 1", "max_attempts: 1, budget_tokens: 20000"
    )
    with pytest.raises(RefusedError, match="budget"):
        await frozen(line)
    answered = host.asked[model("v1")]
    line.change(line.targets / "line.yaml", "budget_tokens: 20000", "budget_tokens: 900000")
    done = await frozen(line)
    assert done.on_record.baseline.answers == CASES
    assert host.asked[model("v1")] <= answered + CASES - 50, "what was answered is not asked again"


async def test_a_model_that_answers_no_more_is_not_frozen(
    line: Succession, host: ModelHost
) -> None:
    host.gone.add(model("v1"))
    with pytest.raises(SamplingError, match="not deployed there"):
        await frozen(line)
    with open_registry(line.settings) as registry:
        assert registry.frozen("line") == ()


async def test_nothing_prunes_it_and_what_was_altered_is_told(line: Succession) -> None:
    one = (await frozen(line)).on_record.baseline
    prune_answers(line.settings)
    open_frozen(line.settings, one)
    folder = frozen_folder(line.settings, one)
    (book,) = (folder / "scores").iterdir()
    was = book.read_bytes()
    book.write_bytes(was.replace(b'"value":0', b'"value":1'))
    open_frozen(line.settings, one)
    assert book.read_bytes() == was, "scores are those that were made then"
    answers = folder / "line.jsonl.zst"
    answers.write_bytes(answers.read_bytes()[:-1] + b"x")
    with pytest.raises(KeptAnswersError, match="was altered"):
        open_frozen(line.settings, one)
    answers.unlink()
    with pytest.raises(KeptAnswersError, match="is missing"):
        open_frozen(line.settings, one)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{}], "production.jsonl:1: field 'messages':"),
        ([PROMPT, {**PROMPT, "expected": "yes"}], "production.jsonl:2: field 'expected':"),
        ([{"messages": [{"role": "user", "content": ""}]}], ":1: field 'messages[0].content':"),
        ([{"messages": [{"role": "usr", "content": "x"}]}], ":1: field 'messages':"),
        (
            [{"messages": [*PROMPT["messages"], {"role": "assistant", "content": "yes"}]}],
            ":1: field 'messages[1]':",
        ),
        ([{**PROMPT, "modle": "x"}], ":1: field 'modle': unknown key"),
        ([{**PROMPT, "id": "a"}, {**PROMPT, "id": "a"}], ":2: field 'id':"),
        ([], "expected at least one case"),
    ],
)
def test_what_is_wrong_with_prompts_is_said_by_line_and_field_before_anything_is_asked(
    line: Succession, lines: list[object], said: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        question_of(line.settings, "line", prompts=write_prompts(line, *lines))
    assert said in str(refused.value)


def test_a_target_that_left_its_platform_already_is_told_so(line: Succession) -> None:
    target = line.targets / "line.yaml"
    line.change(target, "platform: openai\nopenai: ", "platform: embedded\n# openai: ")
    with pytest.raises(ConfigurationError, match="is live; found embedded"):
        question_of(line.settings, "line")


def test_nothing_live_is_nothing_to_freeze(line: Succession) -> None:
    with open_registry(line.settings) as registry:
        registry.withdraw("line", expected_generation=1, actor="ana", reason="over")
    with pytest.raises(ConfigurationError, match="nothing to freeze"):
        question_of(line.settings, "line")


async def test_a_freeze_that_was_killed_goes_on_and_asks_nothing_twice(
    line: Succession, host: ModelHost
) -> None:
    line.change(line.targets / "line.yaml", "max_attempts: 1", "max_attempts: 1, concurrency: 4")
    already = host.asked[model("v1")]
    arguments = ("-m", "flows.cli", "freeze", "line", "--repeats", "2", "--json")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=line.folder,
        env={**clean, **line.environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    while host.asked[model("v1")] - already < 100 and process.returncode is None:
        await asyncio.sleep(0.005)
    process.kill()
    await process.wait()
    with open_registry(line.settings) as registry:
        assert registry.frozen("line") == ()
    done = await frozen(line, repeats=2)
    assert (done.new, done.on_record.baseline.answers) == (True, 2 * CASES)
    assert host.asked[model("v1")] - already <= 2 * CASES + 5, "what was in flight at most"
    assert list((line.home / "freezing").iterdir()) == [], "nothing of it is left over"
