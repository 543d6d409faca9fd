"""The management SDK, unmodified but for plain http, against the control plane."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

WHERE = ("embedded", "embedded")
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


class StaticCredential:
    """A credential that always has the same token."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("embedded-arm-token", int(time.time()) + 3600)


@pytest.fixture
def arm(workshop) -> Iterator[CognitiveServicesManagementClient]:
    with CognitiveServicesManagementClient(
        StaticCredential(),
        SUBSCRIPTION,
        base_url=workshop.url,
        credential_scopes=["x"],
        retry_total=0,
    ) as client:
        yield client


def wish(model: str, sku: str = "DeveloperTier", capacity: int = 10) -> dict[str, object]:
    shape = {"format": "OpenAI", "name": model, "version": "1"}
    return {"sku": {"name": sku, "capacity": capacity}, "properties": {"model": shape}}


PLAIN = {"enforce_https": False}


def test_create_list_skus_usages_delete(workshop, arm) -> None:
    workshop.emulator.set(provisioning_s=0.2, deleting_s=0.2)
    model = workshop.tuned()
    made = arm.deployments.begin_create_or_update(*WHERE, "cand", wish(model), **PLAIN).result()
    assert (made.properties.provisioning_state, made.properties.model.name) == ("Succeeded", model)
    assert made.sku.name == "DeveloperTier"
    assert [one.name for one in arm.deployments.list(*WHERE, **PLAIN)] == ["cand"]
    skus = [one.sku.name for one in arm.deployments.list_skus(*WHERE, "cand", **PLAIN)]
    assert {"DeveloperTier", "Standard", "GlobalStandard"} <= set(skus)
    rows = {one.name.value: one.current_value for one in arm.usages.list("swedencentral", **PLAIN)}
    assert rows["OpenAI.DeveloperTier.gpt4.1-mini-finetune"] == 10.0
    arm.deployments.begin_delete(*WHERE, "cand", **PLAIN).result()
    with pytest.raises(ResourceNotFoundError):
        arm.deployments.get(*WHERE, "cand", **PLAIN)
    arm.deployments.begin_delete(*WHERE, "cand", **PLAIN).result()


def test_long_lists_come_in_pages(workshop, arm) -> None:
    workshop.emulator.set(arm_page_size=2)
    for number in range(5):
        arm.deployments.begin_create_or_update(
            *WHERE, f"d{number}", wish(workshop.tuned(), capacity=1), **PLAIN
        ).result()
    assert [one.name for one in arm.deployments.list(*WHERE, **PLAIN)] == [
        f"d{n}" for n in range(5)
    ]


def test_models_and_capacities(arm) -> None:
    models = {one.name: one for one in arm.accounts.list_models(*WHERE, **PLAIN)}
    assert models["gpt-4.1-mini"].deprecation.inference
    assert "GlobalStandard" in [sku.name for sku in models["gpt-4.1-mini"].skus]
    regional = [one.model.name for one in arm.models.list("swedencentral", **PLAIN)]
    assert "gpt-4.1-mini" in regional
    free = arm.location_based_model_capacities.list(
        "swedencentral",
        model_format="OpenAI",
        model_name="gpt-4.1-mini",
        model_version="2025-04-14",
        **PLAIN,
    )
    assert {one.properties.sku_name for one in free} >= {"DeveloperTier", "GlobalStandard"}


def test_the_account_is_read(arm, workshop) -> None:
    account = arm.accounts.get(*WHERE, **PLAIN)
    assert (account.location, account.properties.endpoint) == ("swedencentral", f"{workshop.url}/")


def test_patching_waits_for_its_location(workshop, arm) -> None:
    arm.deployments.begin_create_or_update(*WHERE, "cand", wish(workshop.tuned()), **PLAIN).result()
    for style in ("200", "202"):
        workshop.emulator.set(patch_style=style)
        patched = arm.deployments.begin_update(
            *WHERE, "cand", {"tags": {"style": style}}, **PLAIN
        ).result()
        assert patched.tags == {"style": style}


def test_errors_keep_the_services_code(workshop, arm) -> None:
    first, second = workshop.tuned("a"), workshop.tuned("b")
    arm.deployments.begin_create_or_update(*WHERE, "cand", wish(first), **PLAIN).result()
    with pytest.raises(HttpResponseError) as error:
        arm.deployments.begin_create_or_update(*WHERE, "cand", wish(second), **PLAIN)
    assert error.value.error.code == "ModelUpgradeNotSupported"
    with pytest.raises(HttpResponseError) as error:
        arm.deployments.begin_create_or_update(
            *WHERE, "big", wish(second, capacity=10_000), **PLAIN
        )
    assert error.value.error.code == "InsufficientQuota"


def test_a_conflict_surfaces_as_already_exists(workshop, arm) -> None:
    workshop.emulator.set(provisioning_s=60)
    arm.deployments.begin_create_or_update(
        *WHERE, "one", wish(workshop.tuned()), polling=False, **PLAIN
    )
    with pytest.raises(ResourceExistsError) as error:
        arm.deployments.begin_create_or_update(*WHERE, "two", wish(workshop.tuned()), **PLAIN)
    assert error.value.error.code == "RequestConflict"


def test_a_failed_provisioning_is_an_error_of_the_poller(workshop, arm) -> None:
    workshop.emulator.set(provisioning_outcome="Failed")
    with pytest.raises(HttpResponseError) as error:
        arm.deployments.begin_create_or_update(
            *WHERE, "cand", wish(workshop.tuned()), **PLAIN
        ).result()
    assert error.value.error.code == "DeploymentFailed"
