"""Checkpoints that no list shows: tried as they are, with the base model from the id, the job or the caller."""

from __future__ import annotations

import pytest

from evals.errors import CredentialError, PlatformError, RefusedError, UnknownModelError
from flows.emulator.state.documents import Job
from flows.platforms.base import SlotSpec, TriggerRef

HEX = "5d1e" * 8
COPIED = "ftchkpt-" + "0a" * 16
BASE = "gpt-4.1-mini-2025-04-14"
SLOT = SlotSpec(slot="developer", sku="DeveloperTier", capacity=1)
JOBS = "GET /openai/v1/fine_tuning/jobs"


@pytest.mark.parametrize(
    ("ref", "base"),
    [
        (TriggerRef(checkpoint=COPIED), None),
        (TriggerRef(checkpoint=COPIED, base_model="qwen3-32b"), "qwen3-32b"),
        (TriggerRef(model_id=COPIED.upper(), base_model=BASE), BASE),
        (TriggerRef(checkpoint=f"{BASE}.ft-{HEX}-v2:ckpt-step-90"), BASE),
        (
            TriggerRef(model_id=f"Llama-3.3-70B-Instruct.ft-{HEX}:ckpt-step-90"),
            "Llama-3.3-70B-Instruct",
        ),
    ],
)
async def test_a_checkpoint_that_no_job_lists_is_tried_as_it_is(server, azure, ref, base) -> None:
    server.on(JOBS, (200, {"data": [], "has_more": False}))
    found = await azure.resolve(ref, target="t")
    named = ref.checkpoint or ref.model_id
    assert found.model_id == found.checkpoint
    assert found.model_id == (COPIED if named.lower() == COPIED else named), "in one letter case"
    assert (found.base_model, found.unlisted) == (base, True)


async def test_the_job_that_is_given_tells_the_base(server, azure) -> None:
    job = {
        "id": "ftjob-1",
        "status": "succeeded",
        "model": BASE,
        "fine_tuned_model": f"{BASE}.ft-{HEX}",
    }
    server.on(f"{JOBS}/ftjob-1", (200, job))
    server.on(f"{JOBS}/ftjob-1/checkpoints", (200, {"data": [], "has_more": False}))
    ref = TriggerRef(checkpoint=COPIED, job_id="ftjob-1")
    found = await azure.resolve(ref, target="t")
    assert (found.base_model, found.job_id) == (BASE, "ftjob-1")
    assert not server.asked(JOBS), "no other job is looked through"
    with pytest.raises(RefusedError, match=f"is {BASE}, and gpt-4o was given"):
        await azure.resolve(replace_base(ref, "gpt-4o"), target="t")
    assert (await azure.resolve(replace_base(ref, "gpt-4.1-mini"), target="t")).base_model == BASE
    (model, *_) = [one for one in await azure.preflight(found, (SLOT,)) if one.name == "model"]
    assert model.level == "warn", "the job that was named may be the wrong one"
    assert f"ftjob-1 does not list {COPIED}" in model.message
    assert f"with {BASE} as its base model" in model.message


@pytest.mark.parametrize("base", [None, BASE])
async def test_a_checkpoint_whose_job_was_deleted_is_tried_as_it_is(server, azure, base) -> None:
    server.on(JOBS, (200, {"data": [], "has_more": False}))
    ref = TriggerRef(checkpoint=COPIED, job_id="ftjob-2", base_model=base)
    found = await azure.resolve(ref, target="t")
    assert (found.model_id, found.job_id, found.base_model) == (COPIED, None, base)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_checkpoint_is_tried_where_jobs_may_not_be_read(server, azure, status) -> None:
    denied = {"error": {"code": "PermissionDenied", "message": "The principal lacks the action"}}
    server.on(JOBS, (status, denied))
    found = await azure.resolve(TriggerRef(checkpoint=COPIED, base_model=BASE), target="t")
    assert (found.model_id, found.base_model) == (COPIED, BASE)
    server.on(JOBS, (401, {"error": {"code": "401", "message": "Access denied"}}))
    with pytest.raises(CredentialError):
        await azure.resolve(TriggerRef(checkpoint=COPIED), target="t")


@pytest.mark.parametrize(
    ("of_job", "given", "known"),
    [
        ("gpt-4.1-mini", BASE, BASE),
        (BASE, "gpt-4.1-mini", BASE),
        (f"{BASE}.ft-{HEX}", BASE, f"{BASE}.ft-{HEX}"),
        (f"{BASE}.ft-{HEX}", "gpt-4.1-mini", f"{BASE}.ft-{HEX}"),
        (BASE, "gpt-4o", None),
        (f"gpt-4o-2024-08-06.ft-{HEX}", BASE, None),
    ],
)
async def test_a_base_is_the_same_with_its_date_or_without(
    server, azure, of_job, given, known
) -> None:
    server.on(f"{JOBS}/ftjob-1", (200, {"id": "ftjob-1", "status": "paused", "model": of_job}))
    kept = {"id": COPIED, "fine_tuning_job_id": "ftjob-1", "step_number": 40}
    server.on(f"{JOBS}/ftjob-1/checkpoints", (200, {"data": [kept], "has_more": False}))
    ref = TriggerRef(checkpoint=COPIED, job_id="ftjob-1", base_model=given)
    if known is None:
        with pytest.raises(RefusedError, match=f"and {given} was given"):
            await azure.resolve(ref, target="t")
    else:
        assert (await azure.resolve(ref, target="t")).base_model == known


