"""Changes made past Gatewright are found, named, and adopted or put right; what is superseded goes when its time is up."""

from __future__ import annotations

import pytest
from support import file_platform

from evals.errors import PlatformError, RefusedError
from flows.deployments.identity import own_tags
from flows.housekeeping.retire import orphans, retirable
from flows.monitoring.drift import adopt, find_drift, repair
from flows.recovery.rollback import roll_back

TARGET = "triage"
DAY = 86400


@pytest.fixture
async def live(world):
    await world.promote("r1", "v1")
    return world


async def drift(world):
    return await find_drift(
        TARGET, platform=world.platform, registry=world.registry, publishers=world.publishers
    )


def on(world, **other):
    return {
        "platform": world.platform,
        "registry": world.registry,
        "publishers": world.publishers,
        "actor": "ana",
        "reason": "changed in the portal",
        **other,
    }


async def changed_in_the_portal(world, parts, model="by-hand"):
    name = world.registry.live(TARGET).deployment
    await world.platform.delete(name)
    await world.platform.deploy(name, model, parts.SLOT, tags={})


async def test_where_all_agree_there_is_no_drift(live):
    assert await drift(live) == ()


async def test_where_nothing_is_live_and_nothing_published_there_is_no_drift(world):
    assert await drift(world) == ()


async def test_a_model_changed_in_the_portal_is_found_and_named(live):
    await changed_in_the_portal(live, file_platform)
    (found,) = await drift(live)
    assert (found.kind, found.expected, found.found) == ("other_model", "v1", "by-hand")
    assert "serves by-hand" in found.message


async def test_a_deployment_that_is_gone_is_found(live):
    await live.platform.delete(live.registry.live(TARGET).deployment)
    (found,) = await drift(live)
    assert (found.kind, found.found) == ("gone", None)


async def test_a_platform_that_does_not_answer_is_no_agreement(live):
    live.platform.failing["get"] = PlatformError("no answer")
    (found,) = await drift(live)
    assert (found.kind, found.message) == ("unreadable", "no answer")


async def test_a_published_file_changed_by_hand_is_found(live):
    json, env = live.publishers
    json.path.write_text(json.path.read_text().replace('"v1"', '"mine"'))
    await env.withdraw()
    changed, gone = await drift(live)
    assert (changed.kind, changed.found, changed.place) == ("stale", "mine", json.name)
    assert (gone.kind, gone.found) == ("stale", None)


async def test_a_published_file_that_is_rubbish_is_found(live):
    live.publishers[0].path.write_text("{")
    (found,) = await drift(live)
    assert found.kind == "unreadable"


async def test_what_was_done_in_the_portal_can_be_adopted(live):
    await changed_in_the_portal(live, file_platform)
    pointer = await adopt(TARGET, **on(live))
    assert (pointer.model_id, pointer.generation) == ("by-hand", 2)
    assert await live.read_by_applications() == {"by-hand"}
    assert await drift(live) == ()
    change = live.registry.history(TARGET)[0]
    assert (change.kind, change.actor, change.reason) == ("adopt", "ana", "changed in the portal")


async def test_a_revoked_model_is_not_adopted(live):
    live.registry.revoke(TARGET, "by-hand", actor="ben", reason="leaks")
    await changed_in_the_portal(live, file_platform)
    with pytest.raises(RefusedError, match="leaks"):
        await adopt(TARGET, **on(live))


async def test_where_nothing_was_changed_there_is_nothing_to_adopt(live):
    with pytest.raises(RefusedError, match="nothing to adopt"):
        await adopt(TARGET, **on(live))


@pytest.mark.parametrize("gone", [True, False])
async def test_what_was_done_in_the_portal_can_be_put_right(live, gone):
    await changed_in_the_portal(live, file_platform)
    if gone:
        await live.platform.delete(live.registry.live(TARGET).deployment)
    await repair(TARGET, **on(live, slot=file_platform.SLOT))
    pointer = live.registry.live(TARGET)
    assert pointer.model_id == "v1"
    assert live.platform.standing()[pointer.deployment] == "v1"
    assert await live.read_by_applications() == {"v1"}
    assert await drift(live) == ()


