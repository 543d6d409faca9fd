"""A process that is killed in the middle of a regression run: its run is over, and said to be, at the service's next look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.registry.records import RunRecord
from flows.reporting.finish import end_dead_regressions
from flows.service.dispatcher.dispatch import Dispatcher

CARRIES_OUT = """
import sys, time
from flows.orchestration.this_process import new_holder
from flows.registry.store import Registry
with Registry.open(sys.argv[1]) as registry:
    registry.take_lease("again-1", "triage", new_holder(), dead=frozenset(), alone=False)
    print("taken", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def regression(registry: Any) -> str:
    run = RunRecord(run_id="again-1", target="triage", kind="regression", requested_by="cron")
    registry.start_run(run)
    registry.set_run_state("again-1", "evaluating")
    return "again-1"


@pytest.fixture
def killed(settings: Any, regression: str) -> str:
    """The run's process, killed without a word; its parent has not even looked after it."""
    command = [sys.executable, "-c", CARRIES_OUT, settings.registry_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd())
    assert process.stdout is not None
    assert process.stdout.readline() == b"taken\n"
    process.kill()
    process.wait()
    process.stdout.close()
    return regression


def test_the_service_notices_at_its_next_look(settings: Any, registry: Any, killed: str) -> None:
    dispatcher = Dispatcher(settings, registry, None)
    assert dispatcher._left_undone() == (killed,)
    run = registry.run(killed)
    assert (run.state, run.detail) == (
        "failed",
        "its process died; ask anew: gatewright regress triage",
    )


def test_one_that_lives_is_left_alone(registry: Any, regression: str) -> None:
    registry.take_lease(regression, "triage", "elsewhere", dead=frozenset(), alone=False)
    assert end_dead_regressions(registry) == ()
    assert registry.run(regression).state == "evaluating"


def test_beats_leave_no_events(registry: Any, regression: str) -> None:
    before = registry.chain_head()
    registry.take_lease(regression, "triage", "elsewhere", dead=frozenset(), alone=False)
    assert registry.renew_lease(regression, "elsewhere", holds=False)
    assert registry.chain_head() == before


def test_the_list_of_runs_says_that_nobody_carries_it_out(
    project: Any, registry: Any, killed: str
) -> None:
    shown = project.command("runs", "triage")
    assert "its process died" in shown.out
