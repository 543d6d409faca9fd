"""Two candidates at once: the second is never promoted on what was judged against the first one's predecessor."""

from __future__ import annotations

from flows.release.state_machine import STALE

TARGET = "triage"


def stale(world, run_id):
    return [mark for mark in world.registry.steps(run_id) if mark.step == STALE]


async def both_judged(world, *outcomes):
    """v1 is live; v2 and v3 were judged against it at the same time."""
    await world.promote("r1", "v1")
    for run_id, model, outcome in zip(("r2", "r3"), ("v2", "v3"), outcomes, strict=True):
        world.judge(run_id, model, outcome)


async def test_the_second_is_refused_as_out_of_date_and_keeps_its_good_name(world):
    await both_judged(world, "PASS", "PASS")
    assert (await world.promote("r2", "v2")).state == "live"
    outcome = await world.promote("r3", "v3")
    assert outcome.state == "refused"
    assert "the baseline moved: judged against v1" in outcome.detail
    assert len(stale(world, "r3")) == 1
    assert world.registry.barred(TARGET, "v3") is None
    assert world.registry.live(TARGET).model_id == "v2"
    assert "v3" not in world.platform.standing().values()


async def test_one_that_waited_for_people_is_out_of_date_too(world):
    await both_judged(world, "PASS", "INCONCLUSIVE")
    await world.promote("r2", "v2")
    await world.promote("r3", "v3")
    assert stale(world, "r3")


async def test_one_that_failed_is_refused_on_its_merits_and_not_judged_anew(world):
    await both_judged(world, "PASS", "FAIL")
    await world.promote("r2", "v2")
    assert (await world.promote("r3", "v3")).state == "refused"
    assert stale(world, "r3") == []
    assert world.registry.barred(TARGET, "v3") is not None


async def test_the_baseline_moving_during_the_deployment_is_noticed_at_the_switch(world):
    await both_judged(world, "PASS", "PASS")
    inner = world.smoke

    async def smoke(connection):
        world.smoke = inner
        await world.promote("r2", "v2")
        return await inner(connection)

    world.smoke = smoke
    outcome = await world.promote("r3", "v3")
    assert (outcome.state, outcome.pointer.model_id) == ("refused", "v2")
    assert stale(world, "r3")
    assert sorted(world.platform.standing().values()) == ["v1", "v2"]


async def test_any_other_refusal_is_not_out_of_date(world):
    await both_judged(world, "PASS", "PASS")
    world.registry.hold(TARGET, actor="ana", reason="incident")
    assert (await world.promote("r3", "v3")).state == "refused"
    assert stale(world, "r3") == []
