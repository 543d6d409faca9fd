"""What `doctor` says of a candidate that is not there yet: what to do, and all that does not depend on it."""

from __future__ import annotations

from flows.emulator.state.documents import Job


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
