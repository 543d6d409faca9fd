"""OpenAI's graders do here what their JSON says."""

from __future__ import annotations

import json
import re

import pytest

from evals.errors import ConfigurationError

CHECK = {
    "name": "c",
    "type": "string_check",
    "input": "{{sample.output_text}}",
    "reference": "{{item.right}}",
}


@pytest.mark.parametrize(
    ("operation", "answer", "value"),
    [
        ("eq", "Yes", 1),
        ("eq", "yes", 0),
        ("eq", " Yes", 0),
        ("ne", "yes", 1),
        ("ne", "Yes", 0),
        ("like", "Oh Yes!", 1),
        ("like", "oh yes", 0),
        ("ilike", "oh yes", 1),
        ("ilike", "no", 0),
        ("like", "Y%s", 0),
    ],
)
async def test_string_check_compares(operation, answer, value, grade) -> None:
    scores = await grade({**CHECK, "operation": operation}, answer, item={"right": "Yes"})
    assert scores["c"].value == value


def test_an_item_that_lacks_a_variable_is_refused_when_opened(opened) -> None:
    with pytest.raises(ConfigurationError, match=r"cases\.jsonl:1: field 'item\.right'"):
        opened({**CHECK, "operation": "eq"}, [{}])


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ case.x }}", "found '{{ case.x }}'"),
        ("{{ sample.", "expected '}}' after '{{'"),
        ("{{ input.col }}", "found '{{ input.col }}'"),
        ("{{ sample.output_txt }}", "did you mean 'output_text'?"),
    ],
)
def test_a_foreign_or_broken_template_is_refused(template, said, opened) -> None:
    with pytest.raises(ConfigurationError, match=f"grader 'c'.*{re.escape(said)}"):
        opened({**CHECK, "operation": "eq", "input": template}, [{"item": {"right": "x"}}])


async def test_an_answer_that_lacks_what_is_asked_of_it_scores_0(grade) -> None:
    grader = {**CHECK, "operation": "eq", "input": "{{sample.output_json.label}}"}
    for answer in ("no JSON", "{}", "[1]"):
        score = (await grade(grader, answer, item={"right": "x"}))["c"]
        assert score.value == 0.0
        assert "sample.output_json" in score.reason


async def test_tool_calls_can_be_checked(grade) -> None:
    grader = {**CHECK, "operation": "eq", "input": "{{sample.output_tools[0].function.name}}"}
    calls = [{"type": "function", "function": {"name": "refund", "arguments": "{}"}}]
    assert (await grade(grader, None, item={"right": "refund"}, tool_calls=calls))["c"].value == 1.0


SCORE = {
    "name": "s",
    "type": "score_model",
    "model": "judge",
    "range": [1, 5],
    "pass_threshold": 3,
    "sampling_params": {"temperature": 0, "seed": 7, "max_completions_tokens": 99},
    "input": [
        {"role": "developer", "content": {"type": "input_text", "text": "Rate it."}},
        {"role": "user", "content": [{"type": "input_text", "text": "{{sample.output_text}}"}]},
    ],
}


async def test_score_model_asks_the_judge_with_filled_messages(grade, scripted) -> None:
    model_client = scripted(['{"steps": [], "result": 3}'])
    scores = await grade(SCORE, "Hello {{ item.text }}", model_client=model_client)
    assert (scores["s"].value, scores["s.passed"].value) == (0.5, 1.0)
    question = model_client.questions[0]
    assert [message.content for message in question.messages] == [
        "Rate it.",
        "Hello {{ item.text }}",
    ]
    assert (question.model, question.settings.seed, question.settings.max_completion_tokens) == (
        "judge",
        7,
        99,
    )


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"result": 9}', 1.0),
        ('{"result": -9}', 0.0),
        ('{"result": "5"}', 0.0),
        ('{"result": true}', 0.0),
        ("five", 0.0),
        ('```json\n{"result": 5}\n```', 1.0),
        (None, None),
    ],
)
async def test_score_model_clips_and_reads_strictly(reply, value, grade, scripted) -> None:
    assert (await grade(SCORE, "x", model_client=scripted([reply])))["s"].value == value


async def test_without_a_judge_to_ask_nothing_is_scored(grade) -> None:
    scores = await grade(SCORE, "x")
    assert all(score.unscored for score in scores.values())


async def test_a_judge_never_judges_itself(grade, scripted) -> None:
    scores = await grade({**SCORE, "model": "m"}, "x", model_client=scripted(['{"result": 5}']))
    assert scores["s"].unscored
    assert "its own" in scores["s"].reason


