"""Drift in the registry: on record until it is over or something else goes live, and told apart from another drift."""

from __future__ import annotations

import pytest

TARGET = "triage"


@pytest.fixture
async def registry(world):
    await world.promote("r1", "v1")
    return world.registry


def found(registry, marks=("prod other_model v9",), *, generation=1, hold=False):
    return registry.drift_found(
        TARGET,
        actor="gatewright",
        reason="it serves v9",
        marks=marks,
        generation=generation,
        model_id="v1",
        hold=hold,
    )


def kinds(registry):
    return [event.kind for event in registry.history(TARGET)]


def test_the_same_drift_is_recorded_once_and_another_one_anew(registry):
    assert (found(registry), found(registry)) == (True, False)
    assert registry.drifted(TARGET).reason == "it serves v9"
    assert found(registry, ["prod gone -"])
    assert kinds(registry)[:2] == ["drift_found", "drift_found"]


def test_it_is_over_once_and_may_come_again(registry):
    assert not registry.drift_over(TARGET, actor="ana", reason="put back")
    found(registry)
    assert registry.drift_over(TARGET, actor="ana", reason="put back")
    assert registry.drifted(TARGET) is None
    assert not registry.drift_over(TARGET, actor="ana", reason="put back")
    assert found(registry)


def test_a_hold_comes_with_it_in_one_step_and_a_person_s_release_stands(registry):
    found(registry, hold=True)
    assert registry.held(TARGET).actor == "gatewright"
    registry.release(TARGET, actor="ana", reason="known, goes on")
    assert not found(registry, hold=True)
    assert registry.held(TARGET) is None


async def test_what_goes_live_next_starts_without_it(registry, world):
    found(registry)
    await world.promote("r2", "v2")
    assert registry.drifted(TARGET) is None
    assert not found(registry)  # seen at a generation that is no more
    assert registry.verify() == ()
