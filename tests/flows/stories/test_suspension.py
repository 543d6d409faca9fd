"""Waiting for a person, end to end: real flow runs on a real worker, suspended, killed around, answered in all three ways."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.story]


def gatewright(installation: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=installation.folder,
        timeout=900,
    )


def submitted(installation: Any, name: str) -> tuple[str, str]:
    """Fine-tune a model and start its promotion; returns job and flow run."""
    job = installation.fine_tune(name)
    return job, installation.submit(job, "ana")


def suspended(installation: Any, job: str, flow_run: str) -> tuple[str, str, Any]:
    """Wait until a person is waited for; returns job, flow run and run."""
    installation.until_state(flow_run, "PAUSED")
    run = installation.run_of(job)
    assert run.state == "waiting", run
    return job, flow_run, run


def test_people_are_waited_for_without_a_process_and_may_answer_anywhere(installation: Any) -> None:
    # The first release waits; nothing runs meanwhile, and the worker may die.
    _, first, run = suspended(installation, *submitted(installation, "v1"))
    installation.until(lambda: not installation.processes_of(first), "its process ended")
    assert installation.live() is None
    installation.restart_worker()

    # In Prefect's pages: an empty answer is none, and the requester's own does not count.
    assert installation.resume(first)["status"] == "REJECT"
    own = {"decision": "approve", "who": "ana", "reason": "mine"}
    assert installation.resume(first, **own)["status"] == "ACCEPT"
    installation.until(
        lambda: installation.state(first) == "PAUSED" and len(waits(installation, run)) == 2,
        "it waits again",
    )
    assert installation.run(run.run_id).state == "waiting"
    with installation.registry() as registry:
        assert registry.answers(run.run_id) == ()

    # Somebody else's counts, and the suspended flow run itself goes on.
    installation.resume(first, decision="approve", who="cleo", reason="good enough")
    installation.until_state(first, "COMPLETED")
    assert installation.live().run_id == run.run_id
    published = json.loads((installation.folder / "live" / "intents.json").read_text())
    assert published["model_id"] == installation.live().model_id
    with installation.registry() as registry:
        (answer,) = registry.answers(run.run_id)
        assert (answer.actor, answer.decision) == ("cleo", "approve")
        assert registry.statement(run.run_id) is not None

    # Two candidates at once, both judged against v1. One is approved on the review page …
    both = submitted(installation, "v2"), submitted(installation, "v3")
    (_, second, run_2), (job_3, third, run_3) = (suspended(installation, *one) for one in both)
    installation.answer_on_page(run_2.run_id, "approve")
    installation.until_state(second, "COMPLETED")
    assert installation.live().run_id == run_2.run_id

    # … and the other is judged anew against it, never promoted on what was judged before.
    again = installation.until(
        lambda: (
            (found := installation.run_of(job_3)).run_id != run_3.run_id
            and found.state == "waiting"
            and found
        ),
        "v3 was judged again",
    )
    assert installation.run(run_3.run_id).state == "refused"
    assert "the baseline moved" in installation.run(run_3.run_id).detail
    assert again.baseline_model == installation.live().model_id
    installation.until_state(third, "PAUSED")

    # On the command line: a rejection ends the flow run that waited.
    answered = gatewright(installation, "reject", again.run_id, "--reason", "no gain")
    assert answered.returncode == 0, answered.stderr + answered.stdout
    installation.until_state(third, "COMPLETED")
    assert installation.run(again.run_id).state == "refused"
    assert installation.flow_runs_of_answers() == []

    with installation.registry() as registry:
        assert registry.verify() == ()
        kinds = [event.kind for event in registry.history("intents") if event.generation]
    assert kinds == ["promotion", "first_release"]
    assert gatewright(installation, "verify", "intents").returncode == 0
    with installation.registry() as registry:
        assert [run.run_id for run in registry.runs("intents") if run.state == "waiting"] == []


def waits(installation: Any, run: Any) -> list[Any]:
    with installation.registry() as registry:
        marks = registry.steps(run.run_id)
    return [mark for mark in marks if (mark.step, mark.phase) == ("waiting for a person", "begun")]