async def test_a_model_is_named_as_the_service_writes_it(server, azure) -> None:
    model, typed = f"{BASE}.ft-{HEX}", f"{BASE}.ft-{HEX}".upper()
    server.on(f"GET /openai/v1/models/{typed}", (200, {"id": model, "object": "model"}))
    assert (await azure.resolve(TriggerRef(model_id=typed), target="t")).model_id == model


def replace_base(ref: TriggerRef, base: str) -> TriggerRef:
    return TriggerRef(checkpoint=ref.checkpoint, job_id=ref.job_id, base_model=base)


@pytest.mark.parametrize("status", ["paused", "pausing", "cancelled", "running"])
async def test_jobs_that_have_not_succeeded_are_looked_through_as_well(
    server, azure, status
) -> None:
    waiting = {"id": "ftjob-2", "status": "queued", "model": BASE}
    gone = {"id": "ftjob-3", "status": "succeeded", "model": BASE}
    job = {"id": "ftjob-1", "status": status, "model": BASE}
    server.on(JOBS, (200, {"data": [waiting, gone, job], "has_more": False}))
    kept = {"id": COPIED, "fine_tuning_job_id": "ftjob-1", "step_number": 40}
    server.on(f"{JOBS}/ftjob-1/checkpoints", (200, {"data": [kept], "has_more": False}))
    found = await azure.resolve(TriggerRef(checkpoint=COPIED), target="t")
    assert (found.model_id, found.job_id, found.base_model) == (COPIED, "ftjob-1", BASE)
    assert not server.asked(f"{JOBS}/ftjob-2/checkpoints")


async def test_what_follows_from_a_base_that_is_not_known_is_said(
    embedded, models, emulator
) -> None:
    emulator.set(unlisted_checkpoints=["*"])
    one = models.checkpoints[0].id
    candidate = await embedded.resolve(TriggerRef(checkpoint=one), target="t")
    found = {line.name: line for line in await embedded.preflight(candidate, (SLOT,))}
    assert found["model"].level == found["base model"].level == "warn"
    assert "neither its price" in found["base model"].message
    assert found["base model"].fix == "give it by --base-model"
    assert not any(line.level == "fail" for line in found.values())

    known = await embedded.resolve(TriggerRef(checkpoint=one, base_model=BASE), target="t")
    found = {line.name: line.level for line in await embedded.preflight(known, (SLOT,))}
    assert "base model" not in found
    assert (found["lifetime"], found["price"], found["quota developer"]) == ("ok", "ok", "ok")

    deployment = await embedded.deploy("cand-1", one, SLOT, tags={})
    await embedded.wait_ready(deployment)


async def test_a_step_that_no_list_shows_is_warned_of_like_an_id(
    embedded, models, emulator
) -> None:
    named = next(
        one.model_id for one in models.checkpoints if one.model_id and ":ckpt-" in one.model_id
    )
    listed = await embedded.resolve(TriggerRef(checkpoint=named), target="t")
    found = {line.name: line for line in await embedded.preflight(listed, (SLOT,))}
    assert found["model"].level == "ok"
    emulator.set(unlisted_checkpoints=["*"])
    candidate = await embedded.resolve(TriggerRef(checkpoint=named), target="t")
    found = {line.name: line for line in await embedded.preflight(candidate, (SLOT,))}
    assert found["model"].level == "warn"
    assert f"does not list {named}" in found["model"].message
    assert found["model"].fix.startswith("check the id, unless")
    assert found["price"].level == "ok", "its base stands in its name"


async def test_the_platforms_refusal_is_the_answer(embedded) -> None:
    candidate = await embedded.resolve(TriggerRef(checkpoint=COPIED), target="t")
    with pytest.raises(PlatformError, match="cannot be deployed here") as caught:
        await embedded.deploy("cand-1", candidate.model_id, SLOT, tags={})
    assert caught.value.code == "DeploymentModelNotSupported"


async def test_the_checkpoints_of_a_paused_job_are_deployed(embedded, models, emulator) -> None:
    store = emulator.state.store
    job = store.get(Job, models.first.id)
    assert job is not None
    job.status = "paused"
    store.put(job)
    try:
        one = models.checkpoints[-1].id
        candidate = await embedded.resolve(TriggerRef(checkpoint=one), target="t")
        assert (candidate.job_id, candidate.base_model) == (models.first.id, BASE)
    finally:
        job.status = "succeeded"
        store.put(job)


async def test_openai_asks_a_checkpoint_by_its_models_name(server) -> None:
    from flows.platforms.openai import OpenAIPlatform, read_openai_options

    platform = OpenAIPlatform(
        read_openai_options({"base_url": f"{server.url}/v1"}), {"OPENAI_API_KEY": "k"}
    )
    server.on("GET /v1/fine_tuning/jobs", (200, {"data": [], "has_more": False}))
    with pytest.raises(UnknownModelError, match="--model ft:…:ckpt-step-…"):
        await platform.resolve(TriggerRef(checkpoint="ftckpt_Ab12"), target="t")
    step = "ft:gpt-4o-mini-2024-07-18:acme::Ab12:ckpt-step-88"
    server.on(f"GET /v1/models/{step}", (200, {"id": step, "object": "model"}))
    found = await platform.resolve(TriggerRef(model_id=step), target="t")
    assert (found.model_id, found.base_model) == (step, "gpt-4o-mini-2024-07-18")
    await platform.aclose()
