"""PostgreSQL's own backup, as the manual says it: taken while somebody writes, put back, and gone on from."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.registry import Story

from flows.registry.store import Registry

MANUAL = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
TARGETS = ("triage", "other", "third")


class Backup:
    """The two commands of the manual, with the places that are the reader's own filled in."""

    def __init__(self, programs: Path, file: Path) -> None:
        self.programs, self.file = programs, file
        manual = MANUAL.read_text("utf-8")
        self.dumping = re.search(r"`(pg_dump [^`]+)`", manual)
        self.restoring = re.search(r"`(pg_restore [^`]+)`", manual)

    def dump(self, url: str) -> None:
        self._run(self.dumping, url)

    def restore(self, url: str) -> None:
        self._run(self.restoring, url)

    def _run(self, command: re.Match[str] | None, url: str) -> None:
        assert command is not None, "the manual says how"
        said = command[1].replace("/backup/registry.dump", str(self.file))
        name, *options = said.replace('"$GATEWRIGHT_REGISTRY_URL"', url).split()
        done = subprocess.run([self.programs / name, *options], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def backup(postgresql_programs: Path, tmp_path: Path) -> Backup:
    return Backup(postgresql_programs, tmp_path / "registry.dump")


@pytest.fixture
def used(new_postgresql: Callable[[], str]) -> str:
    """The URL of a registry in which two models went live, and a third waits."""
    url = new_postgresql()
    with Registry.open(url) as registry:
        story = Story(registry)
        story.promote("r1", "v1")
        story.promote("r2", "v2")
        story.judged("r3", "v3")
        registry.revoke("triage", "v1", actor="ana", reason="leaks", hold=False)
        registry.hold("other", actor="ana", reason="incident")
    return url


@pytest.mark.slow
def test_what_was_dumped_is_whole_elsewhere_and_is_written_on(
    used: str, backup: Backup, new_postgresql: Callable[[], str]
) -> None:
    backup.dump(used)
    fresh = new_postgresql()
    backup.restore(fresh)
    with Registry.open(used) as old, Registry.open(fresh) as new:
        assert new.verify() == ()
        assert new.chain_head() == old.chain_head()
        assert [new.live(name) for name in TARGETS] == [old.live(name) for name in TARGETS]
        assert new.history("triage") == old.history("triage")
        assert new.held("other") == old.held("other")
        assert "leaks" in new.barred("triage", "v1")

        new.set_run_state("r3", "failed", "the backup was put back")
        Story(new).promote("r4", "v4")
        assert (new.live("triage").model_id, new.live("triage").generation) == ("v4", 3)
        assert new.previous("triage").model_id == "v2"
        assert new.verify() == ()
        assert old.live("triage").model_id == "v2"
        with pytest.raises(Exception, match="append-only"), new.database.write() as writer:
            writer.connection.exec_driver_sql("DELETE FROM events")


def test_a_backup_taken_while_somebody_writes_is_whole(
    used: str, backup: Backup, new_postgresql: Callable[[], str]
) -> None:
    done, begun = threading.Event(), threading.Event()

    def write() -> None:
        with Registry.open(used) as registry:
            while not done.is_set():
                registry.hold("third", actor="ana", reason="incident")
                registry.release("third", actor="ana", reason="over")
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(900)
        backup.dump(used)
    finally:
        done.set()
        writer.join()
    fresh = new_postgresql()
    backup.restore(fresh)
    with Registry.open(used) as old, Registry.open(fresh) as new:
        assert new.verify() == ()
        assert new.live("triage") == old.live("triage")
        length = new.chain_head()[0]
        assert 0 < length <= old.chain_head()[0]
        shared = old.history("third", 10_000)[-len(new.history("third", 10_000)) :]
        assert shared == new.history("third", 10_000)


def test_a_backup_put_back_over_a_registry_that_went_on_is_what_it_was(
    used: str, backup: Backup
) -> None:
    backup.dump(used)
    with Registry.open(used) as registry:
        before = registry.chain_head()
        registry.set_run_state("r3", "failed", "")
        Story(registry).promote("r4", "v4")
    backup.restore(used)
    with Registry.open(used) as registry:
        assert registry.chain_head() == before
        assert registry.live("triage").model_id == "v2"
        assert registry.verify() == ()
