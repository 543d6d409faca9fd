"""Servers of a session: waited for, stopped as a group, and found again after a kill."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from evals.errors import InfrastructureError
from flows.orchestration.processes import Processes

FOREVER = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(600)"]
ENDING = [sys.executable, "-S", "-c", "import sys; print('no licence'); sys.exit(7)"]


def test_a_server_that_ends_instead_of_answering_is_told_with_its_log(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start("server", ENDING, environment={})
    with pytest.raises(InfrastructureError, match=r"server stopped with exit code 7:\nno licence"):
        processes.wait_for("server", lambda: False)
    processes.stop()


def test_what_an_earlier_session_left_running_is_stopped_once(tmp_path: Path) -> None:
    killed = Processes(tmp_path)
    killed.start("server", FOREVER, environment={})
    left = killed.running("server")
    killed.wait_for("server", lambda: "up" in killed.tail("server"))
    later = Processes(tmp_path)
    assert later.stop_leftovers() == 1
    left.wait()
    assert not psutil.pid_exists(left.pid)
    assert later.stop_leftovers() == 0
