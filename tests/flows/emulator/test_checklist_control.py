"""The checklist of platform behaviours, control plane: one test (or more) for each line."""

from __future__ import annotations

import httpx
import pytest

ERROR = "error"


def code(answer: httpx.Response) -> str:
    return str(answer.json()[ERROR]["code"])


# 1


def test_line_01_a_new_deployment_is_creating_then_succeeded(workshop) -> None:
    workshop.emulator.set(provisioning_s=30)
    plane, model = workshop.plane(), workshop.tuned()
    made = plane.put("cand", model, tags={"role": "candidate"})
    assert made.status_code == 201
    assert made.json()["properties"]["provisioningState"] == "Creating"
    assert made.json()["tags"] == {"role": "candidate"}
    assert int(made.headers["retry-after"]) > 0
    status = made.headers["azure-asyncoperation"]
    assert workshop.follow(status).json()["status"] == "Running"
    workshop.emulator.clock.advance(31)
    assert workshop.follow(status).json()["status"] == "Succeeded"
    assert plane.get("cand").json()["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("outcome", ["Failed", "Canceled"])
def test_line_01_provisioning_can_end_badly(workshop, outcome) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    workshop.emulator.set(provisioning_outcome=outcome)
    made = plane.put("cand", model)
    answer = plane.get("cand")
    assert answer.json()["properties"]["provisioningState"] == outcome
    status = workshop.follow(made.headers["azure-asyncoperation"]).json()
    assert status["status"] == outcome
    assert status["error"]["code"]
    assert workshop.ask("cand").status_code == 404


# 2


def test_line_02_a_finetuned_deployment_is_not_pointed_at_another_model(workshop) -> None:
    plane = workshop.plane()
    first, second = workshop.tuned(), workshop.tuned("two")
    plane.put("prod", first, "GlobalStandard")
    refused = plane.put("prod", second, "GlobalStandard")
    assert (refused.status_code, code(refused)) == (400, "ModelUpgradeNotSupported")
    workshop.emulator.set(retarget_finetuned="legacy")
    assert code(plane.put("prod", second, "GlobalStandard")) == "CannotChangeDeploymentModel"
    workshop.emulator.set(retarget_finetuned="allow")
    assert plane.put("prod", second, "GlobalStandard").status_code == 200
    assert plane.get("prod").json()["properties"]["model"]["name"] == second


def test_line_02_base_models_change_version_in_place_but_not_family(workshop) -> None:
    plane = workshop.plane()
    assert plane.put("base", "gpt-4o", "GlobalStandard", version="2024-08-06").status_code == 201
    assert plane.put("base", "gpt-4o", "GlobalStandard", version="2024-11-20").status_code == 200
    assert workshop.ask("base").json()["model"] == "gpt-4o-2024-11-20"
    assert code(plane.put("base", "gpt-4.1", "GlobalStandard")) == "CannotChangeDeploymentModel"
    both = plane.put("base", "gpt-4o", "GlobalStandard", capacity=20, version="2024-08-06")
    assert both.status_code == 400
    assert "capacity and model at the same time" in both.json()[ERROR]["message"]


def test_line_02_provisioned_deployments_are_updated_in_place_while_they_serve(workshop) -> None:
    plane = workshop.plane()
    plane.put("ptu", "gpt-4o", "ProvisionedManaged", capacity=50, version="2024-08-06")
    workshop.emulator.set(update_s=1200)
    changed = plane.put("ptu", "gpt-4.1", "ProvisionedManaged", capacity=50)
    assert (changed.status_code, changed.json()["properties"]["provisioningState"]) == (
        200,
        "Updating",
    )
    assert workshop.ask("ptu").json()["model"] == "gpt-4o-2024-08-06"
    workshop.emulator.clock.advance(1201)
    assert workshop.ask("ptu").json()["model"] == "gpt-4.1-2025-04-14"


# 3


def test_line_03_the_same_put_again_is_accepted_or_refused(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    plane.put("cand", model)
    assert plane.put("cand", model).status_code == 200
    workshop.emulator.set(identical_put="refuse")
    assert code(plane.put("cand", model)) == "ModelUpgradeNotSupported"


def test_line_03_capacity_and_tags_change_but_the_sku_does_not(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    plane.put("cand", model, tags={"a": "1"})
    assert plane.put("cand", model, capacity=20).json()["sku"]["capacity"] == 20
    patched = plane.call(
        "PATCH", "/deployments/cand", json={"tags": {"b": "2"}, "sku": {"capacity": 30}}
    )
    assert (patched.json()["tags"], patched.json()["sku"]["capacity"]) == ({"b": "2"}, 30)
    workshop.emulator.set(patch_tags="merge", patch_style="202")
    assert plane.call("PATCH", "/deployments/cand", json={"tags": {"c": "3"}}).headers["location"]
    assert plane.get("cand").json()["tags"] == {"b": "2", "c": "3"}
    refused = plane.call("PATCH", "/deployments/cand", json={"properties": {}})
    assert refused.status_code == 400
    assert plane.put("cand", model, "GlobalStandard").status_code == 400
    workshop.emulator.set(sku_change="allow")
    assert plane.put("cand", model, "GlobalStandard").status_code == 200


# 4


def test_line_04_parallel_writes_of_one_account_collide(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    workshop.emulator.set(provisioning_s=60)
    assert plane.put("cand", model).status_code == 201
    second = plane.put("base", "gpt-4o", "GlobalStandard")
    assert (second.status_code, code(second)) == (409, "RequestConflict")
    assert "retry-after" not in second.headers
    assert plane.delete("cand").status_code == 409
    workshop.emulator.clock.advance(61)
    assert plane.put("base", "gpt-4o", "GlobalStandard").status_code == 201


def test_line_04_the_serialising_can_be_switched_off(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    workshop.emulator.set(provisioning_s=60, serialise_writes=False)
    assert plane.put("one", model).status_code == 201
    assert plane.put("two", model).status_code == 201


# 5


def test_line_05_capacity_is_held_against_the_finetune_row(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    row = "OpenAI.DeveloperTier.gpt4.1-mini-finetune"
    workshop.emulator.set(quota_limits={row: 100})
    assert plane.put("one", model, capacity=80).status_code == 201
    refused = plane.put("two", model, capacity=30)
    assert (refused.status_code, code(refused)) == (400, "InsufficientQuota")
    assert "Tokens Per Minute (thousands) - gpt-4.1-mini" in refused.json()[ERROR]["message"]
    assert "available capacity 20" in refused.json()[ERROR]["message"]
    location = f"/subscriptions/{plane.subscription}/providers/Microsoft.CognitiveServices/locations/swedencentral"
    rows = {
        one["name"]["value"]: one for one in plane.call("GET", f"{location}/usages").json()["value"]
    }
    assert (rows[row]["currentValue"], rows[row]["limit"]) == (80.0, 100.0)
    assert rows["OpenAI.FineTuned.Deployments"]["currentValue"] == 1.0
    free = plane.call(
        "GET", f"{location}/modelCapacities",
        params={"modelFormat": "OpenAI", "modelName": "gpt-4.1-mini", "modelVersion": "2025-04-14"},
    ).json()["value"]  # fmt: skip
    developer = next(one for one in free if one["properties"]["skuName"] == "DeveloperTier")
    assert developer["properties"]["availableFinetuneCapacity"] == 20


def test_line_05_the_number_of_finetuned_deployments_is_limited(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    workshop.emulator.set(finetuned_deployments_limit=2)
    for name in ("one", "two"):
        assert plane.put(name, model, capacity=1).status_code == 201
    refused = plane.put("three", model, capacity=1)
    assert code(refused) == "InsufficientQuota"
    assert "OpenAI.FineTuned.Deployments" in refused.json()[ERROR]["message"]


# 6


def test_line_06_deleting_is_accepted_then_gone_then_nothing(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    plane.put("cand", model)
    workshop.emulator.set(deleting_s=120)
    deleted = plane.delete("cand")
    assert deleted.status_code == 202
    assert plane.get("cand").json()["properties"]["provisioningState"] == "Deleting"
    assert workshop.follow(deleted.headers["location"]).status_code == 202
    workshop.emulator.clock.advance(121)
    assert workshop.follow(deleted.headers["location"]).status_code == 204
    assert (plane.get("cand").status_code, code(plane.get("cand"))) == (404, "ResourceNotFound")
    assert plane.delete("cand").status_code == 204


def test_line_06_quota_comes_back_after_a_while(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    workshop.emulator.set(
        quota_limits={"OpenAI.DeveloperTier.gpt4.1-mini-finetune": 100}, quota_release_s=20
    )
    plane.put("one", model, capacity=100)
    plane.delete("one")
    assert code(plane.put("two", model, capacity=100)) == "InsufficientQuota"
    workshop.emulator.clock.advance(21)
    assert plane.put("two", model, capacity=100).status_code == 201


# 9, 10, 11


def test_line_09_developer_deployments_are_removed_after_a_day_whatever_the_traffic(
    workshop,
) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    plane.put("cand", model)
    workshop.emulator.clock.advance(23.9 * 3600)
    assert workshop.ask("cand").status_code == 200
    workshop.emulator.clock.advance(0.2 * 3600)
    assert plane.get("cand").status_code == 404
    assert workshop.ask("cand").json()[ERROR]["code"] == "DeploymentNotFound"
    assert plane.put("cand", model).status_code == 201, "the model itself is untouched"


def test_line_09_the_removal_may_lag(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    workshop.emulator.set(developer_removal_lag_s=7200)
    plane.put("cand", model)
    workshop.emulator.clock.advance(25 * 3600)
    assert plane.get("cand").status_code == 200
    workshop.emulator.clock.advance(2 * 3600)
    assert plane.get("cand").status_code == 404


def test_line_10_standard_finetuned_deployments_go_after_15_idle_days(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    plane.put("prod", model, "GlobalStandard")
    plane.put("base", "gpt-4o", "GlobalStandard")
    workshop.emulator.set(also_offered={"ProvisionedManaged": ["gpt-4.1-mini"]})
    plane.put("ptu", model, "ProvisionedManaged", capacity=50)
    workshop.emulator.clock.advance(14 * 86400)
    assert workshop.ask("prod").status_code == 200
    workshop.emulator.clock.advance(14 * 86400)
    assert plane.get("prod").status_code == 200, "a call starts the 15 days again"
    workshop.emulator.clock.advance(2 * 86400)
    assert plane.get("prod").status_code == 404
    assert plane.get("base").status_code == 200
    assert plane.get("ptu").status_code == 200


def test_line_11_a_paused_deployment_answers_423_and_developer_slots_are_not_paused(
    workshop,
) -> None:
    plane, model = workshop.plane(version="2025-12-01"), workshop.tuned()
    plane.put("prod", model, "GlobalStandard")
    plane.put("cand", model)
    paused = plane.call("POST", "/deployments/prod/pause")
    assert paused.json()["properties"]["deploymentState"] == "Paused"
    assert "deploymentState" not in workshop.plane().get("prod").json()["properties"]
    assert plane.call("POST", "/deployments/prod/pause").status_code == 200
    assert workshop.ask("prod").status_code == 423
    plane.call("POST", "/deployments/prod/resume")
    assert workshop.ask("prod").status_code == 200
    refused = plane.call("POST", "/deployments/cand/pause")
    assert (refused.status_code, code(refused)) == (400, "OperationNotSupported")
    assert workshop.plane().call("POST", "/deployments/prod/pause").status_code == 400, (
        "too old an api-version"
    )


# 17


def test_line_17_unknown_and_missing_api_versions_are_refused(workshop) -> None:
    missing = workshop.http.get(
        workshop.url + workshop.plane().account_id + "/deployments",
        headers={"Authorization": "Bearer embedded-arm-token"},
    )
    assert (missing.status_code, code(missing)) == (400, "MissingApiVersionParameter")
    data_plane_version = workshop.plane(version="2024-10-21")
    refused = data_plane_version.call("GET", "/deployments")
    assert (refused.status_code, code(refused)) == (400, "NoRegisteredProviderFound")
    workshop.emulator.set(tolerated_api_versions=["2024-10-21"])
    assert data_plane_version.call("GET", "/deployments").status_code == 200


# 18


def test_line_18_expired_and_foreign_tokens_are_refused_with_a_challenge(workshop) -> None:
    token = workshop.emulator.token
    wrong = {
        token(audience="https://ai.azure.com"): "InvalidAuthenticationTokenAudience",
        token(expires_in_s=-1): "ExpiredAuthenticationToken",
        token(tenant="another-tenant"): "InvalidAuthenticationTokenTenant",
        "nonsense": "InvalidAuthenticationToken",
    }
    for text, expected in wrong.items():
        refused = workshop.plane(token=text).call("GET", "/deployments")
        assert (refused.status_code, code(refused)) == (401, expected)
        assert "00000000-0000-0000-0000-00000000aaaa" in refused.headers["www-authenticate"]
    still_good = token(expires_in_s=3600)
    assert workshop.plane(token=still_good).call("GET", "/deployments").status_code == 200
    workshop.emulator.clock.advance(3601)
    assert (
        code(workshop.plane(token=still_good).call("GET", "/deployments"))
        == "ExpiredAuthenticationToken"
    )


def test_line_18_a_missing_right_is_403_and_names_the_action(workshop) -> None:
    reader = workshop.plane(token=workshop.emulator.token(roles={"*": "Foundry User"}))
    refused = reader.put("cand", workshop.tuned())
    assert (refused.status_code, code(refused)) == (403, "AuthorizationFailed")
    assert (
        "Microsoft.CognitiveServices/accounts/deployments/write" in refused.json()[ERROR]["message"]
    )
    assert reader.call("GET", "/deployments").status_code == 200


# 20


def test_line_20_sku_names_ignore_case_and_a_sku_inside_properties_is_ignored(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    assert plane.put("cand", model, "developertier").json()["sku"]["name"] == "DeveloperTier"
    body = {"properties": {"model": {"format": "OpenAI", "name": model, "version": "1"},
                           "sku": {"name": "DeveloperTier", "capacity": 5}}}  # fmt: skip
    made = plane.call("PUT", "/deployments/lost", json=body)
    assert made.json()["sku"] == {"name": "Standard", "capacity": 1}
    refused = plane.put("wrong", model, "Developer")
    assert (refused.status_code, code(refused)) == (400, "InvalidResourceProperties")
