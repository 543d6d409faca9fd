"""Deploying against a scripted control plane: both answers of what the facts leave open, and what is sent."""

from __future__ import annotations

import pytest
from support.scripted_server import shown

from evals.errors import ConfigurationError, PlatformError
from flows.platforms.base import SlotSpec

ACCOUNT = "/subscriptions/sub-1/resourceGroups/acme-ai/providers/Microsoft.CognitiveServices/accounts/acme-swc"
AT = f"{ACCOUNT}/deployments/cand-1"
TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8
OTHER = "gpt-4.1-mini-2025-04-14.ft-" + "ab12" * 8
NONE = (404, {"error": {"code": "ResourceNotFound", "message": "none"}})
SLOT = SlotSpec(slot="developer", sku="DeveloperTier", capacity=100)
TAGS = {"run": "run-1"}


def refusal(code: str, message: str = "no") -> tuple[int, dict]:
    return 400, {"error": {"code": code, "message": message}}


async def test_the_first_write_comes_after_a_read_and_is_read_back(server, azure) -> None:
    server.on(f"GET {AT}", NONE, (200, shown(state="Creating")), (200, shown()))
    server.on(f"PUT {AT}", (201, shown(state="Creating")))
    found = await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)
    assert found.state == "ready"
    assert [one.method for one in server.seen] == ["GET", "PUT", "GET", "GET"]


@pytest.mark.parametrize("state", ["Accepted", "Creating", "Updating", "Moving", "Frobnicating"])
async def test_any_state_that_is_no_end_is_waited_through(server, azure, state) -> None:
    server.on(f"GET {AT}", (200, shown(state=state)), (200, shown(state=state)), (200, shown()))
    found = await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)
    assert found.state == "ready"
    assert not server.asked(f"PUT {AT}")


async def test_a_deployment_that_shows_late_is_waited_for(server, azure) -> None:
    server.on(f"GET {AT}", NONE, NONE, NONE, (200, shown()))
    server.on(f"PUT {AT}", (201, shown(state="Accepted")))
    assert (await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)).state == "ready"


async def test_an_identical_put_that_is_refused_as_a_model_change_is_no_failure(
    server, azure
) -> None:
    """The first PUT went through and its answer was lost; its repetition is refused."""
    server.on(f"GET {AT}", NONE, (200, shown(state="Creating")), (200, shown()))
    server.on(f"PUT {AT}", (0, None), refusal("ModelUpgradeNotSupported"))
    assert (await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)).state == "ready"
    assert len(server.asked(f"PUT {AT}")) == 2


async def test_a_model_change_somebody_else_made_meanwhile_is_not_hidden(server, azure) -> None:
    server.on(f"GET {AT}", NONE, (200, shown(model=OTHER)))
    server.on(f"PUT {AT}", refusal("ModelUpgradeNotSupported", "Model updates are not supported"))
    with pytest.raises(PlatformError, match="cannot be given another model"):
        await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)


async def test_a_write_that_somebody_overwrote_is_noticed(server, azure) -> None:
    server.on(f"GET {AT}", NONE, (200, shown(model=OTHER)))
    server.on(f"PUT {AT}", (200, shown()))
    with pytest.raises(PlatformError, match="somebody else wrote to it") as caught:
        await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)
    assert caught.value.code == "WrongModel"


async def test_a_new_version_of_a_base_model_is_put_in_place(server, azure) -> None:
    old = shown(
        model="gpt-4o", version="2024-08-06", sku="Standard", tags={"gatewright": "production"}
    )
    new = shown(
        model="gpt-4o", version="2024-11-20", sku="Standard", tags={"gatewright": "production"}
    )
    server.on(f"GET {AT}", (200, old), (200, new))
    server.on(f"PUT {AT}", (200, new))
    slot = SlotSpec(slot="production", sku="Standard", capacity=100)
    found = await azure.deploy("cand-1", "gpt-4o-2024-11-20", slot, tags=TAGS)
    assert found.model_id == "gpt-4o-2024-11-20"
    model = server.asked(f"PUT {AT}")[0].body["properties"]["model"]
    assert model == {"format": "OpenAI", "name": "gpt-4o", "version": "2024-11-20"}


async def test_a_provisioned_deployment_is_changed_in_place_where_the_service_allows_it(
    server, azure
) -> None:
    tags = {"gatewright": "production"}
    old = shown(model=OTHER, sku="GlobalProvisionedManaged", tags=tags)
    new = shown(model=TUNED, sku="GlobalProvisionedManaged", tags=tags)
    slot = SlotSpec(slot="production", sku="GlobalProvisionedManaged", capacity=100)
    server.on(f"GET {AT}", (200, old), (200, new))
    server.on(f"PUT {AT}", (200, new))
    assert (await azure.deploy("cand-1", TUNED, slot, tags=TAGS)).model_id == TUNED
    server.on(f"GET {AT}", (200, old))
    server.on(f"PUT {AT}", refusal("ModelUpgradeNotSupported"))
    with pytest.raises(PlatformError, match="blue_green"):
        await azure.deploy("cand-1", TUNED, slot, tags=TAGS)


