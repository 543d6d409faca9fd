"""Bad input gets one clear error that names file, line and field, exit code 3, no traceback, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

MODEL = ("--model", "gpt-4.1-mini-2025-04-14.ft-0123456789abcdef0123456789abcdef")


def refused(answer, *parts: str) -> None:
    assert answer.code == 3, answer
    assert "Traceback" not in answer.err + answer.out
    for part in parts:
        assert part in answer.err, answer.err


def one_line(answer) -> str:
    rows = [row for row in answer.err.splitlines() if row.startswith("error:")]
    assert len(rows) == 1, answer.err
    return rows[0]


def test_a_misspelt_key_in_a_gate_file_is_named_with_its_line_and_the_nearest_key(project):
    project.change(project.gate, "max_drop: 0.03  ", "max_dorp: 0.03  ")
    line = (
        project.gate.read_text()
        .splitlines()
        .index(next(row for row in project.gate.read_text().splitlines() if "max_dorp" in row))
    )
    answer = project.command("evaluate", "support-triage", *MODEL)
    refused(answer, f"support-triage.yaml:{line + 1}", "max_dorp", "max_drop")
    one_line(answer)


def test_a_broken_line_7_of_a_cases_file_is_named(project):
    project.change_line(project.cases, 7, lambda row: row[:40])
    answer = project.command("evaluate", "support-triage", *MODEL)
    refused(answer, "cases.jsonl:7")
    one_line(answer)


def test_a_duplicate_id_is_named_with_both_lines(project):
    first = json.loads(project.cases.read_text().splitlines()[2])["id"]
    project.change_line(
        project.cases,
        9,
        lambda row: json.dumps({**json.loads(row), "id": first}, ensure_ascii=False),
    )
    answer = project.command("evaluate", "support-triage", *MODEL)
    refused(answer, "cases.jsonl:9", first, "3")
    one_line(answer)


def test_an_unknown_target_is_refused_with_the_nearest_one(project):
    answer = project.command("promote", "suport-triage", *MODEL)
    refused(answer, "suport-triage", "did you mean 'support-triage'?")
    one_line(answer)


@pytest.mark.slow
def test_a_missing_credential_is_refused_with_the_variables_to_set(project):
    text = project.target.read_text().replace("platform: embedded", "platform: openai")
    project.target.write_text(text)
    answer = project.command("evaluate", "support-triage", "--model", "ft:gpt-4.1-mini:acme:v1:abc")
    refused(answer, "OPENAI_API_KEY")
    one_line(answer)


@pytest.mark.slow
def test_an_unknown_metric_is_named_with_the_nearest_one(project):
    project.change(project.gate, "metric: exact_match", "metric: exact_mach")
    refused(project.command("evaluate", "support-triage", *MODEL), "exact_mach", "exact_match")


def test_a_gate_without_checks_is_refused(project):
    text = project.gate.read_text()
    project.gate.write_text(text[: text.index("checks:")] + "checks: []\n")
    refused(project.command("evaluate", "support-triage", *MODEL), "checks")


def test_all_problems_of_a_file_are_said_at_once(project):
    project.change_line(project.cases, 7, lambda row: row[:40])
    project.change_line(project.cases, 12, lambda row: "[]")
    answer = project.command("evaluate", "support-triage", *MODEL)
    refused(answer, "cases.jsonl:7", "cases.jsonl:12")


def test_two_ways_of_naming_the_candidate_are_one_too_many(project):
    answer = project.command("promote", "support-triage", "--job", "ftjob-1", *MODEL)
    refused(answer, "exactly one of --job, --model and --checkpoint")


@pytest.mark.parametrize(
    "arguments",
    [
        ("promte",),
        ("promote",),
        ("promote", "support-triage", "--jbo", "x"),
        ("watch", "--every", "soon"),
        ("report", "no-such-run"),
        ("report", "no-such-run", "--format", "pdf"),
        ("rollback", "support-triage"),
        (),
    ],
)
def test_wrong_words_on_the_command_line_exit_with_3_and_no_traceback(project, arguments):
    answer = project.command(*arguments)
    assert answer.code == 3
    assert "Traceback" not in answer.err


def test_a_blank_reason_is_none(project):
    answer = project.command("hold", "support-triage", "--reason", "  ")
    refused(answer, "--reason", "say why")
    one_line(answer)


def test_an_error_in_json_mode_is_json(project):
    answer = project.command("promote", "suport-triage", *MODEL, "--json")
    assert answer.code == 3
    assert answer.json["exit_code"] == 3
    assert "suport-triage" in answer.json["error"]


def test_a_regression_run_finds_a_broken_gate_before_it_starts_a_server(project):
    project.change(project.gate, "max_drop: 0.03  ", "max_dorp: 0.03  ")
    answer = project.command("regress", "support-triage")
    refused(answer, "max_dorp", "max_drop")
    assert not (project.folder / "home" / "prefect").exists()
    assert "asking" not in answer.err


@pytest.mark.slow
def test_refused_input_leaves_no_run_behind(project):
    project.change_line(project.cases, 7, lambda row: row[:40])
    project.command("evaluate", "support-triage", *MODEL)
    assert project.command("runs", "--json").json == []
    assert not list(Path(project.folder / "home" / "runs").glob("*"))
