"""The OpenAI platform against the emulator's OpenAI side, and against servers that only look like it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
from support.emulator import training_lines

from evals.errors import ConfigurationError, CredentialError, PlatformError, RefusedError
from evals.records import Candidate
from flows.platforms.base import SlotSpec, TriggerRef
from flows.platforms.deadlines import PollingPace
from flows.platforms.findings import NEWER_BASE
from flows.platforms.fine_tuning import jobs
from flows.platforms.fine_tuning.records import Job
from flows.platforms.model_names import base_of
from flows.platforms.openai import OpenAIPlatform, read_openai_options
from flows.platforms.shutdowns import Shutdowns

SLOT = SlotSpec(slot="developer")
PACE = PollingPace(probe=0.05)
MODEL = "ft:gpt-4.1-mini-2025-04-14:acme:triage:CdEf12Gh"


def openai_at(url: str, key: str | None = "embedded-api-key", **options: Any) -> OpenAIPlatform:
    given = read_openai_options({"base_url": f"{url}/v1", **options})
    return OpenAIPlatform(given, {"OPENAI_API_KEY": key} if key else {}, pace=PACE)


@pytest.fixture
async def openai(emulator) -> AsyncIterator[OpenAIPlatform]:
    platform = openai_at(emulator.url)
    yield platform
    await platform.aclose()


@pytest.fixture
async def scripted(server) -> AsyncIterator[OpenAIPlatform]:
    platform = openai_at(server.url, "key-1")
    yield platform
    await platform.aclose()


async def train(platform: OpenAIPlatform, lines: bytes) -> Job:
    file = await jobs.upload_file(platform, lines, poll_s=0.02)
    job = await jobs.create_job(
        platform, model="gpt-4.1-mini-2025-04-14", training_file=file, suffix="triage"
    )
    return await jobs.wait_finished(platform, job.id, poll_s=0.05, timeout_s=900)


async def test_a_fine_tune_is_resolved_deployed_by_its_id_and_asked(openai, emulator) -> None:
    emulator.set(openai_model_lag_s=0.4)
    job = await train(openai, training_lines())
    assert job.model_id is not None and job.model_id.startswith("ft:gpt-4.1-mini")
    candidate = await openai.resolve(TriggerRef(job_id=job.id), target="t")
    assert (candidate.model_id, candidate.base_model) == (job.model_id, "gpt-4.1-mini-2025-04-14")
    deployment = await openai.deploy("cand-1", candidate.model_id, SLOT, tags={"run": "r"})
    connection = await openai.wait_ready(deployment)
    assert connection.endpoint.model == job.model_id
    assert (await connection.auth())["Authorization"] == "Bearer embedded-api-key"
    assert [one.name for one in await openai.list_deployments()] == ["cand-1"]
    await openai.delete("cand-1")
    assert await openai.get("cand-1") is None

    found = await jobs.checkpoints(openai, job.id)
    earlier = next(one for one in found if "ckpt-step" in (one.model_id or ""))
    named = await openai.resolve(TriggerRef(checkpoint=earlier.id), target="t")
    assert (named.model_id, named.checkpoint) == (earlier.model_id, earlier.id)
    step = await openai.deploy("cand-2", named.model_id, SLOT, tags={})
    await openai.wait_ready(step)

    preflight = {one.name: one.level for one in await openai.preflight(candidate, (SLOT,))}
    assert preflight.pop("successor") in ("ok", "warn")  # by the day on which OpenAI takes no jobs
    assert preflight == {"credentials": "ok", "model": "ok", "lifetime": "ok", "price": "ok"}


async def test_a_model_that_is_unknown_is_refused_and_cannot_be_deployed(openai) -> None:
    with pytest.raises(RefusedError, match="there is no model"):
        await openai.resolve(TriggerRef(model_id=MODEL), target="t")
    with pytest.raises(PlatformError, match="check the id") as caught:
        await openai.deploy("cand-1", MODEL, SLOT, tags={})
    assert caught.value.code == "model_not_found"


def described(shutdown: str | None) -> tuple[int, Any]:
    model = {"id": MODEL, "object": "model", "created": 1, "owned_by": "acme"}
    return 200, {**model, "shutdown_date": shutdown}


async def test_a_model_that_was_shut_down_is_refused_and_one_that_soon_will_be_is_warned_of(
    server, scripted
) -> None:
    from datetime import UTC, datetime, timedelta

    address = f"GET /v1/models/{MODEL}"
    candidate = Candidate(model_id=MODEL, target="t")
    server.on(address, described("2020-01-01"))
    with pytest.raises(PlatformError, match="was shut down on 2020-01-01"):
        await scripted.deploy("cand-1", MODEL, SLOT, tags={})
    found = {one.name: one for one in await scripted.preflight(candidate, (SLOT,))}
    assert found["lifetime"].level == "fail"

    soon = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    server.on(address, described(soon))
    assert (await scripted.deploy("cand-1", MODEL, SLOT, tags={})).state == "ready"
    found = {one.name: one for one in await scripted.preflight(candidate, (SLOT,))}
    assert found["lifetime"].level == "warn"

    server.on(address, described("when we feel like it"))
    assert (await scripted.deploy("cand-1", MODEL, SLOT, tags={})).state == "ready"


async def test_a_fine_tune_is_shut_down_with_its_base(server, scripted) -> None:
    candidate = Candidate(model_id=MODEL, target="t")
    server.on(f"GET /v1/models/{MODEL}", described(None))
    server.on(f"GET /v1/models/{base_of(MODEL)}", described("2026-10-23"))
    with pytest.raises(PlatformError, match="was shut down on 2026-10-23"):
        await scripted.deploy("cand-1", MODEL, SLOT, tags={})
    assert not await scripted.offers(MODEL)
    found = {one.name: one for one in await scripted.preflight(candidate, (SLOT,))}
    assert found["lifetime"].level == "fail"
    assert found["lifetime"].fix.startswith(NEWER_BASE)


async def test_a_target_may_state_until_when_a_model_lives(server) -> None:
    server.on(f"GET /v1/models/{MODEL}", described(None))
    days = {"training_ends": "2026-01-06", "fine_tunes_end": "2026-01-14"}
    platform = openai_at(server.url, "key", lifetimes={base_of(MODEL): days})
    found = await platform.preflight(Candidate(model_id=MODEL, target="t"), (SLOT,))
    await platform.aclose()
    told = {one.name: one.level for one in found}
    assert (told["lifetime"], told["successor"]) == ("fail", "warn")


@pytest.mark.parametrize("vendor", [True, False])
async def test_no_advice_is_given_that_cannot_be_followed(server, scripted, vendor) -> None:
    candidate = Candidate(model_id=MODEL, target="t")
    server.on(f"GET /v1/models/{base_of(MODEL)}", (404, {"error": {"code": "model_not_found"}}))
    found = await Shutdowns(scripted, {}, vendor=vendor).findings({"id": MODEL}, candidate)
    (successor,) = [one for one in found if one.name == "successor"]
    assert "2027-01-06" in successor.message
    assert ("at OpenAI" in successor.message) is not vendor
    assert "OpenAI" in successor.fix or successor.level == "ok"
    assert "2027-01-06" in Shutdowns(scripted, {}, vendor=vendor).instead(MODEL)


@pytest.mark.parametrize("vendor", [True, False])
async def test_what_openai_has_published_counts_at_openai_alone(scripted, vendor) -> None:
    gone = "o4-mini-2025-04-16"  # shut down on 2026-10-23
    ended = await Shutdowns(scripted, {}, vendor=vendor).ended({"id": gone}, gone)
    assert ended == (date(2026, 10, 23) if vendor else None)


async def test_drift_is_looked_for_at_the_model_where_the_service_keeps_no_names(
    server, scripted, tmp_path
) -> None:
    from evals.records import Endpoint
    from flows.monitoring.drift import find_drift
    from flows.registry.records import NewPointer
    from flows.registry.store import Registry

    address = f"GET /v1/models/{MODEL}"
    endpoint = Endpoint(base_url=f"{server.url}/v1", model=MODEL, model_id=MODEL)
    with Registry.open(f"sqlite:///{tmp_path}/registry.db") as registry:
        registry.switch(
            NewPointer(
                target="t",
                model_id=MODEL,
                platform="openai",
                endpoint=endpoint,
                deployment="named-by-us",
            ),
            expected_generation=0,
            actor="ana",
            reason="runs already",
            kind="adopt",
        )

        async def drift() -> list[str]:
            found = await find_drift("t", platform=scripted, registry=registry, publishers=())
            return [one.kind for one in found]

        server.on(address, described(None))
        assert await drift() == []
        server.on(address, described("2020-01-01"))
        assert await drift() == ["gone"]
        server.on(address, (404, {"error": {"message": "no", "code": "model_not_found"}}))
        assert await drift() == ["gone"]
        server.on(address, (403, {"error": {"message": "not for you", "code": "forbidden"}}))
        assert await drift() == ["unreadable"]


async def test_model_not_found_after_training_is_waited_out(server, scripted) -> None:
    missing = (
        404,
        {"error": {"message": "no", "type": "invalid_request_error", "code": "model_not_found"}},
    )
    server.on(f"GET /v1/models/{MODEL}", described(None))
    server.on("POST /v1/chat/completions", missing, missing, (200, {"model": MODEL, "choices": []}))
    await scripted.wait_ready(await scripted.deploy("cand-1", MODEL, SLOT, tags={}))


async def test_an_account_without_credit_is_told_at_once(server, scripted) -> None:
    empty = (
        429,
        {"error": {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}},
    )
    server.on(f"GET /v1/models/{MODEL}", described(None))
    server.on("POST /v1/chat/completions", empty)
    with pytest.raises(PlatformError, match="billing page"):
        await scripted.wait_ready(await scripted.deploy("cand-1", MODEL, SLOT, tags={}))


async def test_a_missing_key_names_its_variable_when_it_is_first_needed(emulator) -> None:
    platform = openai_at(emulator.url, None)
    with pytest.raises(CredentialError, match="OPENAI_API_KEY") as caught:
        await platform.resolve(TriggerRef(job_id="ftjob-1"), target="t")
    assert caught.value.exit_code == 3
    with pytest.raises(CredentialError):
        await platform.connect("a", MODEL, "developer").auth()

    found = await platform.preflight(Candidate(model_id=MODEL, target="t"), (SLOT,))
    assert [(one.name, one.level) for one in found] == [("credentials", "fail")]


async def test_a_wrong_key_is_a_matter_of_credentials_and_never_shown(emulator) -> None:
    platform = openai_at(emulator.url, "sk-very-secret")
    with pytest.raises(CredentialError, match="refuses the credential") as caught:
        await platform.resolve(TriggerRef(job_id="ftjob-1"), target="t")
    assert "sk-very-secret" not in str(caught.value)
    await platform.aclose()


async def test_a_server_that_asks_for_no_key_gets_none(server) -> None:
    platform = openai_at(server.url, None, key_variable="none")
    assert await platform.connect("a", "local-model", "production").auth() == {}
    server.on("GET /v1/models/local-model", (200, {"id": "local-model", "object": "model"}))
    server.on("POST /v1/chat/completions", (200, {"model": "local-model", "choices": []}))
    found = await platform.deploy("a", "local-model", SlotSpec(slot="production"), tags={})
    await platform.wait_ready(found)
    await platform.aclose()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_urll": "x"}, "did you mean 'base_url'"),
        ({"base_url": "ftp://x"}, "expected an http"),
        ({"base_url": 7}, "base_url"),
    ],
)
def test_wrong_options_are_named(options, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_openai_options(options)
