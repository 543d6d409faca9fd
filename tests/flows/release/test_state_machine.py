"""The way of a promotion when all goes well, and every way it can fail: the old model stays or comes back."""

from __future__ import annotations

import re

import pytest
from support import file_platform

from evals.errors import ConfigurationError, PlatformError, Problem
from flows.deployments.identity import deployment_name

TARGET = "triage"


@pytest.fixture
async def v1_live(world):
    outcome = await world.promote("r1", "v1")
    assert outcome.state == "live"
    return world


def done(world, run_id):
    return [mark.step for mark in world.registry.steps(run_id) if mark.phase == "done"]


async def test_a_cleared_candidate_goes_live_step_by_step(world):
    outcome = await world.promote("r1", "v1")
    assert (outcome.state, outcome.pointer.model_id, outcome.pointer.generation) == (
        "live",
        "v1",
        1,
    )
    assert done(world, "r1") == [
        "deploying",
        "ready",
        "smoke_tested",
        "measured",
        "switched",
        "published",
        "live",
    ]
    assert await world.read_by_applications() == {"v1"}
    assert world.registry.run("r1").state == "promoted"
    assert world.registry.history(TARGET)[0].kind == "first_release"
    assert [found.problem for found in outcome.published] == [None, None]
    (published,) = [mark for mark in world.registry.steps("r1") if mark.step == "published"][1:]
    for place in outcome.published:
        assert re.fullmatch(
            r"published \d+\.\d\d s after the switch", published.detail[place.publisher]
        )
    assert world.registry.verify() == ()


async def test_the_deployment_that_was_live_before_is_kept_warm(v1_live):
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "live"
    assert set(v1_live.platform.standing().values()) == {"v1", "v2"}
    assert v1_live.registry.previous(TARGET).model_id == "v1"
    assert v1_live.registry.history(TARGET)[0].kind == "promotion"


async def test_promoting_again_changes_nothing(v1_live):
    head = v1_live.registry.generation(TARGET)
    outcome = await v1_live.promote("r1", "v1")
    assert outcome.state == "live"
    assert v1_live.registry.generation(TARGET) == head
    assert len(v1_live.platform.log) == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", ["get", "deploy", "wait_ready"])
async def test_a_platform_that_fails_leaves_the_old_model_live(v1_live, method):
    v1_live.platform.failing[method] = PlatformError("quota exceeded", status=429)
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "failed"
    assert "quota exceeded" in outcome.detail
    assert outcome.pointer.model_id == "v1"
    assert await v1_live.read_by_applications() == {"v1"}
    assert v1_live.registry.run("r2").state == "failed"


async def test_a_failed_smoke_test_leaves_the_old_model_and_removes_the_new_deployment(v1_live):
    v1_live.smoke_result = file_platform.SmokeResult(
        asked=3, passed=False, detail="2 of 3 were empty"
    )
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "failed"
    assert "2 of 3 were empty" in outcome.detail
    assert list(v1_live.platform.standing().values()) == ["v1"]


async def test_after_a_failure_the_same_run_can_be_tried_again(v1_live):
    v1_live.smoke_result = file_platform.SmokeResult(asked=3, passed=False)
    assert (await v1_live.promote("r2", "v2")).state == "failed"
    v1_live.smoke_result = file_platform.SmokeResult(asked=3, passed=True)
    assert (await v1_live.promote("r2", "v2")).state == "live"
    assert await v1_live.read_by_applications() == {"v2"}


async def test_a_smoke_test_that_asked_nothing_is_not_passed(v1_live):
    v1_live.smoke_result = file_platform.SmokeResult(asked=0, passed=True)
    outcome = await v1_live.promote("r2", "v2")
    assert (outcome.state, outcome.pointer.model_id) == ("failed", "v1")
    assert "nothing was asked" in outcome.detail


async def test_a_smoke_test_that_breaks_leaves_the_old_model(v1_live):
    async def break_(connection):
        raise ZeroDivisionError("a bug of ours")

    v1_live.smoke = break_
    outcome = await v1_live.promote("r2", "v2")
    assert (outcome.state, outcome.pointer.model_id) == ("failed", "v1")


async def test_what_this_run_did_not_create_is_never_deleted(v1_live):
    act = v1_live.judge("r2", "v2") and v1_live.act("r2", "v2", deployment="by-hand")
    await v1_live.platform.deploy("by-hand", "v2", file_platform.SLOT, tags={})
    v1_live.smoke_result = file_platform.SmokeResult(asked=3, passed=False)
    assert (await v1_live.promote("r2", "v2", act=act)).state == "failed"
    assert "by-hand" in v1_live.platform.standing()


async def test_a_deployment_of_another_model_under_our_name_is_not_taken_for_ours(v1_live):
    v1_live.judge("r2", "v2")
    name = deployment_name(TARGET, "r2")
    await v1_live.platform.deploy(name, "foreign", file_platform.SLOT, tags={})
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "failed"
    assert "serves foreign" in outcome.detail
    assert v1_live.platform.standing()[name] == "foreign"


async def test_a_deployment_that_can_not_be_removed_is_named(v1_live):
    v1_live.smoke_result = file_platform.SmokeResult(asked=3, passed=False)
    v1_live.platform.failing["delete"] = PlatformError("conflict", status=409)
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "failed"
    assert deployment_name(TARGET, "r2") in outcome.detail
    assert outcome.pointer.model_id == "v1"