PYTHON = {"name": "p", "type": "python"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("return len(sample['output_text']) / 10", 0.4),
        ("return 7", 1.0),
        ("return -1", 0.0),
        ("return True", 1.0),
        ("return 'a'", 0.0),
        ("return None", 0.0),
        ("return float('nan')", 0.0),
        ("raise SystemExit", 0.0),
        ("return item['absent']", 0.0),
        ("print('noise'); return 1", 1.0),
        ("return float(sample['choices'][0]['message']['content'] == 'abcd')", 1.0),
        ("import socket; socket.create_connection(('127.0.0.1', 9)); return 1", 0.0),
        ("import subprocess; subprocess.run(['true']); return 1", 0.0),
        ("import os; return float(len(os.environ) < 6)", 1.0),
        ("import os; return float(not os.listdir('.'))", 1.0),
    ],
)
async def test_python_returns_its_number_and_0_for_everything_else(body, value, grade) -> None:
    grader = {**PYTHON, "source": f"def grade(sample, item):\n    {body}\n"}
    assert (await grade(grader, "abcd"))["p"].value == value


@pytest.mark.parametrize(
    ("body", "within_s", "said"),
    [
        ("while True: pass", 1, "took longer than 1 s"),
        ("import os; os._exit(3)", 600, "ended (exit 3)"),
    ],
)
async def test_a_python_process_that_had_to_be_ended_judged_nothing(
    body, within_s, said, grade
) -> None:
    grader = {**PYTHON, "timeout_s": within_s, "source": f"def grade(sample, item):\n    {body}\n"}
    score = (await grade(grader, "abcd"))["p"]
    assert score.unscored
    assert said in score.reason


async def test_a_source_without_grade_is_unscored_and_says_so(grade) -> None:
    score = (await grade({**PYTHON, "source": "x = 1\n"}, "abcd"))["p"]
    assert score.unscored
    assert "KeyError: 'grade'" in score.reason


def test_a_sandbox_serves_many_answers_and_comes_back_after_a_crash() -> None:
    from evals.graders.openai.sandbox import Sandbox, SandboxError

    source = "import os\ndef grade(sample, item):\n    if item: os._exit(1)\n    return os.getpid() % 7 / 7\n"
    sandbox = Sandbox(source)
    first = sandbox.grade({}, {}).value
    assert sandbox.grade({}, {}).value == first
    with pytest.raises(SandboxError):
        sandbox.grade({}, {"end": True})
    assert sandbox.grade({}, {}).value is not None
    sandbox.close()


def test_memory_has_a_ceiling() -> None:
    from evals.graders.openai.sandbox import Sandbox

    sandbox = Sandbox(
        "def grade(sample, item):\n    return len(bytearray(1 << 30)) * 0\n", memory_mb=512
    )
    assert "MemoryError" in sandbox.grade({}, {}).error
    sandbox.close()


MULTI = {
    "name": "m",
    "type": "multi",
    "calculate_output": "0.6 * label + 0.4 * tone ^ 2",
    "graders": {
        "label": {
            "type": "string_check",
            "name": "label",
            "input": "{{sample.output_json.label}}",
            "operation": "eq",
            "reference": "{{item.label}}",
        },
        "tone": {
            "type": "score_model",
            "name": "tone",
            "model": "judge",
            "input": [{"role": "user", "content": "{{sample.output_text}}"}],
        },
    },
}


async def test_multi_puts_raw_scores_into_its_formula(grade, scripted) -> None:
    score = (
        await grade(
            MULTI,
            '{"label": "bug"}',
            item={"label": "bug"},
            model_client=scripted(['{"result": 0.5}']),
        )
    )["m"]
    assert score.value == pytest.approx(0.7)
    assert score.reason == "label 1, tone 0.5"


async def test_multi_is_unscored_when_a_part_is(grade, scripted) -> None:
    score = (
        await grade(
            MULTI,
            json.dumps({"label": "bug"}),
            item={"label": "bug"},
            model_client=scripted([None]),
        )
    )["m"]
    assert score.unscored
    assert score.reason.startswith("tone: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"calculate_output": "label + other"}, "'other' is none of the graders"),
        ({"calculate_output": "label +"}, "expected a number"),
        ({"calculate_output": "a", "graders": {"a": {"type": "multi"}}}, "expected one of"),
        (
            {
                "graders": {
                    "label": {"type": "string_check", "operation": "eq"},
                    "tone": MULTI["graders"]["tone"],
                }
            },
            "needs a key 'input'",
        ),
    ],
)
def test_a_multi_that_cannot_work_is_refused(change, said, opened) -> None:
    with pytest.raises(ConfigurationError) as caught:
        opened({**MULTI, **change}, [{"item": {"label": "x"}}])
    assert said in str(caught.value)
