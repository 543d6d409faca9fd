"""Targets in every state, in a registry whose clock tests move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.clock import Clock
from support.ten_states import TenStates

from flows.registry.store import Registry


@pytest.fixture
def ten(account: Any, models: Any, clock: Clock) -> Iterator[TenStates]:
    clock.time = datetime.now(UTC)  # the account's deployments are dated by the machine's clock
    (account.folder / "targets" / "router.yaml").unlink()
    account.settings.home.mkdir(exist_ok=True)
    with Registry.open(account.settings.registry_url, now=clock) as registry:
        yield TenStates(account, models, registry, clock)