async def test_a_publisher_that_fails_brings_the_old_model_back_everywhere(v1_live):
    place = file_platform.BrokenPublisher(refuses={"v2"})
    v1_live.publishers.append(place)
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "rolled_back"
    assert "no route" in outcome.detail
    assert (outcome.pointer.model_id, outcome.pointer.generation) == ("v1", 3)
    assert await v1_live.read_by_applications() == {"v1"}
    assert place.pointer.model_id == "v1"
    assert list(v1_live.platform.standing().values()) == ["v1"]
    assert v1_live.registry.run("r2").state == "failed"
    assert [event.kind for event in v1_live.registry.history(TARGET, 2)] == ["restore", "promotion"]


async def test_a_promotion_that_was_put_back_stays_put_back(v1_live):
    v1_live.publishers.append(file_platform.BrokenPublisher(refuses={"v2"}))
    await v1_live.promote("r2", "v2")
    v1_live.publishers.pop()
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "rolled_back"
    assert outcome.pointer.generation == 3


async def test_a_first_release_that_can_not_be_published_leaves_nothing_live(world):
    world.publishers.append(file_platform.BrokenPublisher(refuses={"v1"}))
    outcome = await world.promote("r1", "v1")
    assert (outcome.state, outcome.pointer) == ("rolled_back", None)
    assert await world.read_by_applications() == {None}
    assert world.platform.standing() == {}


async def test_places_that_can_not_be_put_back_are_named(v1_live):
    v1_live.publishers.append(file_platform.BrokenPublisher(refuses={"v1", "v2"}))
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "rolled_back"
    assert outcome.detail.count("no route") == 2
    v1_live.publishers.pop()
    assert await v1_live.read_by_applications() == {"v1"}


async def test_a_place_that_reads_back_something_else_brings_the_old_model_back(v1_live):
    class Deaf(file_platform.BrokenPublisher):
        async def publish(self, pointer):
            """Says it did, and did not."""

        async def read_back(self):
            return v1_live.registry.pointer_at(TARGET, 1)

    v1_live.publishers.append(Deaf(set()))
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "rolled_back"
    assert "reads back v1" in outcome.detail


async def test_a_publisher_without_its_credential_stops_the_run_before_anything_is_done(v1_live):
    class Bare(file_platform.BrokenPublisher):
        def problems(self):
            return (Problem(where="SECRET", message="expected a secret; found nothing"),)

    v1_live.publishers.append(Bare(set()))
    with pytest.raises(ConfigurationError, match="SECRET"):
        await v1_live.promote("r2", "v2")
    assert len(v1_live.platform.log) == 1


async def test_a_rollback_in_the_middle_of_publishing_is_not_undone(v1_live):
    class Meanwhile(file_platform.BrokenPublisher):
        async def publish(self, pointer):
            if pointer.model_id == "v2" and v1_live.registry.held(TARGET) is None:
                old = v1_live.registry.pointer_at(TARGET, 1)
                v1_live.registry.switch(
                    file_platform.NewPointer(
                        target=TARGET,
                        model_id="v1",
                        platform="embedded",
                        endpoint=old.endpoint,
                        deployment=old.deployment,
                    ),
                    expected_generation=2,
                    actor="ana",
                    reason="complaints",
                    kind="rollback",
                    hold=True,
                )
            await super().publish(pointer)

    v1_live.publishers.append(Meanwhile(set()))
    outcome = await v1_live.promote("r2", "v2")
    assert outcome.state == "superseded"
    assert outcome.pointer.model_id == "v1"
    assert await v1_live.read_by_applications() == {"v1"}


async def test_secrets_in_an_error_are_blotted_out_wherever_it_is_recorded(v1_live):
    v1_live.platform.failing["deploy"] = PlatformError("sent api-key: abc123 and Bearer xyz789")
    outcome = await v1_live.promote("r2", "v2")
    recorded = str(v1_live.registry.history(TARGET, 500, kinds=None)) + outcome.detail
    assert "abc123" not in recorded
    assert "xyz789" not in recorded


def test_deployment_names_are_short_plain_and_always_the_same():
    name = deployment_name("Support triage / Übersee " * 5, "run-1")
    assert len(name) <= 64
    assert name == deployment_name("Support triage / Übersee " * 5, "run-1")
    assert name != deployment_name("Support triage / Übersee " * 5, "run-2")
    assert all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in name)


async def test_a_candidate_goes_live_although_its_answers_could_not_be_kept_and_the_outcome_says_so(
    world,
):
    def keep():
        raise OSError("no space left on device")

    outcome = await world.promote("r1", "v1", keep=keep)
    assert (outcome.state, outcome.pointer.model_id) == ("live", "v1")
    assert "its answers could not be kept: no space left on device" in outcome.detail
    assert world.registry.unkept_runs(TARGET) == ("r1",)
    again = await world.promote("r1", "v1", keep=lambda: {"digest": "sha256:1"})
    assert "could not be kept" not in again.detail
    assert [one.digest for one in world.registry.kept_answers(TARGET)] == ["sha256:1"]
