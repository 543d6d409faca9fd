"""Going back: at once while the old model stands, deployed again when it is gone, and never to what was refused."""

from __future__ import annotations

import pytest
from support import file_platform

from evals.errors import PlatformError, RefusedError
from flows.recovery.rollback import roll_back
from flows.release.publish_live import publish_live

TARGET = "triage"


@pytest.fixture
async def v2_live(world):
    for number in (1, 2):
        assert (await world.promote(f"r{number}", f"v{number}")).state == "live"
    return world


async def back(world, parts, **other):
    fields = {
        "reason": "complaints",
        "actor": "ana",
        "platform": world.platform,
        "registry": world.registry,
        "publishers": world.publishers,
        "slot": parts.SLOT,
    }
    return await roll_back(TARGET, **{**fields, **other})


async def test_while_the_old_model_stands_going_back_deploys_nothing(v2_live):
    deployed = list(v2_live.platform.log)
    outcome = await back(v2_live, file_platform)
    assert await v2_live.read_by_applications() == {"v1"}
    assert (outcome.pointer.model_id, outcome.previous.model_id) == ("v1", "v2")
    assert outcome.warm
    assert outcome.switched
    assert outcome.problems == ()
    assert v2_live.platform.log == deployed
    assert v2_live.registry.history(TARGET)[1].reason == "complaints"


async def test_a_rollback_holds_its_target_so_that_automation_can_not_undo_it(v2_live):
    outcome = await back(v2_live, file_platform)
    assert outcome.hold.actor == "ana"
    refused = await v2_live.promote("r3", "v3")
    assert (refused.state, refused.pointer.model_id) == ("refused", "v1")
    v2_live.registry.release(TARGET, actor="ana", reason="fixed")
    assert (await v2_live.promote("r4", "v3")).state == "live"


async def test_a_model_that_is_gone_is_deployed_again_first(v2_live):
    old = v2_live.registry.pointer_at(TARGET, 1)
    await v2_live.platform.delete(old.deployment)
    outcome = await back(v2_live, file_platform)
    assert not outcome.warm
    assert outcome.pointer.deployment != old.deployment
    assert v2_live.platform.standing()[outcome.pointer.deployment] == "v1"
    assert outcome.pointer.endpoint.model == outcome.pointer.deployment


async def test_a_deployment_that_serves_another_model_by_now_is_not_gone_back_to(v2_live):
    old = v2_live.registry.pointer_at(TARGET, 1)
    await v2_live.platform.delete(old.deployment)
    await v2_live.platform.deploy(old.deployment, "foreign", file_platform.SLOT, tags={})
    outcome = await back(v2_live, file_platform)
    assert not outcome.warm
    assert v2_live.platform.standing()[outcome.pointer.deployment] == "v1"


async def test_a_platform_that_fails_leaves_what_is_live(v2_live):
    v2_live.platform.failing["wait_ready"] = PlatformError("no answer")
    with pytest.raises(PlatformError):
        await back(v2_live, file_platform)
    assert v2_live.registry.live(TARGET).model_id == "v2"
    assert v2_live.registry.held(TARGET) is None
    assert await v2_live.read_by_applications() == {"v2"}


async def test_going_back_again_goes_further_back_and_then_says_that_there_is_nothing(v2_live):
    assert (await v2_live.promote("r3", "v3")).state == "live"
    assert (await back(v2_live, file_platform)).pointer.model_id == "v2"
    assert (await back(v2_live, file_platform)).pointer.model_id == "v1"
    other = "gatewright rollback triage --to '#4' --reason"
    with pytest.raises(RefusedError, match=f"no earlier model.* to go to v2 instead: {other}"):
        await back(v2_live, file_platform)


async def test_the_same_rollback_asked_for_twice_goes_back_once(v2_live):
    assert (await v2_live.promote("r3", "v3")).state == "live"
    first = await back(v2_live, file_platform, run_id="rollback-7")
    again = await back(v2_live, file_platform, run_id="rollback-7")
    assert first.switched
    assert not again.switched
    assert again.pointer == first.pointer


async def test_a_model_can_be_named(v2_live):
    assert (await v2_live.promote("r3", "v3")).state == "live"
    assert (await back(v2_live, file_platform, to="v1")).pointer.model_id == "v1"
    with pytest.raises(RefusedError, match="v9 was never live"):
        await back(v2_live, file_platform, to="v9")


async def test_what_is_live_already_is_published_again(v2_live):
    for publisher in v2_live.publishers:
        await publisher.withdraw()
    outcome = await back(v2_live, file_platform, to="v2")
    assert not outcome.switched
    assert await v2_live.read_by_applications() == {"v2"}


async def test_a_revoked_model_is_not_gone_back_to(v2_live):
    v2_live.registry.revoke(TARGET, "v1", actor="regression", reason="accuracy fell")
    for to in (None, "v1"):
        with pytest.raises(RefusedError, match=r"no earlier model|accuracy fell"):
            await back(v2_live, file_platform, to=to)
    assert v2_live.registry.live(TARGET).model_id == "v2"


async def test_a_refused_model_is_not_gone_back_to(v2_live):
    v2_live.judge("r3", "v1", "FAIL")
    assert (await v2_live.promote("r3", "v1")).state == "refused"
    with pytest.raises(RefusedError, match="v1 may not be live"):
        await back(v2_live, file_platform, to="v1")


@pytest.mark.parametrize("blank", [{"reason": " "}, {"actor": ""}])
async def test_it_takes_a_person_and_a_reason(v2_live, blank):
    with pytest.raises(RefusedError):
        await back(v2_live, file_platform, **blank)


async def test_where_nothing_is_live_there_is_nothing_to_go_back_from(world):
    with pytest.raises(RefusedError, match="nothing is live"):
        await back(world, file_platform)


async def test_places_that_could_not_be_told_are_named_and_can_be_told_later(v2_live):
    place = file_platform.BrokenPublisher(refuses={"v1"})
    v2_live.publishers.append(place)
    outcome = await back(v2_live, file_platform)
    assert outcome.pointer.model_id == "v1"
    assert "no route" in outcome.problems[0]
    place.refuses.clear()
    (*_, told) = await publish_live(v2_live.registry, v2_live.publishers, TARGET)
    assert told.problem is None
    assert place.pointer.model_id == "v1"
