"""`gatewright suite …` on suites in a temporary folder, each command in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SUITE = """\
version: 1
name: colours
prompt: [{role: user, content: "What colour is {{ item.thing }}?"}]
graders: [{name: colour, type: label, labels: [red, green, blue]}]
tags: [kind]
training: train.jsonl
"""
THINGS = [
    "grass after rain",
    "the sky at noon",
    "a ripe tomato",
    "deep ocean water",
    "a fire engine",
    "moss on a stone",
]
COLOURS = ["green", "blue", "red", "blue", "red", "green"]


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def cases() -> list[dict]:
    return [
        {
            "id": f"c{number}",
            "item": {"thing": thing},
            "expected": colour,
            "tags": {"kind": "nature" if number % 2 else "thing"},
        }
        for number, (thing, colour) in enumerate(zip(THINGS, COLOURS, strict=True))
    ]


def example(question: str, answer: str) -> dict:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


@pytest.fixture
def suite(project) -> Path:
    folder = project.datasets / "colours"
    folder.mkdir()
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "cases.jsonl").write_text(lines(cases()))
    (folder / "train.jsonl").write_text(
        lines(
            [
                example("What colour is snow?", "white"),
                example("what colour is THE SKY at noon", "blue"),
                example("What colour is a fire engine, then?", "red"),
            ]
        )
    )
    return folder


def test_check_names_and_counts_the_cases_that_were_trained_on(project, suite):
    answer = project.command("suite", "check", "colours", "--json")
    assert answer.code == 1, answer
    (found,) = answer.json
    overlap = found["training_overlap"]["overlap"]
    assert (found["cases"], overlap["examples"]) == (6, 3)
    assert [(pair["case_id"], pair["line"]) for pair in overlap["exact"]] == [("c1", 2)]
    assert [(pair["case_id"], pair["line"]) for pair in overlap["near"]] == [("c4", 3)]
    shown = project.command("suite", "check", "colours")
    assert "1 exact, 1 near, against 3 examples" in shown.out
    assert "exact: case c1, line 2" in shown.out
    assert "near: case c4, line 3" in shown.out


def test_check_refuses_what_the_gate_refuses(project, suite):
    project.gate.write_text(
        project.gate.read_text() + "training_overlap: {exact: report, near: report}\n"
    )
    answer = project.command("suite", "check", "colours", "--gate", "support-triage")
    assert answer.code == 0, answer
    assert "exact: case c1" in answer.out


def test_check_takes_another_training_file_and_a_folder_for_a_name(project, suite, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(lines([example("What colour is snow?", "white")]))
    answer = project.command("suite", "check", str(suite), "--training", str(other), "--json")
    assert answer.code == 0, answer
    assert answer.json[0]["training_overlap"]["overlap"]["exact"] == []


@pytest.mark.slow
def test_check_shows_the_problems_of_all_suites_at_once(project, suite):
    rows = cases()
    rows[1]["expected"] = "bleu"
    rows[2]["id"] = "c0"
    (suite / "cases.jsonl").write_text(lines(rows))
    project.change_line(project.cases, 7, lambda row: row[:40])
    answer = project.command("suite", "check")
    assert answer.code == 3
    assert "Traceback" not in answer.err
    for part in ("colours/cases.jsonl:2", "did you mean 'blue'", "colours/cases.jsonl:3", "'c0'"):
        assert part in answer.err, answer.err
    assert "support-triage/cases.jsonl:7" in answer.err


def test_stats_counts_tags_and_labels(project, suite):
    found = project.command("suite", "stats", "colours", "--json").json
    assert found["cases"] == 6
    assert found["tags"] == {"kind": {"thing": 3, "nature": 3}}
    assert found["labels"] == {"colour": {"green": 2, "blue": 2, "red": 2}}
    assert "colour.macro_f1" in found["metrics"]
    shown = project.command("suite", "stats", "colours")
    assert shown.code == 0
    assert "nature 3" in shown.out


def test_split_writes_two_files_that_are_the_suite(project, suite):
    answer = project.command(
        *(
            "suite",
            "split",
            "colours",
            "--share",
            "0.5",
            "--to",
            "dev.jsonl",
            "--rest",
            "test.jsonl",
        ),
        *("--by", "kind", "--json"),
    )
    assert answer.code == 0, answer
    parts = [
        (project.folder / name).read_text().splitlines() for name in ("dev.jsonl", "test.jsonl")
    ]
    assert answer.json["written"] == {"dev.jsonl": 3, "test.jsonl": 3}
    assert sorted(parts[0] + parts[1]) == sorted((suite / "cases.jsonl").read_text().splitlines())


def test_split_refuses_everything_wrong_at_once_and_writes_nothing(project, suite):
    (project.folder / "dev.jsonl").write_text("mine")
    answer = project.command(
        *("suite", "split", "colours", "--share", "1.5", "--by", "knid"),
        *("--to", "dev.jsonl", "--rest", "test.jsonl"),
    )
    assert answer.code == 3
    for part in ("--share", "--by", "did you mean 'kind'?", "--to", "dev.jsonl"):
        assert part in answer.err, answer.err
    assert (project.folder / "dev.jsonl").read_text() == "mine"
    assert not (project.folder / "test.jsonl").exists()


def test_dedupe_names_doubles_and_writes_the_suite_without_them(project, suite):
    twice = {**cases()[1], "id": "again", "expected": "red"}
    (suite / "cases.jsonl").write_text(lines([*cases(), twice]))
    answer = project.command("suite", "dedupe", "colours", "--to", "clean.jsonl", "--json")
    assert answer.code == 0, answer
    assert answer.json["duplicates"] == [
        {"case_id": "again", "same_as": "c1", "similarity": 1.0, "contradicts": True}
    ]
    assert answer.json["written"] == 6
    assert (project.folder / "clean.jsonl").read_text() == lines(cases())
    shown = project.command("suite", "dedupe", "colours")
    assert "again (line 7) is the same as c1, but another answer is expected" in shown.out


EVAL = {
    "object": "eval",
    "name": "Colours",
    "data_source_config": {"type": "custom", "schema": {}},
    "testing_criteria": [
        {
            "type": "string_check",
            "name": "right",
            "input": "{{ sample.output_text }}",
            "operation": "eq",
            "reference": "{{ item.colour }}",
        }
    ],
}
RUN = {
    "data_source": {
        "type": "completions",
        "input_messages": {
            "type": "template",
            "template": [{"role": "user", "content": "What colour is {{ item.thing }}?"}],
        },
    }
}


def test_import_brings_an_openai_eval_home(project, tmp_path):
    (tmp_path / "eval.json").write_text(json.dumps(EVAL))
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    items = [
        {"item": {"thing": thing, "colour": colour}}
        for thing, colour in zip(THINGS, COLOURS, strict=True)
    ]
    (tmp_path / "items.jsonl").write_text(lines(items))
    answer = project.command(
        "suite", "import", "eval.json", "--data", "items.jsonl", "--run", "run.json", "--json"
    )
    assert answer.code == 0, answer
    assert (answer.json["cases"], answer.json["graders"]) == (6, ["right"])
    assert (project.datasets / "eval" / "suite.yaml").is_file()
    assert project.command("suite", "check", "eval").code == 0


def test_import_refuses_a_grader_that_can_not_run_here_and_writes_nothing(project, tmp_path):
    strange = {**EVAL, "testing_criteria": [{"type": "telepathy", "name": "x"}]}
    (tmp_path / "eval.json").write_text(json.dumps(strange))
    answer = project.command("suite", "import", "eval.json")
    assert answer.code == 3
    assert "telepathy" in answer.err
    assert not (project.datasets / "eval").exists()


@pytest.mark.parametrize(
    ("answers", "grader"),
    [
        (COLOURS, "label"),
        ([json.dumps({"colour": colour}) for colour in COLOURS], "exact_match"),
        (
            [
                f"I would say {colour}, like {thing}"
                for colour, thing in zip(COLOURS, THINGS, strict=True)
            ],
            "similarity",
        ),
    ],
)
def test_import_makes_a_suite_of_a_fine_tuning_file(project, tmp_path, answers, grader):
    rows = [
        example(f"Colour of {thing}?", answer)
        for thing, answer in zip(THINGS, answers, strict=True)
    ]
    (tmp_path / "held-out.jsonl").write_text(lines([*rows, rows[0]]))
    answer = project.command("suite", "import", "held-out.jsonl", "--json")
    assert answer.code == 0, answer
    assert (answer.json["cases"], answer.json["graders"]) == (6, [grader])
    assert any("1 questions stood in the file again" in note for note in answer.json["notes"])
    assert project.command("suite", "check", "held-out").code == 0


def test_import_names_every_broken_line_of_a_fine_tuning_file(project, tmp_path):
    rows = [example("a?", "b"), {"messages": []}, {"prompt": "x"}]
    (tmp_path / "train.jsonl").write_text(lines(rows) + "{no json\n")
    answer = project.command("suite", "import", "train.jsonl", "--to", "made")
    assert answer.code == 3
    for part in ("train.jsonl:2", "train.jsonl:3", "train.jsonl:4"):
        assert part in answer.err, answer.err
    assert not (project.folder / "made").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "colors"), "did you mean 'colours'?"),
        (("stats", "nowhere/else"), "nowhere/else"),
        (("dedupe", "colours", "--near", "0"), "--near"),
        (("check", "colours", "--gate", "suport-triage"), "did you mean 'support-triage'?"),
        (("check", "colours", "--training", "none.jsonl"), "none.jsonl"),
        (("import", "none.json"), "none.json"),
        (("import", "none.jsonl", "--run", "run.json"), "--run"),
        (("split", "colours"), "--to"),
        (("prune", "colours"), "prune"),
    ],
)
def test_bad_input_is_one_clear_error(project, suite, arguments, said):
    answer = project.command("suite", *arguments)
    assert answer.code == 3, answer
    assert said in answer.err
    assert "Traceback" not in answer.err + answer.out
