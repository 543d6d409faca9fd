"""What each version stored is read by this one: its registry, the folders of its runs, and what they were judged by.

`tests/fixtures/state_of_*.tar.xz` were written by the versions they are named after, the last by the code of today's
format (`support/stored_state.py`). Here nothing runs but this version's code; what a stored installation can do besides is
in `test_stored_state.py`.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from support.project import Project
from support.stored_state import FIXTURES

from evals.files.versions import FORMAT
from evals.stored_runs.run import load_run

STORED = sorted(FIXTURES.glob("state_of_*.tar.xz"))


@pytest.fixture(params=STORED, ids=lambda path: path.name.split(".")[0])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """An installation as it was stored, without the platform it ran on."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    key = (tmp_path / "verify_key.txt").read_text().strip()
    project = Project(tmp_path / "project")
    project.more.update(
        {"GATEWRIGHT_VERIFY_KEY": key, "GATEWRIGHT_EMBEDDED_URL": "http://127.0.0.1:9"}
    )
    return project


def test_every_run_is_listed_reported_verified_and_opened(stored: Project) -> None:
    listed = json.loads(stored.command("runs", "--json").out)
    assert len(listed) >= 2
    for run in listed:
        run_id = run["run_id"]
        said = stored.command("verify", run_id, "--json")
        found = {one["name"]: one["level"] for one in json.loads(said.out)[run_id]}
        assert (found["evidence"], found["verdict"]) == ("ok", "ok"), said.out
        assert found.get("statement", "ok") == "ok", said.out
        assert stored.command("report", run_id, "--format", "terminal").code == 0
        opened = load_run(stored.home / "runs" / run_id, stored.datasets)
        assert opened.verdict is not None
        for table in (opened.cases, opened.answers, opened.scores, opened.checks):
            assert len(table) > 0
    assert stored.command("history", listed[0]["target"]).code == 0
    assert stored.command("live").code == 0


def test_today_s_format_has_its_fixture() -> None:
    names = [path.name for path in STORED]
    assert f"state_of_format_{FORMAT}.tar.xz" in names, "write it: see support/stored_state.py"
    assert "state_of_0_1_0.tar.xz" in names
