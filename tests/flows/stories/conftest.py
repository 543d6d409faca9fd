"""The installation with servers of its own, and a Prefect server for flows that run in the test's own process."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest
from support.installation import Installation, running_installation
from support.prefect_server import flows_report_to, running_prefect_server


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running_installation(tmp_path_factory.mktemp("installation")) as started:
        yield started


@pytest.fixture(scope="module")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        running_prefect_server(tmp_path_factory.mktemp("prefect")) as url,
        flows_report_to(url),
    ):
        yield url
    with warnings.catch_warnings():
        # Prefect leaves sockets of its own to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
