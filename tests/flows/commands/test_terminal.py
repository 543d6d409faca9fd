"""Whatever names, reasons and models say, a terminal shows it and obeys none of it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table
from rich.text import Text
from support.judged import Story, triage_project
from support.paths import ROOT
from support.project import Project

from flows.commands.output import console, echo, emit
from flows.registry.store import Registry

HOSTILE = "all \x1b[2J\x1b[31mwell\x1b]0;owned\x07\x9b5m \u202ellew\u202c\x08\rdone"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An installation in which somebody said something hostile wherever anything can be said."""
    project = triage_project(tmp_path_factory.mktemp("hostile"))
    with Registry.open(project.settings.registry_url) as registry:
        story = Story(registry, project.settings)
        story.live("model-1")
        story.judged("INCONCLUSIVE", requested_by=f"eve{HOSTILE}", reason=HOSTILE)
        registry.hold("triage", actor=f"eve{HOSTILE}", reason=HOSTILE)
        registry.revoke("triage", "model-0", actor=f"eve{HOSTILE}", reason=HOSTILE)
        registry.record_step("triage-1", "deploying", "done", {"why": HOSTILE})
    return project


@pytest.mark.parametrize(
    "command",
    [
        ("live",),
        ("live", "triage"),
        ("history", "triage"),
        ("runs",),
        ("hold", "triage", "--reason", "again"),
        ("approve", "triage-1", "--reason", "fine"),
        ("rollback", "triage", "--reason", "back", "--to", "\x1b[2Jv9"),
        ("report", "triage-1\x1b[2J"),
        ("release", "triage", "--reason", "over"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "json"])
def test_no_command_lets_an_escape_through(
    place: Project, command: tuple[str, ...], more: tuple[str, ...]
) -> None:
    said = place.command(*command, *more)
    assert said.out + said.err
    assert not OBEYED.search((said.out + said.err).replace("\\u", ""))


def test_json_says_all_the_same_what_was_said() -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        emit({"reason": HOSTILE})
    import json

    assert json.loads(out.getvalue()) == {"reason": HOSTILE}
    assert not OBEYED.search(out.getvalue().strip())


def test_a_terminal_gets_our_colours_and_nobody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = io.StringIO()
    with redirect_stdout(out):
        table = Table()
        table.add_column(HOSTILE)
        table.add_row(Text(HOSTILE, style="green"))
        console().print(table)
        console().print("[red]ours[/]")
        echo(HOSTILE)
    ours = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())
    assert not OBEYED.search(ours)
    assert "\x1b[31m" in out.getvalue()


def test_names_and_reasons_are_put_on_record_without_escapes(place: Project) -> None:
    place.command("hold", "triage", "--reason", HOSTILE, GATEWRIGHT_ACTOR=f"ana{HOSTILE}")
    with Registry.open(place.settings.registry_url) as registry:
        event = registry.history("triage")[0]
    assert not OBEYED.search(event.actor + event.reason)
    assert event.reason.startswith("all well")
    assert place.command("hold", "triage", "--reason", "\x1b[31m").code == 3  # says nothing


def test_nothing_is_written_to_a_terminal_past_the_one_place() -> None:
    found: list[Any] = []
    for path in (*Path(ROOT, "flows").rglob("*.py"), *Path(ROOT, "evals").rglob("*.py")):
        where = str(path.relative_to(ROOT))
        if where.startswith("flows/emulator/") or where == "flows/commands/output.py":
            continue
        text = path.read_text("utf-8").replace("typer.echo(context.get_help())", "")
        if re.search(r"\btyper\.echo|\bclick\.echo|\bConsole\(\w*=?|(?<![\w.])print\(", text):
            found.append(where)
    assert found == []


def test_a_reason_of_two_lines_forges_no_line_of_ours(place: Project) -> None:
    place.command("release", "triage", "--reason", "if it is held")
    said = place.command("hold", "triage", "--reason", "red\nmodel-9 is live")
    assert "model-9 is live" in said.out
    assert not [line for line in said.out.splitlines() if line.startswith("model-9")]


def test_a_home_that_is_not_there_is_told_of(project: Project) -> None:
    said = project.command("live")
    assert said.code == 0
    assert f"There is no home at {project.settings.home} yet" in said.err
    assert project.command("live").err == ""


def test_a_command_whose_output_is_closed_ends_as_any_other() -> None:
    """As `gatewright … >&-` in a shell."""
    program = [sys.executable, "-m", "flows.cli", "--version"]
    done = subprocess.run(
        program, preexec_fn=partial(os.close, 1), stderr=subprocess.PIPE, cwd=ROOT, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b"")
