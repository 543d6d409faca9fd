"""In a home that can't be written, read-only commands work, and all others say that it can only be read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.project import CommandResult
from support.promoted import TARGET, Place
from support.read_only import as_anybody, read_only

from evals.sampling.response_store import ResponseStore


@pytest.fixture
def looked_at(place: Place) -> Iterator[Place]:
    with ResponseStore(place.home / "responses"):
        pass
    with read_only(place.home):
        yield place


def command(place: Place, *arguments: str) -> CommandResult:
    return as_anybody(lambda: place.command(*arguments))


def test_commands_that_only_look_work(looked_at: Place) -> None:
    run_id = looked_at.runs[1]
    for arguments in (
        ("status",),
        ("live",),
        ("runs",),
        ("history", TARGET),
        ("report", run_id),
        ("report", run_id, "--format", "markdown"),
        ("report", run_id, "--format", "terminal"),
        ("verify", TARGET),
        ("verify", run_id),
        ("plan", TARGET),
        ("sweep", "--dry-run"),
    ):
        done = command(looked_at, *arguments)
        assert done.code == 0, (arguments, done.err)


def test_the_doctor_says_that_the_home_is_read_only(looked_at: Place) -> None:
    done = command(looked_at, "doctor", TARGET)
    assert done.code == 3
    assert f"{looked_at.home} can only be read" in done.out
    assert "Traceback" not in done.out + done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("hold", TARGET, "--reason", "x"),
        ("promote", TARGET, "--model", "m"),
        ("rollback", TARGET, "--reason", "x"),
    ],
)
def test_whatever_would_write_says_that_it_can_only_be_read(
    looked_at: Place, arguments: tuple[str, ...]
) -> None:
    done = command(looked_at, *arguments)
    assert done.code in (3, 4)
    assert "can only be read" in done.err
    assert "bug" not in done.err


def test_a_home_that_can_not_be_made_is_one_sentence(place: Place) -> None:
    (place.folder / "file").write_text("")
    done = place.command("live", GATEWRIGHT_HOME=str(place.folder / "file" / "home"))
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "GATEWRIGHT_HOME" in done.err
