"""An OpenAI eval comes home: the same questions, the same graders, the same scores as worked by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.errors import ConfigurationError
from evals.graders.base import grade_response
from evals.graders.model_client import JudgeAnswer, JudgeQuestion
from evals.records import Response
from evals.suites.import_chat import import_chat
from evals.suites.import_openai_eval import import_eval
from evals.suites.opened import open_suite

EVAL = {
    "object": "eval",
    "id": "eval_68a",
    "created_at": 1795250000,
    "name": "Ticket triage v3",
    "metadata": {},
    "data_source_config": {
        "type": "custom",
        "schema": {
            "type": "object",
            "properties": {
                "item": {
                    "type": "object",
                    "properties": {"ticket": {"type": "string"}, "label": {"type": "string"}},
                    "required": ["ticket", "label"],
                },
                "sample": {"type": "object"},
            },
        },
    },
    "testing_criteria": [
        {
            "type": "string_check",
            "id": "exact-0b9a4f6e-1111-2222-3333-123456789abc",
            "name": "exact-0b9a4f6e-1111-2222-3333-123456789abc",
            "input": "{{sample.output_text}}",
            "operation": "eq",
            "reference": "{{item.label}}",
        },
        {
            "type": "text_similarity",
            "name": "close match",
            "input": "{{ sample.output_text }}",
            "reference": "{{ item.label }}",
            "evaluation_metric": "fuzzy_match",
            "pass_threshold": 0.8,
        },
        {
            "type": "python",
            "name": "short",
            "source": "def grade(sample, item):\n    return 1.0 if len(sample['output_text']) < 10 else 0.25\n",
            "image_tag": "2025-05-08",
            "pass_threshold": 1.0,
        },
        {
            "type": "multi",
            "name": "blend",
            "calculate_output": "0.5 * a + 0.5 * b",
            "graders": {
                "a": {
                    "type": "string_check",
                    "name": "a",
                    "input": "{{sample.output_text}}",
                    "operation": "ilike",
                    "reference": "{{item.label}}",
                },
                "b": {
                    "type": "string_check",
                    "name": "b",
                    "input": "{{sample.output_text}}",
                    "operation": "ne",
                    "reference": "unknown",
                },
            },
        },
    ],
}
RUN = {
    "object": "eval.run",
    "data_source": {
        "type": "completions",
        "model": "cand-3f9a",
        "source": {"type": "file_id", "id": "file-1"},
        "input_messages": {
            "type": "template",
            "template": [
                {
                    "type": "message",
                    "role": "system",
                    "content": {"type": "input_text", "text": "One label."},
                },
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "{{item.ticket}}"}],
                },
            ],
        },
        "sampling_params": {
            "temperature": 0,
            "max_completion_tokens": 16,
            "seed": 7,
            "top_p": 1,
            "reasoning_effort": None,
        },
    },
}
ITEMS = [
    {"item": {"ticket": "Where is my parcel?", "label": "shipping"}},
    {"item": {"ticket": "Charged twice", "label": "billing"}},
    {"item": {"ticket": "It crashes", "label": "bug"}},
]


def put(path: Path, data: Any) -> Path:
    lines = data if isinstance(data, list) else None
    path.write_text("\n".join(map(json.dumps, lines)) if lines is not None else json.dumps(data))
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {
        "definition": put(tmp_path / "eval.json", EVAL),
        "data": put(tmp_path / "data.jsonl", ITEMS),
        "run": put(tmp_path / "run.json", RUN),
        "folder": tmp_path / "suites" / "triage",
    }


def bring(files: dict[str, Path], **change: Any) -> Any:
    given = {**files, **change}
    return import_eval(given["definition"], given["data"], given["folder"], run=given["run"])


async def test_an_imported_eval_gives_the_scores_worked_by_hand(files) -> None:
    imported = bring(files)
    assert (imported.cases, imported.graders) == (3, ("exact", "close_match", "short", "blend"))
    opened = open_suite(files["folder"])
    suite = opened.suite
    assert suite.name == "ticket-triage-v3"
    assert [message.content for message in suite.cases[0].messages] == [
        "One label.",
        "Where is my parcel?",
    ]
    assert suite.sampling == {"temperature": 0, "max_completion_tokens": 16, "seed": 7, "top_p": 1}
    said = ["shipping", "Billing and payment", "unknown"]
    found = []
    for case, text in zip(suite.cases, said, strict=True):
        response = Response(case_id=case.id, model_id="m", outcome="answered", text=text)
        scores = await grade_response(opened.graders, case, response)
        found.append({score.grader: score.value for score in scores})
    # By hand: 'billing' in 'billing and payment' is a whole partial match, which WRatio weighs with 0.9; of 'unknown'
    # the 'u' at best is like 'bug', 2 of 4 letters, weighed likewise.
    assert found == [
        {
            "exact": 1,
            "close_match": 1,
            "close_match.passed": 1,
            "short": 1,
            "short.passed": 1,
            "blend": 1,
        },
        {
            "exact": 0,
            "close_match": 0.9,
            "close_match.passed": 1,
            "short": 0.25,
            "short.passed": 0,
            "blend": 1,
        },
        {
            "exact": 0,
            "close_match": 0.45,
            "close_match.passed": 0,
            "short": 1,
            "short.passed": 1,
            "blend": 0,
        },
    ]


JUDGES = [
    {
        "type": "score_model",
        "name": "tone",
        "model": "gpt-4.1",
        "range": [0, 10],
        "pass_threshold": 6,
        "sampling_params": {"temperature": 0, "max_completions_tokens": 64},
        "input": [
            {"role": "developer", "content": "Rate."},
            {
                "type": "message",
                "role": "user",
                "content": {
                    "type": "input_text",
                    "text": "{{item.ticket}}: {{sample.output_text}}",
                },
            },
        ],
    },
    {
        "type": "label_model",
        "name": "kind",
        "model": "gpt-4.1",
        "labels": ["fit", "unfit"],
        "passing_labels": ["fit"],
        "input": [{"role": "user", "content": "Label {{sample.output_text}}"}],
    },
]


class Judge:
    """Says what a rule of thumb says, so that its verdicts can be foretold."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def ask(self, question: JudgeQuestion) -> JudgeAnswer:
        texts = [str(message.content) for message in question.messages]
        self.asked.append(texts)
        fits = "parcel" in texts[-1] or texts[-1] == "Label shipping"
        verdict = (12 if fits else 3.5) if texts[0] == "Rate." else ("fit" if fits else "unfit")
        return JudgeAnswer(text=json.dumps({"steps": [], "result": verdict}))


