"""Every command has help, an example, and the options a machine needs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer

from flows.cli import app, run


def functions(of: typer.Typer, before: str = "") -> dict[str, Callable[..., object]]:
    """Every command by its whole name, those of groups included ('suite check')."""
    found = {
        before + (info.name or info.callback.__name__): info.callback
        for info in of.registered_commands
        if info.callback
    }
    for group in of.registered_groups:
        assert group.typer_instance is not None
        found |= functions(group.typer_instance, f"{before}{group.name} ")
    return found


FUNCTIONS = functions(app)
COMMANDS = sorted(FUNCTIONS)
GROUPS = sorted({command.rpartition(" ")[0] for command in COMMANDS} - {""})
ASKED_FOR = [
    "promote",
    "evaluate",
    "live",
    "history",
    "rollback",
    "report",
    "regress",
    "watch",
    "serve",
    "doctor",
    "demo",
]
OF_SUITES = [f"suite {name}" for name in ("check", "stats", "split", "import", "dedupe")]


def test_the_commands_of_the_manual_are_there():
    assert {*ASKED_FOR, *OF_SUITES} <= set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_the_command_does_and_gives_an_example(command, capsys):
    assert run([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    first = (FUNCTIONS[command].__doc__ or "").strip().splitlines()[0]
    assert first.split()[0] in shown
    assert f"Example: gatewright {command}" in " ".join(shown.split())


@pytest.mark.slow
@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("serve",)])
def test_every_command_can_answer_a_machine(command, capsys):
    run([*command.split(), "--help"])
    assert "--json" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_parameter_is_explained(command):
    found = typer.main.get_command(app)
    for part in command.split():
        found = found.commands[part]
    for parameter in found.params:
        assert getattr(parameter, "help", None) or parameter.name == "help", (
            command,
            parameter.name,
        )


def test_the_root_help_names_every_command(capsys):
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command.split()[0] in shown for command in COMMANDS)


@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_a_group_names_its_commands_and_gives_an_example(group, capsys):
    assert run([group, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(
        command.split()[1] in shown for command in COMMANDS if command.startswith(f"{group} ")
    )
    assert f"Example: gatewright {group}" in shown


def test_the_readme_or_the_docs_name_every_command():
    from pathlib import Path

    root = Path(__file__).resolve().parents[3]
    written = (root / "README.md").read_text("utf-8") + (root / "docs" / "commands.md").read_text(
        "utf-8"
    )
    missing = [command for command in COMMANDS if f"gatewright {command}" not in written]
    assert missing == []
