"""Replacing the model under one fixed name: the end state is right whatever happens in between."""

from __future__ import annotations

import asyncio
import time

import pytest
from support.emulator import finish_operations
from support.waiting import until

from evals.errors import PlatformError
from flows.platforms.base import SlotSpec

SLOT = SlotSpec(slot="production", sku="GlobalStandard", capacity=50)
TAGS = {"run": "run-1"}


async def test_a_replace_ends_with_the_new_model_and_says_how_long_nothing_answered(
    embedded, models
) -> None:
    await embedded.deploy("live", models.first.model_id, SLOT, tags=TAGS)
    began = time.monotonic()
    done = await embedded.replace("live", models.second.model_id, SLOT, tags=TAGS)
    assert done.deployment.model_id == models.second.model_id
    assert done.previous is not None and done.previous.model_id == models.first.model_id
    assert 0.0 < done.downtime_s <= time.monotonic() - began
    least, most = embedded.expected_replace_s
    assert least < most


async def test_the_stale_old_model_counts_as_downtime(embedded, models, emulator) -> None:
    await embedded.deploy("live", models.first.model_id, SLOT, tags=TAGS)
    emulator.set(stale_serving_s=0.5)
    done = await embedded.replace("live", models.second.model_id, SLOT, tags=TAGS)
    assert done.downtime_s >= 0.5


async def test_a_second_replace_by_the_same_model_deletes_nothing(
    embedded, models, emulator
) -> None:
    await embedded.replace("live", models.first.model_id, SLOT, tags=TAGS)
    before = len(emulator.log)
    done = await embedded.replace("live", models.first.model_id, SLOT, tags=TAGS)
    assert done.downtime_s == 0.0
    assert "DELETE" not in {entry.method for entry in emulator.log[before:]}


async def test_a_failed_create_puts_the_old_model_back(embedded, models) -> None:
    await embedded.deploy("live", models.first.model_id, SLOT, tags=TAGS)
    unknown = "gpt-4.1-mini-2025-04-14.ft-" + "0" * 32
    with pytest.raises(PlatformError, match="was put back and answers again") as caught:
        await embedded.replace("live", unknown, SLOT, tags=TAGS)
    assert caught.value.code == "ReplaceFailed"
    standing = await embedded.get("live")
    assert (standing.model_id, standing.state) == (models.first.model_id, "ready")
    assert standing.tags == {**TAGS, "gatewright": "production"}


async def test_a_create_that_provisions_to_failure_puts_the_old_model_back(
    embedded, models, emulator
) -> None:
    await embedded.deploy("live", models.first.model_id, SLOT, tags=TAGS)
    emulator.set(provisioning_outcome="Failed", provisioning_s=3600)
    before = len(emulator.log)

    async def recover() -> None:
        await until(lambda: any(entry.status == 201 for entry in emulator.log[before:]))
        emulator.set(provisioning_outcome="Succeeded", provisioning_s=0.03)
        finish_operations(emulator)

    healing = asyncio.create_task(recover())
    with pytest.raises(PlatformError, match="was put back"):
        await embedded.replace("live", models.second.model_id, SLOT, tags=TAGS)
    await healing
    assert (await embedded.get("live")).model_id == models.first.model_id


async def test_when_neither_can_stand_both_reasons_are_told(embedded, models, emulator) -> None:
    await embedded.deploy("live", models.first.model_id, SLOT, tags=TAGS)
    emulator.set(provisioning_outcome="Failed")
    with pytest.raises(PlatformError, match="live has no model"):
        await embedded.replace("live", models.second.model_id, SLOT, tags=TAGS)


async def test_a_replace_broken_off_after_the_deletion_is_finished_by_the_next(
    embedded, models, emulator
) -> None:
    previous = await embedded.deploy("live", models.first.model_id, SLOT, tags=TAGS)
    emulator.set(deleting_s=3600)
    before = len(emulator.log)
    task = asyncio.create_task(embedded.replace("live", models.second.model_id, SLOT, tags=TAGS))
    await until(lambda: any(entry.method == "DELETE" for entry in emulator.log[before:]))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    finish_operations(emulator)
    done = await embedded.replace(
        "live", models.second.model_id, SLOT, tags=TAGS, previous=previous
    )
    assert done.deployment.model_id == models.second.model_id
    assert done.previous == previous


async def test_after_a_crash_the_remembered_model_is_put_back_when_the_new_one_fails(
    embedded, models
) -> None:
    previous = await embedded.deploy("live", models.first.model_id, SLOT, tags=TAGS)
    await embedded.delete("live")
    unknown = "gpt-4.1-mini-2025-04-14.ft-" + "0" * 32
    with pytest.raises(PlatformError, match="was put back"):
        await embedded.replace("live", unknown, SLOT, tags=TAGS, previous=previous)
    assert (await embedded.get("live")).model_id == models.first.model_id
