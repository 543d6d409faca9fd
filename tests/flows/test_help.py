"""Every command has help, an example, and the options a machine needs."""

from __future__ import annotations

import pytest
import typer

from flows.cli import app, run

COMMANDS = sorted(
    info.name or info.callback.__name__ for info in app.registered_commands if info.callback
)
ASKED_FOR = "promote evaluate live history rollback report regress watch serve doctor demo".split()


def test_the_commands_of_the_manual_are_there():
    assert set(ASKED_FOR) <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_the_command_does_and_gives_an_example(command, capsys):
    assert run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    info = next(
        info for info in app.registered_commands if (info.name or info.callback.__name__) == command
    )
    first = (info.callback.__doc__ or "").strip().splitlines()[0]
    assert first.split()[0] in shown
    assert f"Example: gatewright {command}" in " ".join(shown.split())


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("serve",)])
def test_every_command_can_answer_a_machine(command, capsys):
    run([command, "--help"])
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_parameter_is_explained(command):
    group = typer.main.get_command(app)
    for parameter in group.commands[command].params:
        assert getattr(parameter, "help", None) or parameter.name == "help", (command, parameter.name)


def test_the_root_help_names_every_command(capsys):
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)


def test_the_readme_or_the_docs_name_every_command():
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    written = (root / "README.md").read_text("utf-8") + (root / "docs" / "commands.md").read_text("utf-8")
    missing = [command for command in COMMANDS if f"gatewright {command}" not in written]
    assert missing == []
