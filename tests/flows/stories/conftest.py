"""The installation with servers of its own, and a Prefect server for flows that run in the test's own process."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest
from support.installation import Installation, running_installation


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running_installation(tmp_path_factory.mktemp("installation")) as started:
        yield started


@pytest.fixture(scope="module")
def prefect_server() -> Iterator[str]:
    # Here and not above: Prefect's server takes five seconds to import, which every worker would spend.
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    with (
        temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        prefect_test_harness(server_startup_timeout=300),
    ):
        yield str(PREFECT_API_URL.value())
    with warnings.catch_warnings():
        # Prefect leaves sockets of its own to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