async def test_quota_that_a_deletion_gives_back_late_is_waited_for(server, azure) -> None:
    quota = refusal(
        "InsufficientQuota", "This operation require 100 new capacity, available capacity 50"
    )
    server.on(f"GET {AT}", (200, shown()), NONE, NONE, (200, shown()))
    server.on(f"DELETE {AT}", (204, None))
    server.on(f"PUT {AT}", quota, quota, (201, shown()))
    await azure.delete("cand-1")
    assert (await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)).state == "ready"


async def test_quota_that_nothing_will_give_back_is_told_at_once(server, azure) -> None:
    message = "This operation require 100 new capacity in quota Tokens Per Minute (thousands), which is bigger than the current available capacity 50."
    server.on(f"GET {AT}", NONE)
    server.on(f"PUT {AT}", refusal("InsufficientQuota", message))
    with pytest.raises(PlatformError, match="needed 100, left 50") as caught:
        await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)
    assert "ask for more in the portal" in (caught.value.hint or "")
    assert len(server.asked(f"PUT {AT}")) == 1


async def test_a_sku_not_offered_names_those_that_are(server, azure) -> None:
    server.on(f"GET {AT}", NONE)
    server.on(
        f"PUT {AT}", refusal("InvalidResourceProperties", "The specified SKU is not supported")
    )
    offered = {
        "name": TUNED,
        "version": "1",
        "skus": [{"name": "Standard"}, {"name": "GlobalStandard"}],
    }
    server.on(f"GET {ACCOUNT}/models", (200, {"value": [offered]}))
    with pytest.raises(
        PlatformError, match="offered here for this model: Standard, GlobalStandard"
    ):
        await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)


async def test_a_property_that_is_no_type_is_not_answered_with_types(server, azure) -> None:
    server.on(f"GET {AT}", NONE)
    said = "The capacity should be null for standard deployment."
    server.on(f"PUT {AT}", refusal("InvalidResourceProperties", said))
    with pytest.raises(PlatformError) as caught:
        await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)
    assert caught.value.hint == "change the slot's 'capacity'"


@pytest.mark.parametrize("checkpoint", [False, True])
async def test_the_list_that_is_promised_comes_where_only_base_models_are_listed(
    embedded, emulator, models, checkpoint
) -> None:
    emulator.set(list_fine_tunes=False)
    model = models.checkpoints[0].id if checkpoint else models.first.model_id
    slot = SlotSpec(slot="production", sku="ProvisionedManaged", capacity=50)
    with pytest.raises(PlatformError, match="InvalidResourceProperties") as caught:
        await embedded.deploy("prod-1", model, slot, tags=TAGS)
    told = "offered here for this model: Standard, GlobalStandard, DeveloperTier"
    assert caught.value.hint == told


async def test_a_type_that_was_just_refused_is_not_offered_again(server, azure) -> None:
    server.on(f"GET {AT}", NONE)
    server.on(f"PUT {AT}", refusal("InvalidResourceProperties", "not in this region"))
    server.on(f"GET {ACCOUNT}/models", (200, {"value": []}))
    server.on(f"GET {ACCOUNT}", (200, {"name": "acme-swc", "location": "Sweden Central"}))
    with pytest.raises(PlatformError) as caught:
        await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)
    assert caught.value.hint == "offered here for this model: Standard, GlobalStandard"


async def test_an_untuned_model_never_gets_as_far_as_a_developer_slot(server, azure) -> None:
    for make in (azure.deploy, azure.replace):
        with pytest.raises(PlatformError, match="DeveloperTier takes fine-tuned models") as caught:
            await make("cand-1", "gpt-4.1-mini-2025-04-14", SLOT, tags=TAGS)
        assert "sku: GlobalStandard" in (caught.value.hint or "")
    assert server.seen == []


async def test_a_misspelt_sku_is_named_before_anything_is_sent(server, azure) -> None:
    server.on(f"GET {AT}", NONE)
    with pytest.raises(ConfigurationError, match="did you mean 'DeveloperTier'"):
        await azure.deploy("cand-1", TUNED, SlotSpec(slot="developer", sku="Developer"), tags=TAGS)
    assert not server.asked(f"PUT {AT}")


async def test_what_others_made_is_used_as_it_is_but_never_changed(server, azure) -> None:
    theirs = shown(capacity=7, tags={})
    server.on(f"GET {AT}", (200, theirs))
    assert (await azure.deploy("cand-1", TUNED, SLOT, tags=TAGS)).capacity == 7
    assert {one.method for one in server.seen} == {"GET"}


async def test_a_missing_account_is_not_taken_for_a_missing_deployment(server, azure) -> None:
    server.on(f"GET {AT}", (404, {"error": {"code": "ParentResourceNotFound", "message": "no"}}))
    with pytest.raises(PlatformError, match="could not read the account"):
        await azure.get("cand-1")


async def test_a_deletion_lasts_until_the_deployment_is_gone(server, azure) -> None:
    gone = shown(state="Deleting")
    server.on(f"GET {AT}", (200, shown()), (200, gone), (200, gone), NONE)
    server.on(f"DELETE {AT}", (202, None, {"Location": "{url}/op"}))
    server.on("GET /op", (204, None))
    await azure.delete("cand-1")
    assert len(server.asked(f"GET {AT}")) == 4


async def test_a_deployment_of_an_unknown_form_is_a_clear_error(server, azure) -> None:
    server.on(f"GET {AT}", (200, {"nonsense": True}))
    with pytest.raises(PlatformError, match="in a form not known"):
        await azure.get("cand-1")