async def test_a_revoked_model_is_not_deployed_again(live):
    await live.platform.delete(live.registry.live(TARGET).deployment)
    live.registry.revoke(TARGET, "v1", actor="ben", reason="leaks")
    with pytest.raises(RefusedError, match=r"leaks; 'gatewright rollback triage' goes back"):
        await repair(TARGET, **on(live, slot=file_platform.SLOT))
    assert live.platform.standing() == {}


async def test_what_is_revoked_and_still_live_is_told_to_applications(live):
    live.registry.revoke(TARGET, "v1", actor="ben", reason="leaks")
    await live.publishers[0].withdraw()
    await repair(TARGET, **on(live, slot=file_platform.SLOT))
    assert await live.read_by_applications() == {"v1"}


async def test_published_files_are_put_right_without_a_new_generation(live):
    await live.publishers[0].withdraw()
    await repair(TARGET, **on(live, slot=file_platform.SLOT))
    assert await drift(live) == ()
    assert live.registry.live(TARGET).generation == 1


async def test_the_previous_deployment_is_kept_as_long_as_the_target_says(live, clock):
    await live.promote("r2", "v2")
    clock.pass_(days=13)
    swept = {"keep_s": 14 * DAY, "platform": live.platform, "registry": live.registry}
    assert await retirable(TARGET, **swept) == ()
    clock.pass_(days=2)
    (name,) = await retirable(TARGET, **swept)
    assert live.platform.standing()[name] == "v1"


async def test_what_was_rolled_back_to_is_never_retired(live, clock):
    from flows.recovery.rollback import roll_back

    await live.promote("r2", "v2")
    await roll_back(TARGET, **on(live, slot=file_platform.SLOT))
    clock.pass_(days=30)
    swept = {"keep_s": DAY, "platform": live.platform, "registry": live.registry}
    (name,) = await retirable(TARGET, **swept)
    assert live.platform.standing()[name] == "v2"


async def test_a_deployment_that_is_not_ours_is_never_retired(live, clock):
    await changed_in_the_portal(live, file_platform)
    await live.promote("r2", "v2")
    clock.pass_(days=30)
    swept = {"keep_s": DAY, "platform": live.platform, "registry": live.registry}
    assert await retirable(TARGET, **swept) == ()
    assert "by-hand" in live.platform.standing().values()


async def test_what_a_failed_run_could_not_remove_is_removed_later(live):
    live.smoke_result = file_platform.SmokeResult(asked=3, passed=False)
    live.platform.failing["delete"] = PlatformError("conflict", status=409)
    await live.promote("r2", "v2")
    await live.platform.deploy("by-hand", "x", file_platform.SLOT, tags={})
    live.judge("r3", "v3")
    await live.platform.deploy(
        "r3s", "v3", file_platform.SLOT, tags=own_tags(TARGET, "r3", "production")
    )
    live.platform.failing.clear()
    swept = {"platform": live.platform, "registry": live.registry}
    (name,) = await orphans(TARGET, **swept)
    assert live.platform.standing()[name] == "v2"


@pytest.mark.slow
@pytest.mark.parametrize("attempt", ["rollback-2", "repair-2"])
async def test_what_a_way_back_deployed_and_never_switched_to_goes_once_it_was_overtaken(
    live, attempt
):
    """Killed between deployment and switch, and nobody asked for it again."""
    await live.promote("r2", "v2")
    tags = own_tags(TARGET, attempt, "production")
    await live.platform.deploy("half-way", "v1", file_platform.SLOT, tags=tags)
    swept = {"platform": live.platform, "registry": live.registry}
    assert await orphans(TARGET, **swept) == ()  # asked for again, it would be switched to
    await live.promote("r3", "v3")
    assert await orphans(TARGET, **swept) == ("half-way",)


async def test_what_was_rolled_back_to_by_a_new_deployment_is_no_orphan(live):
    await live.promote("r2", "v2")
    await live.platform.delete(live.registry.pointer_at(TARGET, 1).deployment)
    await roll_back(TARGET, **on(live, slot=file_platform.SLOT))
    brought_back = live.registry.live(TARGET).deployment
    swept = {"platform": live.platform, "registry": live.registry}
    assert await orphans(TARGET, **swept) == ()
    live.registry.release(TARGET, actor="ana", reason="done")
    await live.promote("r3", "v3")
    assert await orphans(TARGET, **swept) == ()  # kept warm for as long as the target says
    assert brought_back in live.platform.standing()
