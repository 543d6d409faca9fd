"""The scheduled look at drift, against a real platform: found, told once, held where asked for, never repaired."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.monitoring.drift_watch import DriftCheck, check_all, check_drift, record_check
from flows.platforms.base import SlotSpec
from flows.platforms.table import open_platform
from flows.recovery import target_rollback
from flows.registry.opening import open_registry
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import load_settings

TARGET = "teams"


def look() -> DriftCheck:
    """What one run of the sweep does: look, and put on record."""
    found = asyncio.run(check_drift(load_settings(), TARGET, settle_s=0.05))
    record_check(load_settings(), found)
    return found


def seen(what: str, *arguments: Any) -> Any:
    with open_registry(load_settings()) as registry:
        return getattr(registry, what)(*arguments or (TARGET,))


def kinds() -> list[str]:
    return [event.kind for event in seen("history") if event.kind.startswith("drift")]


def in_the_portal(place: Any, model_id: str | None = None) -> None:
    """Delete the live deployment, or put another model into it, as somebody in a portal does."""

    async def change() -> None:
        platform = open_platform("embedded", {}, os.environ)
        live = seen("live")
        try:
            standing = await platform.get(live.deployment)
            assert standing is not None
            await platform.delete(live.deployment)
            if model_id is not None:
                slot = place_slot()
                await platform.deploy(live.deployment, model_id, slot, tags=standing.tags)
        finally:
            await platform.aclose()

    asyncio.run(change())


def place_slot() -> SlotSpec:
    return SlotSpec(slot="production", sku="GlobalStandard", capacity=50)


def asks_for(place: Any, *wanted: str) -> None:
    target = place.folder / "targets" / f"{TARGET}.yaml"
    target.write_text(target.read_text() + f"\ndrift: {{on_found: [{', '.join(wanted)}]}}\n")


@pytest.fixture
def restored(place: Any) -> Any:
    """The emulator is shared: what a test changes in the portal is put back after it."""
    before = seen("live")
    yield place

    async def put_back() -> None:
        platform = open_platform("embedded", {}, os.environ)
        try:
            await platform.delete(before.deployment)
            await platform.deploy(before.deployment, before.model_id, place_slot(), tags={})
        finally:
            await platform.aclose()

    asyncio.run(put_back())


def test_where_all_agrees_nothing_is_said_and_nothing_recorded(place: Any) -> None:
    assert look() == DriftCheck(
        target=TARGET, model_id=seen("live").model_id, generation=2, alerts=True
    )
    assert kinds() == []


@pytest.mark.slow
def test_a_model_changed_in_the_portal_is_found_and_told_once(restored: Any, capsys: Any) -> None:
    other = seen("previous").model_id
    in_the_portal(restored, other)
    first, second = look(), look()
    assert (first.news, first.alerts, first.holds) == (True, True, False)
    assert f"serves {other}" in first.reason
    assert (second.news, second.drifts) == (False, first.drifts)
    assert kinds() == ["drift_found"]
    assert seen("held") is None

    capsys.readouterr()
    assert restored.run("live", TARGET) == 0
    assert f"serves {other}" in " ".join(capsys.readouterr().out.split())
    assert restored.run("live", TARGET, "--json") == 0
    assert json.loads(capsys.readouterr().out)["drift"]["reason"] == first.reason
    assert restored.run("history", TARGET) == 0
    assert "drift_found" in capsys.readouterr().out
    # Nothing was repaired.
    assert seen("live").generation == 2
    assert look().drifts == first.drifts


def test_a_person_who_adopts_it_ends_it(restored: Any) -> None:
    in_the_portal(restored, seen("previous").model_id)
    look()
    assert restored.run("verify", TARGET, "--adopt", "--reason", "was me") == 0
    assert seen("drifted") is None
    assert look().drifts == ()


def test_a_deployment_that_is_gone_holds_automation_where_the_target_says_so(
    restored: Any,
) -> None:
    asks_for(restored, "hold")
    in_the_portal(restored)
    found = look()
    assert (found.news, found.alerts, found.holds) == (True, False, True)
    assert "is gone" in seen("held").reason
    assert kinds() == ["drift_found"]


def test_a_published_file_changed_by_hand_is_found_and_over_once_it_is_put_back(
    place: Any,
) -> None:
    told = place.published.read_text()
    place.published.write_text(told.replace("-v2", "-v9"))
    assert "applications read" in look().reason
    place.published.write_text(told)
    assert look().over
    assert kinds() == ["drift_over", "drift_found"]
    assert not look().over

    place.published.unlink()
    look()
    assert place.run("verify", TARGET, "--put-back", "--reason", "file was lost") == 0
    assert kinds()[0] == "drift_over"
    assert seen("drifted") is None


def test_what_is_over_before_the_second_sight_was_none(place: Any) -> None:
    """A switch that is just being published looks like drift for a moment."""
    told = place.published.read_text()
    place.published.unlink()

    async def both() -> DriftCheck:
        looking = asyncio.create_task(check_drift(load_settings(), TARGET, settle_s=1.0))
        await asyncio.sleep(0.4)
        place.published.write_text(told)
        return await looking

    assert asyncio.run(both()).drifts == ()


def test_a_promotion_on_its_last_steps_is_not_looked_at(place: Any) -> None:
    place.published.unlink()
    with open_registry(load_settings()) as registry:
        run = RunRecord(run_id="next", target=TARGET, kind="promotion", requested_by="webhook")
        registry.start_run(run)
        registry.set_run_state("next", "promoting")
    assert look() == DriftCheck(target=TARGET)


def test_while_a_rollback_is_under_way_nothing_is_looked_at(place: Any) -> None:
    """Where a deployment keeps its name, nothing stands there for minutes."""
    place.published.unlink()
    url = load_settings().registry_url
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    # The one of long ago was killed and never begun again.
    for at, seen in ((two_hours_ago, True), (datetime.now(UTC), False)):
        with Registry.open(url, now=lambda at=at: at) as registry:
            target_rollback.begin_rollback(registry, TARGET, None, actor="ana")
        assert bool(look().news) is seen


def test_a_platform_that_does_not_answer_is_trouble_and_no_drift(
    place: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("GATEWRIGHT_EMBEDDED_URL", "http://127.0.0.1:9")
    found = look()
    assert "nothing answers" in found.problem
    assert (found.drifts, kinds()) == ((), [])


def test_one_broken_target_file_hinders_only_itself(place: Any) -> None:
    (place.folder / "targets" / "broken.yaml").write_text("version: 1\nname: broken\n")
    place.published.unlink()
    broken, ours = asyncio.run(check_all(load_settings(), settle_s=0.05))
    assert "broken.yaml" in broken.problem
    assert ours.news
