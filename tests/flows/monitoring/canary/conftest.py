"""An adopted live model in the test's own loop whose answers the test decides, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.clock import Clock
from support.letters import Letters, ModelHost
from support.prefect_stand_in import PrefectStandIn, prefect_stand_in

from flows.monitoring.canary.look import look_at
from flows.monitoring.canary.status import CanaryStatus
from flows.orchestration.prefect_api import PrefectApi
from flows.registry.store import Registry

CANARY = "canary: {cases: 20, budget_calls: 5000}\n"


@pytest.fixture
def prefect() -> Iterator[PrefectStandIn]:
    with prefect_stand_in() as stand_in:
        yield stand_in


@dataclass
class Canary:
    """The canary of `letters`; `look` looks once, an hour after the look before."""

    letters: Letters
    registry: Registry
    clock: Clock
    prefect: PrefectStandIn

    @property
    def host(self) -> ModelHost:
        return self.letters.host

    async def look(self, *, hours: float = 1.0, known: bool = True, **options: Any) -> CanaryStatus:
        self.clock.pass_(hours=hours)
        arguments = (self.letters.settings, self.registry, "letters")
        if not known:
            return await look_at(*arguments, None, **options)
        async with PrefectApi(self.prefect.url, patience_s=0.0) as api:
            return await look_at(*arguments, api, **options)

    def kinds(self) -> list[str]:
        return [
            event.kind
            for event in reversed(self.registry.history("letters"))
            if event.kind.startswith("canary")
        ]


def steady(model: str, text: str) -> str:
    """An answer that is always the same, another one for each case."""
    return f"Dear {text[-12:]}"


@pytest.fixture
def canary(letters: Letters, clock: Clock, prefect: PrefectStandIn) -> Iterator[Canary]:
    letters.go_live()
    letters.target.write_text(letters.target.read_text() + CANARY)
    letters.host.say = steady
    with Registry.open(letters.settings.registry_url, now=clock) as registry:
        yield Canary(letters, registry, clock, prefect)
