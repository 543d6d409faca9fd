"""What a report says may be done next is about what is live now, not what was when the run ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from flows.reporting.next_steps import next_steps


def commands(world: Any, run_id: str) -> list[tuple[str, str]]:
    registry = world.registry
    run: Any = SimpleNamespace(registry=registry, record=registry.run(run_id))
    return [(one.command, one.effect) for one in next_steps(run, registry.live(run.record.target))]


async def test_the_way_back_is_offered_while_the_model_of_the_run_is_live(world: Any) -> None:
    for number in (1, 2, 3):
        await world.promote(f"r{number}", f"v{number}")
    assert commands(world, "r2") == []
    back = ("gatewright rollback triage --reason '…'", "goes back to v2")
    assert commands(world, "r3") == [back]
