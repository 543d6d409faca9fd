"""What libraries log is not said in a person's terminal, nor in the log of the service."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.service.log_lines import log_to_stderr

TROUBLE = """
import logging, sys
from pathlib import Path
from flows.commands.carry_out import local_prefect
from flows.orchestration import temporary_server
from contextlib import contextmanager

@contextmanager
def no_server(*_):
    yield
temporary_server.prefect_server = no_server

class S: home = Path(sys.argv[1])
with local_prefect(S()):
    import prefect.main
    from prefect.logging.configuration import setup_logging
    from prefect.logging.handlers import APILogHandler
    setup_logging()
    for name in ("websockets.client", "websockets.legacy", "prefect.events.clients", "prefect._internal.concurrency"):
        try:
            raise ConnectionResetError("the server went away")
        except ConnectionResetError:
            logging.getLogger(name).exception("data transfer failed")
            APILogHandler().handleError(logging.makeLogRecord({"name": name, "msg": "x"}))
    said = logging.getLogger("prefect.flow_runs")
    said.handlers = [kept for kept in said.handlers if not isinstance(kept, APILogHandler)]
    said.info("waiting for slot-1")
    print(said.isEnabledFor(logging.INFO), said.isEnabledFor(logging.DEBUG))
"""


@pytest.mark.slow
def test_a_prefect_server_that_goes_away_leaves_no_traceback_in_the_terminal(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", TROUBLE, str(tmp_path)]
    own = {**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=own)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "True False\n", "what a run says goes to the server's pages alone"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was before once the test is over."""
    found = logging.getLogger()
    before = found.handlers[:], found.level
    yield found
    found.handlers, level = before
    found.setLevel(level)
    for name in ("evals", "flows"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_the_log_of_the_service_has_its_own_lines_and_not_every_request_of_its_clients(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    root.handlers = []  # pytest's own
    log_to_stderr()
    for client in ("httpx", "httpx2", "openai._base_client", "azure.core", "websockets.client"):
        logging.getLogger(client).info('HTTP Request: GET http://127.0.0.1:1/x "HTTP/1.1 200 OK"')
    logging.getLogger("httpx2").warning("a connection was lost")
    logging.getLogger("flows.service.dispatcher").info("flow run started")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("WARNING httpx2: a connection was lost")
    assert second.endswith("INFO flows.service.dispatcher: flow run started")
