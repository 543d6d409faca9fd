"""The whole story as a user sees it: real servers, real webhooks, real flows; killed half-way and told again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.prefect_server import QUIET, write_tables
from support.project import Project

from flows.registry.opening import open_registry
from flows.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.story]


def start_demo(project) -> subprocess.Popen[bytes]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    tables = project.folder / f"prefect-{time.monotonic_ns()}.db"  # of its own for each telling
    write_tables(tables)
    with (
        (project.folder / "demo.log").open("wb") as log,
        (project.folder / "demo.json").open("wb") as out,
    ):
        return subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "demo", "--json"],
            cwd=project.folder,
            env={
                **clean,
                **project.environment,
                **QUIET,
                "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{tables}",
            },
            stdout=out,
            stderr=log,
        )


def settings_of(project) -> Settings:
    home = Path(project.environment["GATEWRIGHT_HOME"])
    return Settings(
        home=home,
        registry_url=f"sqlite:///{home / 'registry.db'}",
        targets=project.targets,
        gates=project.gates,
        datasets=project.datasets,
        actor="test",
    )


def wait_for_second_run(project, demo: subprocess.Popen[bytes]) -> None:
    """Until v1 is live and the second run is asking or beyond, but not over."""
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        assert demo.poll() is None, (project.folder / "demo.log").read_text()[-3000:]
        if (settings_of(project).home / "registry.db").exists():
            with open_registry(settings_of(project)) as registry:
                states = [run.state for run in registry.runs("support-triage")]
            if len(states) == 2 and "promoted" in states:
                return
        time.sleep(0.1)
    raise AssertionError((project.folder / "demo.log").read_text()[-3000:])


def ours(project) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(project.folder) in process.environ().get("GATEWRIGHT_HOME", ""):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def test_the_demo_killed_half_way_and_told_again_promotes_two_models_and_refuses_one(project):
    project.change(
        project.target, ".gatewright/live/support-triage.json", str(project.folder / "live.json")
    )
    first = start_demo(project)
    wait_for_second_run(project, first)
    first.send_signal(signal.SIGKILL)
    first.wait()

    second = start_demo(project)
    code = second.wait(900)
    log = (project.folder / "demo.log").read_text()
    assert code == 0, log[-3000:]
    assert "going on where the last demo stopped" in log
    assert "Traceback" not in log

    runs = json.loads((project.folder / "demo.json").read_text())
    assert [run["state"] for run in runs] == ["promoted", "promoted", "refused"]
    assert [run["verdict"]["outcome"] for run in runs] == ["PASS", "PASS", "FAIL"]
    assert all(run["requested_by"] == "webhook" for run in runs)
    refusal = runs[2]["verdict"]
    # Which comparison with v2 fails first depends on the order of the cases, and so on the run's id.
    failed = {check["kind"] for check in refusal["checks"] if check["outcome"] == "FAIL"}
    assert "max_drop" in failed, refusal["reasons"]

    live = project.gatewright("live", "support-triage", "--json")
    assert live.code == 0
    assert live.json["name"] == "v2"
    assert live.json["live"]["generation"] == 2
    assert (
        json.loads((project.folder / "live.json").read_text())["model_id"] == live.json["model_id"]
    )

    for run in runs:
        page = Path(run["report"]).read_text("utf-8")
        assert "<html" in page and run["run_id"] in page
    shown = project.gatewright("report", runs[2]["run_id"], "--format", "terminal")
    assert shown.code == 0 and "REFUSED" in shown.out

    changes = project.gatewright("history", "support-triage", "--json").json
    assert [event["kind"] for event in changes if event["generation"]] == [
        "promotion",
        "first_release",
    ]
    asked_once(Path(project.environment["GATEWRIGHT_HOME"]) / "runs" / runs[1]["run_id"])
    assert ours(project) == []


def asked_once(folder: Path) -> None:
    """The run that was killed has one answer for each model and case, none twice."""
    from evals.sampling.journal.journal import Journal

    with Journal.open(folder / "journal", read_only=True) as journal:
        for role, suite in journal.names():
            entries = [
                (entry.response.case_id, entry.response.repeat)
                for entry in journal.entries(role, suite)
            ]
            assert len(entries) == len(set(entries)), (role, suite)


def test_a_demo_that_is_terminated_ends_its_servers(project):
    demo = start_demo(project)
    deadline = time.monotonic() + 300
    while "embedded platform answers" not in (project.folder / "demo.log").read_text():
        assert demo.poll() is None, (project.folder / "demo.log").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    demo.send_signal(signal.SIGTERM)
    demo.wait(300)
    assert ours(project) == []
    assert "stopping its servers" in (project.folder / "demo.log").read_text()


def test_in_another_folder_it_says_where_it_has_to_be_given(tmp_path):
    refused = Project(tmp_path).command("demo")
    assert (refused.code, "give the command in the project's folder" in refused.err) == (3, True)
