"""What the client sends, held against JSON Schemas of the published shapes."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from support.scripted_server import azure_at, shown

from flows.platforms.base import SlotSpec

ACCOUNT = "/subscriptions/sub-1/resourceGroups/acme-ai/providers/Microsoft.CognitiveServices/accounts/acme-swc"
AT = f"{ACCOUNT}/deployments/cand-1"
TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8
NONE = (404, {"error": {"code": "ResourceNotFound", "message": "none"}})

ARM_ID = (
    r"^/subscriptions/[^/]+/resourceGroups/[^/]{1,90}/providers/Microsoft\.CognitiveServices"
    r"/accounts/[a-zA-Z0-9][a-zA-Z0-9_.-]{1,63}$"
)
SKU = {
    "type": "object",
    "required": ["name", "capacity"],
    "additionalProperties": False,
    "properties": {
        "name": {
            "enum": [
                "Standard",
                "GlobalStandard",
                "DataZoneStandard",
                "DeveloperTier",
                "ProvisionedManaged",
                "GlobalProvisionedManaged",
                "DataZoneProvisionedManaged",
            ]
        },
        "capacity": {"type": "integer", "minimum": 1},
    },
}
TAGS = {"type": "object", "required": ["gatewright"], "additionalProperties": {"type": "string"}}
PUT = {
    "type": "object",
    "required": ["sku", "properties"],
    "additionalProperties": False,
    "properties": {
        "sku": SKU,
        "tags": TAGS,
        "properties": {
            "type": "object",
            "required": ["model", "versionUpgradeOption"],
            "additionalProperties": False,
            "properties": {
                "model": {
                    "type": "object",
                    "required": ["format", "name"],
                    "additionalProperties": False,
                    "properties": {
                        "format": {"const": "OpenAI"},
                        "name": {"type": "string", "minLength": 1},
                        "version": {"type": "string", "minLength": 1},
                        "source": {"type": "string", "pattern": ARM_ID},
                        "sourceAccount": {"type": "string", "pattern": ARM_ID},
                    },
                },
                "versionUpgradeOption": {"const": "NoAutoUpgrade"},
                "raiPolicyName": {"type": "string", "minLength": 1},
            },
        },
    },
}
PATCH = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"sku": SKU, "tags": TAGS},
}
CHAT = {
    "type": "object",
    "required": ["model", "messages"],
    "additionalProperties": False,
    "properties": {
        "model": {"const": "cand-1"},
        "messages": {"type": "array", "minItems": 1},
        "max_completion_tokens": {"type": "integer", "minimum": 1},
    },
}


async def _put(server, platform, shown, model: str, slot: SlotSpec) -> Any:
    version = "1" if ".ft-" in model or "ftchkpt" in model else "2025-04-14"
    name = model.removesuffix("-2025-04-14")
    stands = shown(model=name, version=version, sku=slot.sku, capacity=slot.capacity)
    server.on(f"GET {AT}", NONE, (200, stands))
    server.on(f"PUT {AT}", (201, stands))
    await platform.deploy("cand-1", model, slot, tags={"run": "run-1"})
    await platform.aclose()
    sent = server.asked(f"PUT {AT}")[0]
    jsonschema.validate(sent.body, PUT)
    assert sent.headers["Content-Type"] == "application/json"
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}(-preview)?", sent.query["api-version"])
    return sent


@pytest.mark.parametrize("sku", SKU["properties"]["name"]["enum"])  # type: ignore[index]
async def test_every_deployment_type_is_asked_for_at_the_root(server, azure, sku) -> None:
    slot = SlotSpec(slot="production", sku=sku, capacity=50)
    body = (await _put(server, azure, shown, TUNED, slot)).body
    assert body["sku"] == {"name": sku, "capacity": 50}
    assert body["tags"] == {"run": "run-1", "gatewright": "production"}
    assert body["properties"]["model"] == {"format": "OpenAI", "name": TUNED, "version": "1"}


async def test_a_checkpoint_goes_by_its_id(server, azure) -> None:
    checkpoint = "ftchkpt-" + "0a" * 16
    slot = SlotSpec(slot="developer", sku="DeveloperTier", capacity=1)
    body = (await _put(server, azure, shown, checkpoint, slot)).body
    assert body["properties"]["model"]["name"] == checkpoint


async def test_a_content_policy_goes_along(server) -> None:
    platform = azure_at(server.url, content_policy="Acme.Strict")
    slot = SlotSpec(slot="developer", sku="DeveloperTier", capacity=1)
    body = (await _put(server, platform, shown, TUNED, slot)).body
    assert body["properties"]["raiPolicyName"] == "Acme.Strict"


async def test_another_region_or_subscription_is_named_as_source(server) -> None:
    platform = azure_at(server.url, source={"account": "acme-eus2", "subscription": "sub-2"})
    slot = SlotSpec(slot="developer", sku="DeveloperTier", capacity=1)
    sent = await _put(server, platform, shown, TUNED, slot)
    model = sent.body["properties"]["model"]
    assert model["source"].startswith("/subscriptions/sub-2/resourceGroups/acme-ai/")
    assert "sourceAccount" not in model
    assert "x-ms-authorization-auxiliary" not in sent.headers


async def test_another_tenant_is_named_as_source_account_with_its_own_token(server) -> None:
    platform = azure_at(
        server.url,
        {"GATEWRIGHT_ARM_SOURCE_TOKEN": "from-there"},
        source={"account": "other", "resource_group": "other-rg", "tenant": "tenant-2"},
    )
    slot = SlotSpec(slot="developer", sku="DeveloperTier", capacity=1)
    sent = await _put(server, platform, shown, TUNED, slot)
    assert sent.body["properties"]["model"]["sourceAccount"].endswith("/accounts/other")
    assert sent.headers["x-ms-authorization-auxiliary"] == "Bearer from-there"
    assert sent.headers["Authorization"] == "Bearer arm-1"


async def test_an_untuned_model_never_names_a_source(server) -> None:
    platform = azure_at(server.url, source={"account": "acme-eus2"})
    slot = SlotSpec(slot="production", sku="Standard", capacity=1)
    body = (await _put(server, platform, shown, "gpt-4.1-mini-2025-04-14", slot)).body
    assert set(body["properties"]["model"]) == {"format", "name", "version"}


async def test_a_capacity_is_patched_with_sku_and_tags_only(server, azure) -> None:
    server.on(f"GET {AT}", (200, shown()), (200, shown()), (200, shown(capacity=120)))
    server.on(f"PATCH {AT}", (200, shown(capacity=120)))
    slot = SlotSpec(slot="developer", sku="DeveloperTier", capacity=120)
    await azure.deploy("cand-1", TUNED, slot, tags={"run": "other"})
    jsonschema.validate(server.asked(f"PATCH {AT}")[0].body, PATCH)


async def test_the_probe_is_a_small_chat_request(server, azure) -> None:
    import msgspec

    from flows.platforms.azure.arm.documents import ArmDeployment, to_deployment

    server.on(f"GET {AT}", (200, shown()))
    server.on("POST /openai/v1/chat/completions", (200, {"model": TUNED, "choices": []}))
    await azure.wait_ready(to_deployment(msgspec.convert(shown(), ArmDeployment)))
    sent = server.asked("POST /openai/v1/chat/completions")[0]
    jsonschema.validate(sent.body, CHAT)
    assert "api-version" not in sent.query
