"""The operations manual says what there is: every state, step, publisher and command; and its backup is one."""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import typer

from flows.approvals.suspended_runs import STEP
from flows.cli import app
from flows.publishers.table import PUBLISHERS
from flows.registry.kept_answers import KEPT
from flows.registry.records import RUN_STATES
from flows.registry.store import Registry
from flows.release.outcomes import LIVE
from flows.release.state_machine import STALE

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "docs" / "operations.md").read_text("utf-8")


@pytest.mark.parametrize("state", RUN_STATES)
def test_every_state_of_a_run_is_explained(state):
    assert f"| `{state}` |" in MANUAL


def test_every_step_of_a_promotion_is_explained():
    source = "".join(
        path.read_text("utf-8") for path in sorted((ROOT / "flows" / "release").glob("*.py"))
    )
    steps = {*re.findall(r"\.step\(\s*\"(\w+)\"", source), STALE, STEP, KEPT, LIVE}
    assert {"deploying", "switched", "published", "put_back"} <= steps
    assert [step for step in sorted(steps) if f"`{step}`" not in MANUAL] == []


@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_every_publisher_is_explained(publisher):
    assert f"| `{publisher}` |" in MANUAL
    assert f"- {publisher}:" in MANUAL


def test_every_command_of_the_manual_exists():
    group = typer.main.get_command(app)
    named = set(re.findall(r"gatewright ([a-z]+)", MANUAL))
    assert sorted(named - set(group.commands)) == []


def online_backup(source: sqlite3.Connection, goal: Path) -> None:
    """What `.backup` of SQLite's shell does."""
    with closing(sqlite3.connect(goal)) as opened:
        source.backup(opened)


def vacuum_into(source: sqlite3.Connection, goal: Path) -> None:
    source.execute("VACUUM INTO ?", (str(goal),))


@pytest.mark.parametrize("take", [online_backup, vacuum_into])
def test_a_backup_taken_while_somebody_writes_is_whole(tmp_path, take):
    url = f"sqlite:///{tmp_path}/registry.db"
    done, begun = threading.Event(), threading.Event()

    def write() -> None:
        with Registry.open(url) as registry:
            while not done.is_set():
                registry.hold("triage", actor="ana", reason="incident")
                registry.release("triage", actor="ana", reason="over")
                begun.set()

    with Registry.open(url) as registry:
        registry.hold("other", actor="ana", reason="incident")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(900)
        with closing(sqlite3.connect(tmp_path / "registry.db", timeout=30)) as source:
            take(source, tmp_path / "backup.db")
    finally:
        done.set()
        writer.join()
    with Registry.open(f"sqlite:///{tmp_path}/backup.db") as restored:
        assert restored.verify() == ()
        assert restored.held("other") is not None
        assert restored.history("triage")
        restored.release("other", actor="ana", reason="goes on")
        assert restored.verify() == ()
