"""What version 0.1.0 stored is read, reported, verified and rolled back by this one.

`tests/fixtures/state_of_0_1_0.tar.xz` was written by 0.1.0: a registry with three runs (v1 approved after INCONCLUSIVE, v2
promoted, v3 refused), their run folders, what was published, and the embedded platform that serves v1 and v2. Renaming a
stored field, a file of a run folder or a module that a pickle names fails here.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.emulator.server import Emulator

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "tests" / "fixtures" / "state_of_0_1_0.tar.xz"
TARGET = "mail-router"

pytestmark = pytest.mark.slow


@dataclass
class Installation:
    """A copy of the stored state with its embedded platform running."""

    folder: Path
    environment: dict[str, str]

    @property
    def versions(self) -> dict[str, dict[str, str]]:
        return json.loads((self.folder / "fixture.json").read_text())["versions"]

    def gatewright(self, *arguments: str) -> str:
        """Run a command that has to succeed, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def live(self) -> dict[str, object]:
        return json.loads(self.gatewright("live", TARGET, "--json"))

    def published(self) -> dict[str, object]:
        return json.loads((self.folder / "project" / "published" / f"{TARGET}.json").read_text())


def set_clock(state: Path, moment: float) -> None:
    """Let the stored platform start an hour after it was stored, so that nothing on it has expired."""
    with sqlite3.connect(state / "emulator.db") as database:
        database.execute(
            "INSERT OR REPLACE INTO facts VALUES ('clock-offset', ?)", (moment - time.time(),)
        )
    database.close()


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Installation]:
    with tarfile.open(STORED) as archive:
        archive.extractall(tmp_path, filter="data")
    made_at = json.loads((tmp_path / "fixture.json").read_text())["made_at"]
    set_clock(tmp_path / "emulator", made_at + 3600)
    project = tmp_path / "project"
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AZURE_", "OPENAI_", "PREFECT_", "GATEWRIGHT_"))
    }
    with Emulator(tmp_path / "emulator") as emulator:
        yield Installation(
            tmp_path,
            clean
            | {
                "GATEWRIGHT_HOME": str(project / "home"),
                "GATEWRIGHT_TARGETS": str(project / "targets"),
                "GATEWRIGHT_GATES": str(project / "gates"),
                "GATEWRIGHT_DATASETS": str(project / "datasets"),
                "GATEWRIGHT_EMBEDDED_URL": emulator.url,
                "GATEWRIGHT_VERIFY_KEY": (tmp_path / "verify_key.txt").read_text().strip(),
                "GATEWRIGHT_ACTOR": "cy",
                "PYTHONPATH": str(ROOT),
                "NO_COLOR": "1",
                "COLUMNS": "160",
            },
        )


def test_a_stored_installation_is_read_and_reported(stored: Installation):
    v1, v2, v3 = (stored.versions[name] for name in ("v1", "v2", "v3"))

    assert stored.live()["model_id"] == v2["model"]
    runs = stored.gatewright("runs")
    assert all(version["run"] in runs for version in (v1, v2, v3))
    assert "ben" in stored.gatewright("history", TARGET)
    assert "PROMOTED" in stored.gatewright("report", v2["run"], "--format", "terminal")
    refused = json.loads(stored.gatewright("report", v3["run"], "--format", "json"))
    assert refused["answer"]["state"] == "refused"


def test_a_stored_installation_verifies_goes_back_and_forward_again(stored: Installation):
    v1, v2, v3 = (stored.versions[name] for name in ("v1", "v2", "v3"))

    for version in (v1, v2, v3):
        assert "judged again" in stored.gatewright("verify", version["run"])
    stored.gatewright("verify", TARGET)

    stored.gatewright("rollback", TARGET, "--reason", "v2 misroutes invoices")
    assert stored.live()["model_id"] == v1["model"]
    assert stored.published()["model_id"] == v1["model"]
    stored.gatewright("verify", TARGET)

    stored.gatewright("release", TARGET, "--reason", "invoices are routed again")
    stored.gatewright("rollback", TARGET, "--to", "#2", "--reason", "the fault was elsewhere")
    assert stored.live()["model_id"] == v2["model"]
    stored.gatewright("verify", TARGET)
