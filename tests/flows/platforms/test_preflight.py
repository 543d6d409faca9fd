"""The preflight against the emulator: each thing that can stop a run is one line with what to do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from support.emulator import LIVING
from support.scripted_server import azure_at, embedded_at

from evals.errors import PlatformError
from evals.records import Candidate, Price
from flows.platforms.azure.quota import find_row, read_rows
from flows.platforms.base import Finding, SlotSpec, TriggerRef
from flows.platforms.findings import lifetime_finding, price_finding

DEVELOPER = SlotSpec(slot="developer", sku="DeveloperTier", capacity=50)
PRODUCTION = SlotSpec(slot="production", sku="GlobalStandard", capacity=50)
BASE = "gpt-4.1-mini-2025-04-14"
TODAY = datetime.now(UTC).date()
TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8


async def look(
    platform, model_id: str, *slots: SlotSpec, job: str | None = None
) -> dict[str, Finding]:
    candidate = Candidate(
        model_id=model_id, target="t", base_model="gpt-4.1-mini-2025-04-14", job_id=job
    )
    found = await platform.preflight(candidate, slots or (DEVELOPER, PRODUCTION))
    return {one.name: one for one in found}


def levels(found: dict[str, Finding]) -> dict[str, str]:
    return {name: one.level for name, one in found.items() if one.level != "ok"}


async def test_when_everything_is_there_every_line_is_a_tick(embedded, models) -> None:
    found = await look(embedded, models.first.model_id)
    assert levels(found) == {}
    assert {"credentials", "account", "model", "lifetime", "deployments", "price"} <= set(found)
    assert "needed 50, left" in found["quota developer"].message
    assert "hosting" in found["price"].message


async def test_a_developer_slot_alone_has_no_hosting_fee(embedded, models) -> None:
    found = await look(embedded, models.first.model_id, DEVELOPER)
    assert "hosting" not in found["price"].message


async def test_quota_that_does_not_reach_is_told_with_its_row(embedded, models, emulator) -> None:
    row = "OpenAI.GlobalStandard.gpt4.1-mini-finetune"
    emulator.set(quota_limits={row: 20})
    found = await look(embedded, models.first.model_id)
    assert levels(found) == {"quota production": "fail"}
    assert found["quota production"].message == f"{row}: needed 50, left 20 of 20"
    assert "ask for more" in found["quota production"].fix


async def test_two_slots_on_one_row_are_added_up(embedded, models, emulator) -> None:
    emulator.set(quota_limits={"OpenAI.GlobalStandard.gpt4.1-mini-finetune": 75})
    both = (SlotSpec(slot="developer", sku="GlobalStandard", capacity=50), PRODUCTION)
    found = await look(embedded, models.first.model_id, *both)
    assert levels(found) == {"quota production": "fail"}
    assert "needed 100, left 75" in found["quota production"].message


async def test_the_count_of_fine_tuned_deployments_is_a_limit_of_its_own(
    embedded, models, emulator
) -> None:
    emulator.set(finetuned_deployments_limit=1)
    found = await look(embedded, models.first.model_id)
    assert levels(found) == {"deployments": "fail"}
    assert "gatewright sweep" in found["deployments"].fix


async def test_a_run_that_is_resumed_does_not_stumble_over_its_own_slot(
    embedded, models, emulator
) -> None:
    await embedded.deploy("cand-1", models.first.model_id, DEVELOPER, tags={})
    emulator.set(
        finetuned_deployments_limit=2,
        quota_limits={"OpenAI.DeveloperTier.gpt4.1-mini-finetune": 50},
    )
    assert levels(await look(embedded, models.first.model_id)) == {}


async def test_a_sku_that_is_not_offered_or_not_known_names_those_that_are(
    embedded, models
) -> None:
    misspelt = SlotSpec(slot="developer", sku="Developer", capacity=1)
    found = await look(embedded, models.first.model_id, misspelt)
    assert found["sku developer"].level == "fail"
    assert "DeveloperTier" in found["sku developer"].fix


async def test_a_model_that_is_not_there_is_told(embedded) -> None:
    found = await look(embedded, TUNED)
    assert found["model"].level == "fail"
    assert "is not known at" in found["model"].message


@pytest.mark.parametrize("told", ["own", "base"])
async def test_a_fine_tune_outlives_its_base_that_has_retired(models, emulator, told) -> None:
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    dates = {**LIVING["*"], "base_inference_ends": yesterday}
    emulator.set(model_dates={"gpt-4.1-mini": dates}, fine_tune_dates=told)
    platform = embedded_at(emulator.url, lifetimes={BASE: {"fine_tunes_end": "2100-10-14"}})
    found = await look(platform, models.first.model_id)
    untuned = await look(platform, BASE, PRODUCTION)
    slot = await platform.deploy("cand-1", models.first.model_id, DEVELOPER, tags={})
    assert (await platform.wait_ready(slot)).endpoint.model == "cand-1"
    await platform.aclose()
    assert levels(found) == {}
    assert found["lifetime"].message == f"the fine-tune of {BASE} lives until 2100-10-14"
    assert "can be trained" in found["successor"].message
    assert untuned["lifetime"].level == "fail"


async def test_a_fine_tune_whose_own_day_has_come_is_refused(embedded, models, emulator) -> None:
    emulator.set(retired_fine_tunes=["gpt-4.1-mini"])
    found = await look(embedded, models.first.model_id)
    assert levels(found) == {"lifetime": "fail"}
    assert "newer base model" in found["lifetime"].fix


async def test_an_untuned_model_in_a_developer_slot_is_refused_in_words(embedded) -> None:
    found = await look(embedded, BASE, DEVELOPER, PRODUCTION)
    assert found["sku developer"].level == "fail"
    assert "takes fine-tuned models only" in found["sku developer"].message
    assert (
        "change 'slots.developer' to '{sku: GlobalStandard, capacity: "
        in found["sku developer"].fix
    )
    assert "offered here: Standard, GlobalStandard" in found["sku developer"].fix


async def test_a_region_without_fine_tuning_takes_no_models_of_another(models, emulator) -> None:
    emulator.set(accounts=[{"name": "acme-jpe", "location": "japaneast"}])
    there = {"account": "acme-jpe", "source": {"account": "embedded"}}
    platform = embedded_at(emulator.url, **there)
    found = await look(platform, models.first.model_id)
    assert levels(found) == {"fine-tuning": "fail"}
    assert "swedencentral" in found["fine-tuning"].fix
    with pytest.raises(PlatformError, match="DeploymentModelNotSupported"):
        await platform.deploy("cand-1", models.first.model_id, DEVELOPER, tags={})
    emulator.set(accounts=[{"name": "acme-jpe", "location": "eastus2"}])
    assert (await look(platform, models.first.model_id))["fine-tuning"].level == "ok"
    await platform.aclose()


async def test_a_retired_base_is_refused_untuned(embedded, emulator) -> None:
    emulator.set(retired_models=["gpt-4.1-mini"])
    found = await look(embedded, BASE, PRODUCTION)
    assert found["lifetime"].level == "fail"
    assert found["lifetime"].message == f"the base model {BASE} is retired"
    assert "one of its fine-tunes" in found["lifetime"].fix


async def test_a_missing_account_is_told_and_the_rest_is_still_looked_at(emulator) -> None:
    platform = embedded_at(
        emulator.url, account="nope", endpoint=emulator.url, resource_group="embedded"
    )
    found = await look(platform, TUNED)
    await platform.aclose()
    assert found["account"].level == "fail"
    assert "credentials" in found
    assert "price" in found


async def test_quota_that_may_not_be_read_is_a_warning_that_names_the_role(
    emulator, models
) -> None:
    reader = emulator.token(roles={"*": "Cognitive Services OpenAI Contributor"})
    platform = embedded_at(emulator.url, {"GATEWRIGHT_ARM_TOKEN": reader})
    found = await look(platform, models.first.model_id)
    await platform.aclose()
    assert levels(found) == {"quota": "warn"}
    assert "Usages Reader" in found["quota"].fix or "usages/read" in found["quota"].fix


async def test_a_token_of_another_tenant_names_the_right_one(emulator, models) -> None:
    foreign = emulator.token(tenant="00000000-0000-0000-0000-00000000bbbb")
    platform = embedded_at(emulator.url, {"GATEWRIGHT_ARM_TOKEN": foreign})
    found = await look(platform, models.first.model_id)
    await platform.aclose()
    assert found["account"].level == "fail"
    assert "az login --tenant 00000000-0000-0000-0000-00000000aaaa" in found["account"].fix


async def test_nothing_running_is_reported_and_not_raised() -> None:
    platform = embedded_at("http://127.0.0.1:9")
    found = await look(platform, TUNED)
    await platform.aclose()
    assert found["model"].level == "fail"
    assert "start the embedded platform" in found["account"].fix


async def test_missing_rights_are_named(server, azure) -> None:
    account = "/subscriptions/sub-1/resourceGroups/acme-ai/providers/Microsoft.CognitiveServices/accounts/acme-swc"
    server.on(
        f"GET {account}",
        (200, {"name": "acme-swc", "location": "Sweden Central", "kind": "OpenAI"}),
    )
    granted = {"actions": ["Microsoft.CognitiveServices/*/read"], "notActions": []}
    permissions = f"GET {account}/providers/Microsoft.Authorization/permissions"
    server.on(permissions, (200, {"value": [granted]}))
    found = await look(azure, TUNED)
    assert found["account"].message == "acme-swc in swedencentral"
    assert found["rights"].level == "fail"
    assert "accounts/deployments/write" in found["rights"].message
    assert "accounts/deployments/read" not in found["rights"].message
    server.on(permissions, (200, {"value": [{"actions": ["*"], "notActions": []}]}))
    assert (await look(azure, TUNED))["rights"].level == "ok"


async def test_an_account_whose_address_is_another_is_told(server) -> None:
    platform = azure_at(server.url, endpoint=None)
    account = platform.account.account_id
    told = {"name": "acme-swc", "properties": {"endpoint": "https://acme-custom.openai.azure.com/"}}
    server.on(f"GET {account}", (200, told))
    candidate = Candidate(model_id="ftchkpt-" + "0" * 32, target="t")
    found = {one.name: one for one in await platform.preflight(candidate, (DEVELOPER,))}
    await platform.aclose()
    assert found["endpoint"].fix.startswith("set 'endpoint: https://acme-custom.openai.azure.com'")


@pytest.mark.parametrize(
    ("key", "options", "level"),
    [
        ("", {"endpoint": None}, "fail"),
        ("key-1", {"endpoint": None}, "fail"),
        ("key-1", {"endpoint": "https://japaneast.api.cognitive.microsoft.com/"}, None),
        ("", {"endpoint": "https://japaneast.api.cognitive.microsoft.com/"}, "fail"),
        ("", {}, "warn"),
    ],
)
async def test_an_account_without_a_custom_subdomain_takes_keys_only(
    server, key, options, level
) -> None:
    platform = azure_at(server.url, {"AZURE_OPENAI_API_KEY": key}, **options)
    told = {"endpoint": "https://japaneast.api.cognitive.microsoft.com/"}
    server.on(f"GET {platform.account.account_id}", (200, {"name": "a", "properties": told}))
    candidate = Candidate(model_id="ftchkpt-" + "0" * 32, target="t")
    found = {one.name: one for one in await platform.preflight(candidate, ())}
    await platform.aclose()
    assert (found["endpoint"].level if "endpoint" in found else None) == level
    if level:
        assert "no custom subdomain" in found["endpoint"].message
        assert "--custom-domain acme-swc" in found["endpoint"].fix


async def test_a_data_plane_that_asks_for_a_custom_subdomain_is_explained(server, azure) -> None:
    said = (
        "Please provide a custom subdomain for token authentication, otherwise API key is required."
    )
    answer = (400, {"error": {"code": "BadRequest", "message": said}})
    server.on("GET /openai/v1/fine_tuning/jobs/ftjob-1", answer)
    with pytest.raises(PlatformError, match="no custom subdomain, and so takes keys") as caught:
        await azure.resolve(TriggerRef(job_id="ftjob-1"), target="t")
    assert "--custom-domain" in str(caught.value.hint)


@pytest.mark.parametrize(
    "told",
    [
        {"endpoint": "https://ACME-SWC.OpenAI.Azure.com:443/"},
        {
            "endpoint": "https://acme-swc.cognitiveservices.azure.com/",
            "endpoints": {
                "OpenAI Dall-E API": None,
                "OpenAI Model Instance API": "https://acme-swc.openai.azure.com/",
            },
        },
    ],
)
async def test_an_address_written_otherwise_is_not_another_address(server, told) -> None:
    platform = azure_at(server.url, endpoint=None)
    server.on(f"GET {platform.account.account_id}", (200, {"name": "acme-swc", "properties": told}))
    candidate = Candidate(model_id="ftchkpt-" + "0" * 32, target="t")
    found = {one.name for one in await platform.preflight(candidate, (DEVELOPER,))}
    await platform.aclose()
    assert "endpoint" not in found


@pytest.mark.parametrize(
    ("ends", "level"),
    [
        (date(2026, 1, 1), "fail"),
        (date(2026, 6, 1), "fail"),
        (date(2026, 7, 1), "warn"),
        (date(2027, 6, 1), "ok"),
        (None, "ok"),
    ],
)
def test_the_end_of_a_model_is_warned_of_early_and_refused_late(ends, level) -> None:
    assert lifetime_finding("base model", ends, today=date(2026, 6, 1)).level == level


def test_one_day_is_one_day() -> None:
    found = lifetime_finding("base model", date(2026, 6, 2), today=date(2026, 6, 1))
    assert found.message.endswith("ends on 2026-06-02, in 1 day")


def test_an_unknown_price_is_said_to_be_unknown() -> None:
    one = Candidate(model_id=TUNED, target="t", base_model=BASE)
    assert price_finding(None, one).level == "warn"
    assert "unknown" in price_finding(None, one).message
    assert price_finding(Price(input=1.0, output=2.0), one, hosted=True).level == "warn"


def test_quota_rows_are_found_however_they_are_spelt() -> None:
    def usage(name: str) -> dict:
        return {"name": {"value": name}, "currentValue": 1.0, "limit": 10.0}

    rows = read_rows(
        [
            usage("OpenAI.DeveloperTier.gpt4.1-mini-finetune"),
            usage("OpenAI.GlobalStandard.gpt-5.4-finetune"),
            usage("OpenAI.Standard.gpt4.1-mini"),
            {"name": None, "limit": 1},
            {"name": {"value": "x"}, "limit": None},
        ]
    )
    assert len(rows) == 3
    tuned = find_row(rows, sku="DeveloperTier", model_id=TUNED, base_model=None)
    assert tuned is not None and tuned.name == "OpenAI.DeveloperTier.gpt4.1-mini-finetune"
    other = "gpt-5.4-2026-03-01.ft-" + "0" * 32
    assert find_row(rows, sku="GlobalStandard", model_id=other, base_model=None) is not None
    base = find_row(rows, sku="Standard", model_id="gpt-4.1-mini-2025-04-14", base_model=None)
    assert base is not None and base.left == 9.0
    assert find_row(rows, sku="Standard", model_id=TUNED, base_model=None) is None
    told = find_row(
        rows, sku="x", model_id="odd", base_model=None, usage_names=["OpenAI.Standard.gpt4.1-mini"]
    )
    assert told is base or told == base
