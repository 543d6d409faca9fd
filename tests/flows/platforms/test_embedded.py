"""The Azure client against the emulator: the way of one candidate, and everything that may come in between."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from support.emulator import finish_operations
from support.scripted_server import embedded_at
from support.waiting import until

from evals.errors import ConfigurationError, PlatformError, RefusedError
from flows.platforms.base import SlotSpec, TriggerRef
from flows.platforms.table import open_platform

DEVELOPER = SlotSpec(slot="developer", sku="DeveloperTier", capacity=50)
PRODUCTION = SlotSpec(slot="production", sku="GlobalStandard", capacity=50)
TAGS = {"run": "run-0042", "target": "support-triage", "role": "candidate"}


async def _ask(connection, text: str) -> dict:
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(
            f"{connection.endpoint.base_url}/chat/completions",
            headers=dict(await connection.auth()),
            params=(
                {"api-version": connection.endpoint.api_version}
                if connection.endpoint.api_version
                else None
            ),
            json={
                "model": connection.endpoint.model,
                "messages": [{"role": "user", "content": text}],
            },
        )
    answer.raise_for_status()
    return answer.json()


async def test_a_finished_job_becomes_a_candidate_that_is_deployed_asked_and_cleared_away(
    embedded, models
) -> None:
    candidate = await embedded.resolve(TriggerRef(job_id=models.first.id), target="support-triage")
    assert candidate.model_id == models.first.model_id
    assert candidate.base_model == "gpt-4.1-mini-2025-04-14"
    assert candidate.training_digest is not None

    deployment = await embedded.deploy("cand-1", candidate.model_id, DEVELOPER, tags=TAGS)
    assert (deployment.state, deployment.slot, deployment.sku) == (
        "ready",
        "developer",
        "DeveloperTier",
    )
    assert deployment.tags == {**TAGS, "gatewright": "developer"}

    connection = await embedded.wait_ready(deployment)
    answer = await _ask(connection, "login question number 3, please help")
    assert answer["choices"][0]["message"]["content"] == "login"

    await embedded.delete("cand-1")
    assert await embedded.get("cand-1") is None
    await embedded.delete("cand-1")


async def test_the_dated_address_works_as_well(emulator, models) -> None:
    platform = embedded_at(emulator.url, api="dated")
    candidate = await platform.resolve(TriggerRef(job_id=models.first.id), target="t")
    deployment = await platform.deploy("dated-1", candidate.model_id, DEVELOPER, tags=TAGS)
    connection = await platform.wait_ready(deployment)
    assert connection.endpoint.api_version == "2024-10-21"
    assert (await _ask(connection, "billing question"))["choices"]
    await platform.aclose()


async def test_what_stands_is_kept_and_written_once_only(embedded, models, emulator) -> None:
    first = await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    before = len(emulator.log)
    again = await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    assert again == first
    assert {entry.method for entry in emulator.log[before:]} == {"GET"}


async def test_a_lower_case_sku_is_the_same_sku(embedded, models) -> None:
    lower = SlotSpec(slot="developer", sku="developertier", capacity=50)
    await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    again = await embedded.deploy("cand-1", models.first.model_id, lower, tags=TAGS)
    assert again.sku == "DeveloperTier"


@pytest.mark.parametrize("style", ["200", "202"])
async def test_another_capacity_is_patched_in_place(embedded, models, emulator, style) -> None:
    emulator.set(patch_style=style)
    await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    wider = SlotSpec(slot="developer", sku="DeveloperTier", capacity=75)
    changed = await embedded.deploy("cand-1", models.first.model_id, wider, tags=TAGS)
    assert changed.capacity == 75
    assert changed.tags == {**TAGS, "gatewright": "developer"}


async def test_a_fine_tuned_deployment_is_never_given_another_model(
    embedded, models, emulator
) -> None:
    await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    before = len(emulator.log)
    with pytest.raises(PlatformError, match="blue_green") as caught:
        await embedded.deploy("cand-1", models.second.model_id, DEVELOPER, tags=TAGS)
    assert caught.value.code == "ModelUpgradeNotSupported"
    assert {entry.method for entry in emulator.log[before:]} == {"GET"}


async def test_the_type_of_a_deployment_is_not_changed_in_place(embedded, models) -> None:
    await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    with pytest.raises(PlatformError, match="stands as DeveloperTier, asked for is GlobalStandard"):
        await embedded.deploy("cand-1", models.first.model_id, PRODUCTION, tags=TAGS)


async def test_parallel_deployments_of_one_account_all_stand(embedded, models, emulator) -> None:
    other = embedded_at(emulator.url)
    names = ["cand-1", "cand-2", "base-1"]
    found = await asyncio.gather(
        embedded.deploy(names[0], models.first.model_id, DEVELOPER, tags=TAGS),
        other.deploy(names[1], models.second.model_id, DEVELOPER, tags=TAGS),
        embedded.deploy(names[2], models.second.model_id, PRODUCTION, tags=TAGS),
    )
    assert [one.state for one in found] == ["ready"] * 3
    await other.aclose()


async def test_a_write_of_another_process_is_waited_for(embedded, models, emulator) -> None:
    emulator.set(provisioning_s=3600)  # theirs is under way until we were refused because of it
    address = (
        f"{emulator.url}/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/embedded"
        "/providers/Microsoft.CognitiveServices/accounts/embedded/deployments/other?api-version=2025-06-01"
    )
    body = {
        "sku": {"name": "DeveloperTier", "capacity": 1},
        "properties": {
            "model": {"format": "OpenAI", "name": models.second.model_id, "version": "1"}
        },
    }
    async with httpx.AsyncClient(
        headers={"Authorization": "Bearer embedded-arm-token"}, timeout=60
    ) as client:
        assert (await client.put(address, json=body)).status_code == 201
    emulator.set(provisioning_s=0.03)
    before = len(emulator.log)
    deploying = asyncio.create_task(
        embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    )
    await until(lambda: 409 in {entry.status for entry in emulator.log[before:]})
    finish_operations(emulator)
    assert (await deploying).state == "ready"


async def test_a_candidate_lost_by_its_process_is_found_again_while_it_is_created(
    embedded, models, emulator
) -> None:
    emulator.set(provisioning_s=3600)
    before = len(emulator.log)
    task = asyncio.create_task(
        embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    )
    await until(lambda: any(entry.status == 201 for entry in emulator.log[before:]))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = len(emulator.log)
    again = asyncio.create_task(
        embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    )
    await until(lambda: any(entry.method == "GET" for entry in emulator.log[before:]))
    finish_operations(emulator)
    assert (await again).state == "ready"
    assert not [entry for entry in emulator.log[before:] if entry.method == "PUT"]


async def test_a_name_that_is_being_deleted_is_waited_for_and_created_anew(
    embedded, models, emulator
) -> None:
    await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    emulator.set(deleting_s=3600)
    before = len(emulator.log)
    task = asyncio.create_task(embedded.delete("cand-1"))
    await until(lambda: any(entry.method == "DELETE" for entry in emulator.log[before:]))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await embedded.get("cand-1")).state == "deleting"
    before = len(emulator.log)
    again = asyncio.create_task(
        embedded.deploy("cand-1", models.second.model_id, DEVELOPER, tags=TAGS)
    )
    await until(lambda: any(entry.method == "GET" for entry in emulator.log[before:]))
    finish_operations(emulator)
    assert (await again).model_id == models.second.model_id


@pytest.mark.parametrize("outcome", ["Failed", "Canceled"])
async def test_a_failed_deployment_is_told_and_cleared_away_next_time(
    embedded, models, emulator, outcome
) -> None:
    emulator.set(provisioning_outcome=outcome)
    with pytest.raises(PlatformError, match="could not create deployment cand-1"):
        await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    emulator.set(provisioning_outcome="Succeeded")
    found = await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    assert found.state == "ready"


async def test_what_others_made_is_never_deleted(embedded, models, emulator) -> None:
    address = (
        f"{emulator.url}/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/embedded"
        "/providers/Microsoft.CognitiveServices/accounts/embedded/deployments/theirs?api-version=2025-06-01"
    )
    body = {
        "sku": {"name": "GlobalStandard", "capacity": 1},
        "properties": {"model": {"format": "OpenAI", "name": "gpt-4o", "version": "2024-11-20"}},
    }
    async with httpx.AsyncClient(
        headers={"Authorization": "Bearer embedded-arm-token"}, timeout=60
    ) as client:
        await client.put(address, json=body)
    with pytest.raises(PlatformError, match="was not made by Gatewright") as caught:
        await embedded.delete("theirs")
    assert caught.value.code == "NotOurs"
    assert (await embedded.get("theirs")).model_id == "gpt-4o-2024-11-20"


async def test_an_untuned_model_is_deployed_by_its_name_and_date(embedded) -> None:
    found = await embedded.deploy("base-1", "gpt-4.1-mini-2025-04-14", PRODUCTION, tags=TAGS)
    assert found.model_id == "gpt-4.1-mini-2025-04-14"
    await embedded.wait_ready(found)


async def test_every_deployment_is_listed_over_all_pages(embedded, models, emulator) -> None:
    emulator.set(arm_page_size=2, provisioning_s=0.0)
    for number in range(3):
        await embedded.deploy(f"cand-{number}", models.first.model_id, DEVELOPER, tags=TAGS)
    assert len(await embedded.list_deployments()) == 3


async def test_the_data_plane_is_waited_for_after_the_control_plane(
    embedded, models, emulator
) -> None:
    emulator.set(dataplane_lag_s=3600)
    before = len(emulator.log)

    def probes() -> list[int]:
        asked = [one for one in emulator.log[before:] if one.path.endswith("/chat/completions")]
        return [one.status for one in asked]

    deployment = await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    waiting = asyncio.create_task(embedded.wait_ready(deployment))
    await until(lambda: 404 in probes())
    finish_operations(emulator)
    await waiting
    assert probes()[-1] == 200


@pytest.mark.parametrize("echo", ["model_id", "base", "deployment"])
async def test_any_model_name_in_the_answer_is_survived(embedded, models, emulator, echo) -> None:
    emulator.set(echo_model=echo)
    deployment = await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    await embedded.wait_ready(deployment)


async def test_the_stale_old_model_is_not_taken_for_the_new_one(embedded, models, emulator) -> None:
    await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    emulator.set(stale_serving_s=0.8)
    await embedded.delete("cand-1")
    deployment = await embedded.deploy("cand-1", models.second.model_id, DEVELOPER, tags=TAGS)
    connection = await embedded.wait_ready(deployment)
    assert (await _ask(connection, "login question"))["model"] == models.second.model_id


async def test_a_slot_that_expired_says_so_and_is_deployed_again(
    embedded, models, emulator
) -> None:
    deployment = await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    emulator.clock.advance(24 * 3600 + 1)
    assert await embedded.get("cand-1") is None
    again = await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags=TAGS)
    await embedded.wait_ready(again)
    assert again.created_at != deployment.created_at


async def test_a_checkpoint_is_deployed_by_its_own_id(embedded, models) -> None:
    earlier = next(one for one in models.checkpoints if "ckpt-step" in (one.model_id or ""))
    for named in (earlier.id, earlier.model_id):
        candidate = await embedded.resolve(TriggerRef(checkpoint=named), target="t")
        assert (candidate.model_id, candidate.job_id) == (earlier.id, models.first.id)
        assert candidate.base_model == "gpt-4.1-mini-2025-04-14"
    deployment = await embedded.deploy("cand-1", candidate.model_id, DEVELOPER, tags=TAGS)
    assert deployment.model_id == earlier.id
    await embedded.wait_ready(deployment)


async def test_what_is_not_there_or_not_finished_is_refused(embedded, models, emulator) -> None:
    wanted = [
        (TriggerRef(job_id="ftjob-none"), "there is no fine-tuning job ftjob-none"),
        (TriggerRef(model_id="gpt-4.1-mini-2025-04-14.ft-" + "0" * 32), "there is no model"),
        (TriggerRef(), "expected a job id"),
    ]
    for ref, message in wanted:
        with pytest.raises(RefusedError, match=message):
            await embedded.resolve(ref, target="t")


async def test_nothing_running_says_how_to_start_it() -> None:
    platform = embedded_at("http://127.0.0.1:9")
    with pytest.raises(PlatformError, match="start the embedded platform"):
        await platform.get("cand-1")
    with pytest.raises(PlatformError, match="start the embedded platform"):
        await platform.resolve(TriggerRef(job_id="ftjob-1"), target="t")
    await platform.aclose()


async def test_the_well_known_credentials_never_leave_the_machine() -> None:
    with pytest.raises(ConfigurationError, match="expected an address on loopback"):
        open_platform("embedded", {}, {"GATEWRIGHT_EMBEDDED_URL": "https://models.example"})


async def test_a_paused_deployment_is_resumed_when_it_is_deployed(embedded, models) -> None:
    deployment = await embedded.deploy("prod-1", models.first.model_id, PRODUCTION, tags=TAGS)
    await embedded.pause("prod-1")
    assert (await embedded.get("prod-1")).state == "paused"
    with pytest.raises(PlatformError, match="is paused"):
        await embedded.wait_ready(deployment)
    again = await embedded.deploy("prod-1", models.first.model_id, PRODUCTION, tags=TAGS)
    await embedded.wait_ready(again)
