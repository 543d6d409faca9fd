"""What a live pointer stands on, across rollbacks: its run, the overrides it needed, and whether they still matter."""

from __future__ import annotations

import pytest
from support import file_platform

from flows.recovery.rollback import roll_back
from flows.registry.provenance import origin, overrides_behind, revocation_of
from flows.registry.records import Binding

TARGET = "triage"


@pytest.fixture
async def overridden(world):
    """v1 is live against its gate, on the word of ana and ben."""
    world.judge("r1", "v1", "FAIL")
    for person in ("ana", "ben"):
        world.registry.answer(
            "r1",
            "override",
            actor=person,
            reason="a label error",
            binding=Binding.of(world.registry.verdict("r1")),
        )
    assert (await world.promote("r1", "v1")).state == "live"
    return world


def people(world):
    live = world.registry.live(TARGET)
    return [answer.actor for answer in overrides_behind(world.registry, live)]


async def back(world, parts):
    await roll_back(
        TARGET,
        reason="wrong refunds",
        actor="cleo",
        platform=world.platform,
        registry=world.registry,
        publishers=world.publishers,
        slot=parts.SLOT,
    )


async def test_an_override_is_shown_until_its_model_is_superseded(overridden):
    assert people(overridden) == ["ana", "ben"]
    await overridden.promote("r2", "v2")
    assert people(overridden) == []


async def test_an_override_is_shown_again_when_its_model_is_brought_back(overridden):
    await overridden.promote("r2", "v2")
    await back(overridden, file_platform)
    live = overridden.registry.live(TARGET)
    assert (live.model_id, live.generation) == ("v1", 3)
    assert origin(overridden.registry, live).generation == 1
    assert people(overridden) == ["ana", "ben"]


async def test_a_pointer_that_brought_nothing_back_stands_on_itself(world):
    await world.promote("r1", "v1")
    live = world.registry.live(TARGET)
    assert origin(world.registry, live) == live
    assert people(world) == []


async def test_a_revocation_holds_until_the_model_is_reinstated(world):
    await world.promote("r1", "v1")
    live = world.registry.live(TARGET)
    assert revocation_of(world.registry, live) is None
    world.registry.revoke(TARGET, "v1", actor="gatewright", reason="got worse")
    assert revocation_of(world.registry, live).reason == "got worse"
    world.registry.reinstate(TARGET, "v1", actor="ana", reason="a label error")
    assert revocation_of(world.registry, live) is None
