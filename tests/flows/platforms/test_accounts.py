"""Models of other accounts: another region, another subscription, another tenant; with and without the rights."""

from __future__ import annotations

import pytest
from support.scripted_server import azure_at, embedded_at

from evals.errors import CredentialError, PlatformError
from flows.platforms.base import SlotSpec, TriggerRef

SLOT = SlotSpec(slot="developer", sku="DeveloperTier", capacity=10)
REGION = {"name": "acme-ncus", "location": "northcentralus"}
TENANT = {
    "name": "partner",
    "subscription": "00000000-0000-0000-0000-0000000000cc",
    "resource_group": "partner-rg",
    "tenant": "00000000-0000-0000-0000-00000000bbbb",
}
OURS = "00000000-0000-0000-0000-00000000aaaa"


@pytest.fixture
def accounts(emulator):
    emulator.set(accounts=[REGION, TENANT])
    return emulator


async def test_a_model_is_deployed_in_another_region(accounts, models) -> None:
    platform = embedded_at(accounts.url, account="acme-ncus", source={"account": "embedded"})
    candidate = await platform.resolve(TriggerRef(job_id=models.first.id), target="t")
    assert candidate.model_id == models.first.model_id
    named = await platform.resolve(TriggerRef(model_id=models.first.model_id), target="t")
    assert named.job_id == models.first.id
    slots = (SLOT,)
    levels = {one.name: one.level for one in await platform.preflight(candidate, slots)}
    assert set(levels.values()) == {"ok"}
    deployment = await platform.deploy("cand-1", candidate.model_id, SLOT, tags={})
    connection = await platform.wait_ready(deployment)
    assert "/accounts/acme-ncus/" in connection.endpoint.base_url
    await platform.delete("cand-1")
    await platform.aclose()


async def test_without_naming_the_source_the_model_is_unknown_there(accounts, models) -> None:
    platform = embedded_at(accounts.url, account="acme-ncus")
    with pytest.raises(PlatformError, match="name that account under 'source'"):
        await platform.deploy("cand-1", models.first.model_id, SLOT, tags={})
    await platform.aclose()


async def test_a_model_is_deployed_in_another_tenant_with_a_token_of_each(accounts, models) -> None:
    env = {
        "GATEWRIGHT_ARM_TOKEN": accounts.token(tenant=TENANT["tenant"]),
        "GATEWRIGHT_ARM_SOURCE_TOKEN": accounts.token(tenant=OURS),
    }
    source = {
        "account": "embedded",
        "resource_group": "embedded",
        "subscription": "00000000-0000-0000-0000-000000000000",
        "tenant": OURS,
    }
    here = {
        "account": "partner",
        "resource_group": "partner-rg",
        "subscription": TENANT["subscription"],
        "tenant": TENANT["tenant"],
    }
    platform = embedded_at(accounts.url, env, **here, source=source)
    deployment = await platform.deploy("cand-1", models.first.model_id, SLOT, tags={})
    await platform.wait_ready(deployment)
    await platform.delete("cand-1")
    await platform.aclose()

    poor = accounts.token(tenant=OURS, roles={"*": "Reader"})
    platform = embedded_at(
        accounts.url, {**env, "GATEWRIGHT_ARM_SOURCE_TOKEN": poor}, **here, source=source
    )
    with pytest.raises(PlatformError, match="the source account") as caught:
        await platform.deploy("cand-1", models.first.model_id, SLOT, tags={})
    assert caught.value.code == "LinkedAuthorizationFailed"
    await platform.aclose()


async def test_a_source_of_another_tenant_without_its_token_is_a_matter_of_credentials(
    accounts, models
) -> None:
    env = {"GATEWRIGHT_ARM_TOKEN": accounts.token(tenant=TENANT["tenant"])}
    platform = embedded_at(
        accounts.url,
        {**env, "GATEWRIGHT_ARM_SOURCE_TOKEN": "not-one"},
        account="partner",
        resource_group="partner-rg",
        subscription=TENANT["subscription"],
        source={
            "account": "embedded",
            "resource_group": "embedded",
            "subscription": "00000000-0000-0000-0000-000000000000",
            "tenant": OURS,
        },
    )
    with pytest.raises(CredentialError, match=f"tenant {OURS}"):
        await platform.deploy("cand-1", models.first.model_id, SLOT, tags={})
    await platform.aclose()


async def test_a_missing_role_names_the_action_and_the_scope(emulator, models) -> None:
    reader = emulator.token(roles={"*": "Reader"})
    platform = embedded_at(emulator.url, {"GATEWRIGHT_ARM_TOKEN": reader})
    with pytest.raises(
        PlatformError, match="accounts/deployments/write is missing at /subscriptions/"
    ):
        await platform.deploy("cand-1", models.first.model_id, SLOT, tags={})
    await platform.aclose()


async def test_where_the_source_may_not_be_read_a_model_is_taken_at_its_word(server) -> None:
    model = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8
    checkpoint = "ftchkpt-" + "0a" * 16
    refused = (403, {"error": {"code": "PermissionDenied", "message": "no"}})
    source = {"account": "acme-eus2", "endpoint": server.url}
    platform = azure_at(server.url, {"AZURE_OPENAI_SOURCE_API_KEY": "there"}, source=source)
    server.on(f"GET /openai/v1/models/{model}", refused)
    server.on("GET /openai/v1/fine_tuning/jobs", refused)
    candidate = await platform.resolve(TriggerRef(model_id=model), target="t")
    assert candidate.base_model == "gpt-4.1-mini-2025-04-14"
    named = await platform.resolve(TriggerRef(checkpoint=checkpoint), target="t")
    assert named.model_id == checkpoint
    assert {one.headers["Authorization"] for one in server.seen} == {"Bearer there"}
    await platform.aclose()
