"""Of a sealed suite nobody but an approver is shown a case, an answer or a single result; figures and verdicts as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.promoted import TARGET, Place

from flows.registry.opening import open_registry

SECRET = "number 100: about the"
FORMATS = ("markdown", "junit", "json", "terminal")


@pytest.fixture
def sealed(place: Place) -> Place:
    """A sealed suite with a case that both models get wrong, so that reports would show it as an example; cora may see it."""
    place.change_line(
        place.datasets / TARGET / "cases.jsonl", 1, lambda row: row.replace('"billing"', '"bug"')
    )
    with (place.datasets / TARGET / "suite.yaml").open("a") as file:
        file.write("sealed: true\n")
    with (place.targets / f"{TARGET}.yaml").open("a") as file:
        file.write("approvers: [cora]\n")
    return place


def evaluated(place: Place) -> str:
    with open_registry(place.settings) as registry:
        model = registry.run(place.runs[0]).candidate_model
    done = place.command("evaluate", TARGET, "--model", model, "--json")
    return str(done.json["run_id"])


@pytest.mark.slow
def test_reports_show_its_cases_to_an_approver_alone(sealed: Place) -> None:
    run_id = evaluated(sealed)
    folder = sealed.home / "runs" / run_id
    for page in folder.glob("report.*"):
        assert SECRET not in page.read_text(), page.name
    for form in FORMATS:
        shown = sealed.command("report", run_id, "--format", form)
        assert SECRET not in shown.out, form
        assert "accuracy" in shown.out, "figures are shown as ever"
    told = sealed.command("report", run_id, "--format", "markdown").out
    assert "teams is sealed" in told
    mine = sealed.command("report", run_id, "--format", "markdown", GATEWRIGHT_ACTOR="cora")
    assert SECRET in mine.out
    path = sealed.command("report", run_id, GATEWRIGHT_ACTOR="cora").out.strip()
    assert SECRET in Path(path).read_text()


@pytest.mark.slow
def test_an_open_suite_is_shown_as_ever(sealed: Place) -> None:
    sealed.change(sealed.datasets / TARGET / "suite.yaml", "sealed: true", "sealed: false")
    run_id = evaluated(sealed)
    assert SECRET in (sealed.home / "runs" / run_id / "report.md").read_text()
    assert not (sealed.home / "runs" / run_id / "unsealed").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("split", TARGET, "--to", "a.jsonl", "--rest", "b.jsonl"),
        ("dedupe", TARGET, "--to", "c.jsonl"),
    ],
    ids=lambda command: command[0],
)
def test_commands_that_write_or_name_cases_are_refused_to_others(
    sealed: Place, command: tuple[str, ...]
) -> None:
    refused = sealed.command("suite", *command)
    assert refused.code == 1
    assert "teams is sealed" in refused.err
    assert not list(sealed.folder.glob("?.jsonl"))
    assert sealed.command("suite", *command, GATEWRIGHT_ACTOR="cora").code == 0


def test_a_check_counts_what_was_trained_on_and_names_no_case(sealed: Place) -> None:
    cases = (sealed.datasets / TARGET / "cases.jsonl").read_text()
    assert SECRET in cases
    training = sealed.folder / "train.jsonl"
    question = f"{SECRET} refund of last week"
    training.write_text(_example(question) + "\n")
    told: Any = sealed.command("suite", "check", TARGET, "--training", str(training))
    assert "1 exact" in told.out or "1 near" in told.out
    assert "cases are not named here" in told.out
    assert "case c" not in told.out
    as_json = sealed.command("suite", "check", TARGET, "--training", str(training), "--json")
    assert '"c0"' not in as_json.out
    mine = sealed.command(
        "suite", "check", TARGET, "--training", str(training), GATEWRIGHT_ACTOR="cora"
    )
    assert "case c0" in mine.out


def _example(question: str) -> str:
    import json

    said = [
        {"role": "system", "content": "Which team is this for?"},
        {"role": "user", "content": question},
        {"role": "assistant", "content": "billing"},
    ]
    return json.dumps({"messages": said})
