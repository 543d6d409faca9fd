"""Which slots have outlived their use, what the sweep removes, and how a kept one is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flows.platforms.base import Deployment, SlotSpec
from flows.platforms.lifetimes import EXPIRES_TAG, expired_slots, expires_at, keep_warm

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OURS = {"gatewright": "developer"}
DEVELOPER = SlotSpec(slot="developer", sku="DeveloperTier", capacity=10)
PRODUCTION = SlotSpec(slot="production", sku="GlobalStandard", capacity=10)


def slot(name: str, hours_old: float, **changes) -> Deployment:
    made = {
        "model_id": "m",
        "state": "ready",
        "slot": "developer",
        "tags": OURS,
        "created_at": (NOW - timedelta(hours=hours_old)).isoformat(),
    }
    return Deployment(name=name, **{**made, **changes})


def test_a_developer_slot_ends_a_day_after_its_creation_or_earlier_by_its_tag() -> None:
    young = slot("a", 3)
    assert expires_at(young) == NOW + timedelta(hours=21)
    marked = slot("b", 3, tags={**OURS, EXPIRES_TAG: NOW.isoformat()})
    assert expires_at(marked) == NOW
    assert expires_at(slot("c", 3, created_at=None)) is None
    assert expires_at(slot("d", 3, created_at="yesterday-ish")) is None


def test_a_production_slot_ends_only_by_its_tag() -> None:
    assert expires_at(slot("a", 1000, slot="production")) is None
    kept = slot("b", 1, slot="production", tags={**OURS, EXPIRES_TAG: "2026-11-20T11:00:00"})
    assert expires_at(kept) == NOW - timedelta(hours=1)


def test_only_ours_only_expired_and_only_what_no_run_needs_is_swept() -> None:
    slots = [
        slot("old", 25),
        slot("young", 2),
        slot("theirs", 25, tags={}),
        slot("needed", 25),
        slot("going", 25, state="deleting"),
        slot("broken", 1, state="failed"),
        slot("live", 900, slot="production"),
    ]
    swept = expired_slots(slots, now=NOW, in_use={"needed"})
    assert [one.name for one in swept] == ["old", "broken"]


async def test_a_kept_slot_that_is_asked_outlives_its_idle_days(embedded, models, emulator) -> None:
    kept = await embedded.deploy("prod-1", models.first.model_id, PRODUCTION, tags={"run": "r"})
    emulator.clock.advance(10 * 86400)
    await keep_warm(embedded, kept)
    emulator.clock.advance(10 * 86400)
    assert await embedded.get("prod-1") is not None


async def test_a_kept_slot_that_idled_away_is_deployed_again(embedded, models, emulator) -> None:
    kept = await embedded.deploy("prod-1", models.first.model_id, PRODUCTION, tags={"run": "r"})
    emulator.clock.advance(16 * 86400)
    assert await embedded.get("prod-1") is None
    connection = await keep_warm(embedded, kept)
    assert connection.endpoint.model == "prod-1"
    again = await embedded.get("prod-1")
    assert (again.model_id, again.tags["run"]) == (models.first.model_id, "r")