async def test_graders_that_ask_a_model_come_along_and_say_which(files, tmp_path) -> None:
    notes = bring(
        files, definition=put(tmp_path / "j.json", EVAL | {"testing_criteria": JUDGES})
    ).notes
    assert "tone, kind ask gpt-4.1: a target has to name it, judge: {model: gpt-4.1}" in notes, (
        notes
    )
    judge = Judge()
    opened = open_suite(files["folder"], judge)
    found = []
    for case, text in zip(opened.suite.cases, ["shipping", "billing", "bug"], strict=True):
        response = Response(case_id=case.id, model_id="m", outcome="answered", text=text)
        scores = await grade_response(opened.graders, case, response)
        found.append([score.value for score in scores])
    # By hand: 12 is clipped to 10, which is all of the range and passes; 3.5 of 10 is 0.35 and does not reach 6.
    assert found == [[1, 1, 1], [0.35, 0, 0], [0.35, 0, 0]]
    assert judge.asked[0] == ["Rate.", "Where is my parcel?: shipping"]


def test_a_run_of_the_responses_api_is_put_into_the_words_of_a_suite(files, tmp_path) -> None:
    items = [
        {
            "item": {
                "ticket": "x",
                "label": "y",
                "chat": {
                    "turns": [
                        {"type": "message", "role": "user", "content": {"type": "input_text", "text": "a"}},
                        {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
                        {"role": "user", "content": "c"},
                    ]
                },
            },
            "sample": {"output_text": "old"},
        }
    ]  # fmt: skip
    function = {"name": "lookup", "parameters": {"type": "object"}}
    source = {
        "type": "responses",
        "input_messages": {"type": "item_reference", "item_reference": "item.chat.turns"},
        "sampling_params": {
            "max_output_tokens": 20,
            "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
            "tools": [{"type": "function", **function}],
            "logit_bias": {},
        },
    }
    notes = bring(
        files,
        data=put(tmp_path / "d.jsonl", items),
        run=put(tmp_path / "r.json", {"data_source": source}),
    ).notes
    suite = open_suite(files["folder"]).suite
    assert [(turn.role, turn.content) for turn in suite.cases[0].messages] == [
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
    ]
    assert suite.sampling == {"max_completion_tokens": 20, "reasoning_effort": "low"}
    schema = {"name": "n", "schema": {"type": "object"}}
    assert suite.response_format == {"type": "json_schema", "json_schema": schema}
    assert suite.tools == [{"type": "function", "function": function}]
    told = " ".join(notes)
    for part in ("'logit_bias' is left out", "api: responses", "answers that came with the data"):
        assert part in told


def test_a_run_that_graded_given_answers_asks_nothing(files, tmp_path) -> None:
    run = put(tmp_path / "r.json", {"data_source": {"type": "jsonl"}})
    with pytest.raises(ConfigurationError, match="found one of type 'jsonl', which grades given"):
        bring(files, run=run)


def test_the_data_of_an_eval_is_not_taken_for_a_fine_tuning_file(files) -> None:
    with pytest.raises(ConfigurationError, match=r"suite import EVAL\.json --data data\.jsonl"):
        import_chat(files["data"], files["folder"])


def test_generated_and_odd_names_are_told(files) -> None:
    notes = bring(files).notes
    assert any("'exact'" in note for note in notes)
    assert any("grader 'close match' is called 'close_match'" in note for note in notes)


def test_the_item_schema_holds_for_the_cases(files, tmp_path) -> None:
    bring(files)
    line = (files["folder"] / "cases.jsonl").read_text().replace('"ticket":"It crashes",', "")
    (files["folder"] / "cases.jsonl").write_text(line)
    with pytest.raises(
        ConfigurationError, match=r"cases\.jsonl:3: field 'item': expected a key 'ticket'"
    ):
        open_suite(files["folder"])


def test_a_definition_as_it_was_created_works_too(files, tmp_path) -> None:
    config = {
        "type": "custom",
        "item_schema": EVAL["data_source_config"]["schema"]["properties"]["item"],
    }
    created = {key: EVAL[key] for key in ("name", "testing_criteria")} | {
        "data_source_config": config
    }
    bring(files, definition=put(tmp_path / "created.json", created))
    assert (files["folder"] / "case.schema.json").exists()


def test_the_run_may_hold_the_items_and_the_item_the_messages(files, tmp_path) -> None:
    items = [
        {
            "item": {
                "ticket": "x",
                "label": "y",
                "id": f"own-{n}",
                "messages": [{"role": "user", "content": f"q{n}"}],
            }
        }
        for n in range(2)
    ]
    source = {
        "source": {"type": "file_content", "content": items},
        "input_messages": {"type": "item_reference", "item_reference": "item.messages"},
    }
    bring(files, data=None, run=put(tmp_path / "r.json", {"data_source": source}))
    cases = open_suite(files["folder"]).suite.cases
    assert [(case.id, case.messages[0].content) for case in cases] == [
        ("own-0", "q0"),
        ("own-1", "q1"),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"testing_criteria": [{"type": "endpoint", "name": "e"}]},
            "a grader of type 'endpoint' can't run here",
        ),
        ({"testing_criteria": []}, "expected at least one grader"),
    ],
)
def test_what_cannot_run_here_is_refused_and_nothing_written(change, said, files, tmp_path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bring(files, definition=put(tmp_path / "other.json", EVAL | change))
    assert said in str(caught.value)
    assert not files["folder"].exists()


def test_without_a_run_it_says_what_is_missing(files) -> None:
    with pytest.raises(ConfigurationError, match="expected a run that says what to ask"):
        bring(files, run=None)


def test_pictures_are_refused(files, tmp_path) -> None:
    run = json.loads(json.dumps(RUN))
    run["data_source"]["input_messages"]["template"][1]["content"] = [
        {"type": "input_image", "image_url": "x"}
    ]
    with pytest.raises(ConfigurationError, match="pictures and sound"):
        bring(files, run=put(tmp_path / "r.json", run))


def test_a_folder_with_files_is_left_alone(files) -> None:
    files["folder"].mkdir(parents=True)
    (files["folder"] / "mine.txt").write_text("x")
    with pytest.raises(ConfigurationError, match="found files in it"):
        bring(files)
    assert [path.name for path in files["folder"].iterdir()] == ["mine.txt"]


def test_a_broken_data_line_is_named(files) -> None:
    files["data"].write_text('{"item": {}}\n{"item": \n')
    with pytest.raises(ConfigurationError, match=r"data\.jsonl:2: expected a JSON object"):
        bring(files)
