"""What `doctor` says of a candidate that is not there yet: what to do, and all that does not depend on it."""

from __future__ import annotations

from flows.commands.doctor import _unread
from flows.emulator.state.documents import Job
from flows.evaluation.open_run import load_plan

TARGET = "support-triage"


def test_a_job_that_still_runs_leaves_the_platforms_lines_and_says_what_to_do(
    account, models, emulator
):
    store = emulator.state.store
    job = store.get(Job, models.first.id)
    assert job is not None
    job.status = "running"
    store.put(job)
    try:
        told = account.command("doctor", "router", "--job", models.first.id)
    finally:
        job.status = "succeeded"
        store.put(job)
    lines = [line.split() for line in told.out.splitlines()]
    assert told.code == 3
    assert [line[1] for line in lines if line[:1] == ["✗"]] == ["model"]
    assert "its status is 'running'" in told.out
    assert "→ run the same again once it has succeeded" in told.out
    assert {"account", "rights", "quota", "cost"} <= {
        line[1] for line in lines if line[:1] == ["✓"]
    }


def test_a_schedule_in_a_target_file_still_loads_and_is_said_to_be_read_by_nothing(project):
    assert _unread(load_plan(project.settings, TARGET)) == ()
    project.change(project.target, "on_fail: [", 'cron: "0 6 * * 1", on_fail: [')
    (told,) = _unread(load_plan(project.settings, TARGET))
    assert (told.level, "prefect.yaml" in told.message) == ("warn", True)
