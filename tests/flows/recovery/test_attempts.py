"""A rollback that was killed after its switch and is asked for again is finished; it does not go back twice."""

from __future__ import annotations

import pytest
from support import file_platform

from evals.errors import RefusedError
from flows.commands.rollback_and_holds import _show_rollback
from flows.recovery import target_rollback
from flows.recovery.rollback import roll_back

TARGET = "triage"


@pytest.fixture
async def attempts(world):
    """v3 is live, v1 and v2 were; `back()` goes back as the command does, `finish=False` is killed before the end."""
    for number in (1, 2, 3):
        await world.promote(f"r{number}", f"v{number}")

    async def back(to=None, *, finish=True, since=None):
        generation = target_rollback.begin_rollback(
            world.registry, TARGET, to, actor="ana", from_generation=since
        )
        outcome = await roll_back(
            TARGET,
            to=to,
            from_generation=generation,
            reason="wrong refunds",
            actor="ana",
            platform=world.platform,
            registry=world.registry,
            publishers=world.publishers,
            slot=file_platform.SLOT,
        )
        if finish:
            world.registry.told_rollback(TARGET, actor="ana")
        return outcome

    return back


async def test_cut_short_and_asked_for_again_it_only_publishes_once_more(attempts, world):
    await attempts(finish=False)
    for publisher in world.publishers:
        await publisher.withdraw()
    again = await attempts()
    assert (again.pointer.model_id, again.switched) == ("v2", False)
    assert await world.read_by_applications() == {"v2"}


async def test_asked_for_again_after_it_was_finished_it_goes_further_back(attempts):
    await attempts()
    assert (await attempts()).pointer.model_id == "v1"


async def test_from_a_generation_that_is_named_it_goes_back_once_however_often_it_is_asked(
    attempts, world
):
    for switched in (True, False, False):
        outcome = await attempts(since=3)
        assert (outcome.pointer.model_id, outcome.switched) == ("v2", switched)
    with pytest.raises(RefusedError, match="is not at generation 2"):
        await attempts(since=2)
    await attempts()
    with pytest.raises(RefusedError, match=r"generation 5 \(v1\) is live"):
        await attempts(since=3)


async def test_cut_short_before_the_switch_it_begins_anew(attempts, world):
    assert target_rollback.begin_rollback(world.registry, TARGET, None, actor="ana") == 3
    assert (await attempts()).pointer.model_id == "v2"


async def test_another_goal_is_another_rollback(attempts):
    await attempts(finish=False)
    assert (await attempts("v1")).pointer.model_id == "v1"


async def test_what_was_promoted_meanwhile_is_gone_back_from(attempts, world):
    await attempts(finish=False)
    world.registry.release(TARGET, actor="ana", reason="over")
    await world.promote("r4", "v4")
    assert (await attempts()).pointer.model_id == "v2"


@pytest.mark.parametrize("since", [3, None])
async def test_asked_by_several_at_once_it_is_one_rollback(attempts, world, since):
    begin = target_rollback.begin_rollback
    generation = begin(world.registry, TARGET, None, actor="ben", from_generation=since)
    await attempts()
    late = await roll_back(
        TARGET,
        from_generation=generation,
        reason="wrong refunds",
        actor="ben",
        platform=world.platform,
        registry=world.registry,
        publishers=world.publishers,
        slot=file_platform.SLOT,
    )
    assert (late.pointer.model_id, late.switched) == ("v2", False)
    assert world.registry.generation(TARGET) == 4


async def test_what_was_live_when_a_rollback_was_asked_for_is_what_it_goes_back_from(
    attempts, world, monkeypatch
):
    """Another rollback holds the write lock while this one waits to begin."""
    asked = world.registry.rollback_asked(TARGET, None)
    await attempts()
    monkeypatch.setattr(world.registry, "rollback_asked", lambda *_: asked)
    assert target_rollback.begin_rollback(world.registry, TARGET, None, actor="ben") == 3
    outcome = await attempts()
    assert (outcome.pointer.generation, outcome.switched) == (4, False)


async def test_a_switch_that_comes_second_finds_its_rollback_done(attempts, world, monkeypatch):
    platform, get = world.platform, world.platform.get

    async def slow(name):
        monkeypatch.setattr(platform, "get", get)
        await attempts()
        return await get(name)

    monkeypatch.setattr(platform, "get", slow)
    outcome = await attempts(since=3)
    assert (outcome.pointer.model_id, outcome.switched) == ("v2", False)
    assert world.registry.generation(TARGET) == 4


@pytest.mark.parametrize("once", [True, False])
async def test_going_further_back_is_offered_where_asking_again_does_so(attempts, capsys, once):
    await attempts(finish=False)
    outcome = await attempts(since=3 if once else None)
    _show_rollback(TARGET, outcome, named=False, once=once)
    shown = " ".join(capsys.readouterr().out.split())
    assert "This is the rollback from generation 3; nothing more was done." in shown
    assert ("To go back further, run it again." in shown) is not once
