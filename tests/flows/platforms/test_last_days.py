"""Until when a model answers, by its platform's own word, the target's, or what is published; and whether it is still there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support.emulator import LIVING
from support.scripted_server import embedded_at

from flows.platforms.deadlines import PollingPace
from flows.platforms.last_days import LastDays
from flows.platforms.openai import OpenAIPlatform, read_openai_options

BASE = "gpt-4.1-mini-2025-04-14"
MODEL = f"ft:{BASE}:acme:triage:CdEf12Gh"
SOON = datetime.now(UTC).date() + timedelta(days=25)
PAST = datetime.now(UTC).date() - timedelta(days=1)


def listed(emulator: Any, **days: date) -> None:
    """Have the region's list tell these days of every model."""
    told = {name: day.isoformat() for name, day in days.items()}
    emulator.set(model_dates={"*": {**LIVING["*"], **told}})


async def test_azures_list_tells_of_a_fine_tune_and_of_training_on_its_base(
    embedded: Any, emulator: Any, models: Any
) -> None:
    model = models.first.model_id
    listed(emulator, fine_tunes_end=SOON, base_inference_ends=PAST, training_ends=PAST)
    found = await embedded.last_days(model)
    assert (found.answers_until, found.state, found.base_model) == (SOON, "there", BASE)
    listed(emulator, fine_tunes_end=PAST)
    assert (await embedded.last_days(model)).state == "retired"


async def test_azures_list_tells_of_an_untuned_model(embedded: Any, emulator: Any) -> None:
    listed(emulator, base_inference_ends=SOON)
    found = await embedded.last_days(BASE)
    assert (found.answers_until, found.trains_until, found.state) == (SOON, None, "there")
    short = await embedded.last_days("gpt-4.1-mini")
    assert (short.answers_until, short.state) == (SOON, "there")


async def test_a_fine_tune_that_the_account_does_not_know_is_gone(
    embedded: Any, models: Any
) -> None:
    gone = models.first.model_id.replace("ft-", "ft-0")
    assert (await embedded.last_days(gone)).state == "gone"
    assert (await embedded.last_days("ftchkpt-0123")).state == "unknown"


async def test_the_target_goes_before_the_list_and_nothing_is_asked_offline(
    emulator: Any, models: Any
) -> None:
    stated = {BASE: {"fine_tunes_end": SOON.isoformat()}}
    platform = embedded_at(emulator.url, lifetimes=stated)
    try:
        before = len(emulator.log)
        offline = await platform.last_days(models.first.model_id, ask=False)
        assert (offline.answers_until, offline.state) == (SOON, "unknown")
        assert len(emulator.log) == before
        assert (await platform.last_days(models.first.model_id)).answers_until == SOON
    finally:
        await platform.aclose()


def openai_at(url: str, **options: Any) -> OpenAIPlatform:
    given = read_openai_options({"base_url": f"{url}/v1", "key_variable": "none", **options})
    return OpenAIPlatform(given, {}, pace=PollingPace(probe=0.05))


def described(model: str, shutdown: str | None) -> tuple[int, Any]:
    return 200, {
        "id": model,
        "object": "model",
        "created": 1,
        "owned_by": "acme",
        "shutdown_date": shutdown,
    }


@pytest.mark.parametrize("own", [True, False], ids=["its own", "its base's"])
async def test_openais_shutdown_date_is_taken(server: Any, own: bool) -> None:
    day = SOON.isoformat()
    server.on(f"GET /v1/models/{MODEL}", described(MODEL, day if own else None))
    server.on(f"GET /v1/models/{BASE}", described(BASE, None if own else day))
    platform = openai_at(server.url)
    try:
        found = await platform.last_days(MODEL)
        assert (found.answers_until, found.state, found.base_model) == (SOON, "there", BASE)
        assert found.trains_until == date(2027, 1, 6)
    finally:
        await platform.aclose()


async def test_an_openai_model_that_was_deleted_is_gone(server: Any) -> None:
    missing = {"error": {"message": "no such model", "code": "model_not_found"}}
    for model in (MODEL, BASE):
        server.on(f"GET /v1/models/{model}", (404, missing))
    platform = openai_at(server.url)
    try:
        assert (await platform.last_days(MODEL)).state == "gone"
        table = await OpenAIPlatform(read_openai_options({}), {}).last_days(MODEL, ask=False)
        assert table == LastDays(
            model_id=MODEL,
            base_model=BASE,
            answers_until=date(2027, 1, 14),
            trains_until=date(2027, 1, 6),
        )
    finally:
        await platform.aclose()
