"""Every row of the two error tables: control plane first, then data plane."""

from __future__ import annotations

import httpx
import pytest

OTHER_TENANT = "00000000-0000-0000-0000-00000000bbbb"
OTHER_SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
EAST = {"name": "acme-east", "location": "eastus2", "resource_group": "acme"}
FOREIGN = {
    "name": "acme-foreign",
    "subscription": OTHER_SUBSCRIPTION,
    "resource_group": "acme",
    "tenant": OTHER_TENANT,
}


def refusal(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["error"]["code"]


# control plane


def test_a_model_that_does_not_exist_is_named_in_the_refusal(workshop) -> None:
    refused = workshop.plane().put("cand", "gpt-4.1-mini-2025-04-14.ft-" + "0" * 32)
    assert refusal(refused) == (400, "DeploymentModelNotSupported")
    for word in ("Format", "Name", "Version", "Source", "SourceAccount"):
        assert f"{word}: " in refused.json()["error"]["message"]


def test_an_sku_that_the_model_does_not_have_in_the_region(workshop) -> None:
    refused = workshop.plane().put("base", "gpt-4.1-mini", "DeveloperTier")
    assert refusal(refused) == (400, "InvalidResourceProperties")
    assert "is not supported in this region 'swedencentral'" in refused.json()["error"]["message"]


def test_a_wrong_model_format_is_an_internal_error(workshop) -> None:
    body = {
        "sku": {"name": "GlobalStandard"},
        "properties": {"model": {"format": "openai", "name": "gpt-4o"}},
    }
    refused = workshop.plane().call("PUT", "/deployments/base", json=body)
    assert refusal(refused) == (500, "InternalServerError")


def test_what_is_not_there_is_404_with_its_own_code(workshop) -> None:
    plane = workshop.plane()
    put = {"json": {"properties": {"model": {"format": "OpenAI", "name": "gpt-4o"}}}}
    assert refusal(plane.get("nothing")) == (404, "ResourceNotFound")
    plane.account = "nobody"
    assert refusal(plane.get("nothing")) == (404, "ResourceNotFound")
    assert refusal(plane.call("PUT", "/deployments/x", **put)) == (404, "ParentResourceNotFound")
    plane.group = "nowhere"
    assert refusal(plane.get("nothing")) == (404, "ResourceGroupNotFound")
    plane.subscription = OTHER_SUBSCRIPTION
    assert refusal(plane.get("nothing")) == (404, "SubscriptionNotFound")


def test_post_on_a_deployment_is_not_allowed(workshop) -> None:
    assert refusal(workshop.plane().call("POST", "/deployments/cand", json={})) == (
        405,
        "MethodNotAllowed",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"sku": {"name": "Standard"}},
        {"properties": {"model": {"name": "gpt-4o"}}},
        {"sku": {"name": "Standard", "capacity": "10"}, "properties": {"model": {"format": "OpenAI", "name": "gpt-4o"}}},
        {"tags": {"a": 1}, "properties": {"model": {"format": "OpenAI", "name": "gpt-4o"}}},
    ],
)  # fmt: skip
def test_a_body_that_lacks_something_is_invalid_content(workshop, body) -> None:
    assert refusal(workshop.plane().call("PUT", "/deployments/x", json=body)) == (
        400,
        "InvalidRequestContent",
    )


def test_a_body_that_is_no_json_is_refused(workshop) -> None:
    plane = workshop.plane()
    header = {"Content-Type": "text/plain"}
    assert plane.call("PUT", "/deployments/x", content=b"{}", headers=header).status_code == 415
    header = {"Content-Type": "application/json"}
    for body in (b"{", b'{"a":"\xff"}', b"[" * 100_000):
        assert plane.call("PUT", "/deployments/x", content=body, headers=header).status_code == 400


def test_a_deprecating_base_takes_no_new_deployments_and_a_retired_one_answers_410(
    workshop,
) -> None:
    plane = workshop.plane()
    plane.put("base", "gpt-4o", "GlobalStandard")
    workshop.emulator.set(deprecating_models=["gpt-4.1-nano"], retired_models=["gpt-4o"])
    assert plane.put("nano", "gpt-4.1-nano", "GlobalStandard").status_code == 400
    assert refusal(plane.put("other", "gpt-4o", "GlobalStandard")) == (
        400,
        "DeploymentModelNotSupported",
    )
    assert workshop.ask("base").status_code == 410
    models = plane.call("GET", "/models").json()["value"]
    states = {one["name"]: one["lifecycleStatus"] for one in models}
    assert (states["gpt-4.1-nano"], states["gpt-4o"]) == ("Deprecating", "Deprecated")


def test_another_accounts_model_is_deployed_by_its_source(workshop) -> None:
    workshop.emulator.set(accounts=[EAST])
    model = workshop.tuned()
    here = workshop.plane()
    east = workshop.plane(account="acme-east", group="acme")
    assert refusal(east.put("cand", model)) == (400, "DeploymentModelNotSupported")
    assert east.put("cand", model, source=here.account_id).status_code == 201
    answer = workshop.http.post(
        f"{workshop.url}/accounts/acme-east/openai/v1/chat/completions",
        json={"model": "cand", "messages": [{"role": "user", "content": "x"}]},
        headers={"api-key": "acme-east-api-key"},
    )
    assert answer.json()["model"] == model
    assert workshop.ask("cand").status_code == 404, "not in the default account"


def test_rights_on_the_source_account_are_needed(workshop) -> None:
    workshop.emulator.set(accounts=[EAST])
    here = workshop.plane()
    east_id = f"/subscriptions/{here.subscription}/resourceGroups/acme"
    token = workshop.emulator.token(roles={east_id: "Cognitive Services Contributor"})
    east = workshop.plane(account="acme-east", group="acme", token=token)
    refused = east.put("cand", workshop.tuned(), source=here.account_id)
    assert refusal(refused) == (403, "LinkedAuthorizationFailed")


def test_across_tenants_a_second_token_is_needed(workshop) -> None:
    workshop.emulator.set(accounts=[FOREIGN])
    model, here = workshop.tuned(), workshop.plane()
    foreign = workshop.plane(
        account="acme-foreign", group="acme", subscription=OTHER_SUBSCRIPTION,
        token=workshop.emulator.token(tenant=OTHER_TENANT),
    )  # fmt: skip
    refused = foreign.put("cand", model, sourceAccount=here.account_id)
    assert refusal(refused) == (401, "InvalidAuthenticationTokenTenant")
    auxiliary = {"x-ms-authorization-auxiliary": f"Bearer {workshop.emulator.token()}"}
    made = foreign.put("cand", model, sourceAccount=here.account_id, headers=auxiliary)
    assert made.status_code == 201


def test_source_and_source_account_may_not_be_interchangeable(workshop) -> None:
    workshop.emulator.set(accounts=[EAST], source_and_account_interchangeable=False)
    model, here = workshop.tuned(), workshop.plane()
    east = workshop.plane(account="acme-east", group="acme")
    assert east.put("cand", model, sourceAccount=here.account_id).status_code == 400
    assert east.put("cand", model, source=here.account_id).status_code == 201


def test_a_callers_permissions_can_be_asked_for(workshop) -> None:
    reader = workshop.plane(
        token=workshop.emulator.token(roles={"*": "Reader"}), version="2022-04-01"
    )
    shown = reader.call("GET", "/providers/Microsoft.Authorization/permissions").json()["value"][0]
    assert "Microsoft.CognitiveServices/accounts/deployments/read" in shown["actions"]
    assert "Microsoft.CognitiveServices/accounts/deployments/write" not in shown["actions"]


# data plane


def chat(workshop, path: str, headers: dict[str, str], **body) -> httpx.Response:
    wish = {"messages": [{"role": "user", "content": "hello"}], **body}
    return workshop.http.post(workshop.url + path, json=wish, headers=headers)


AZURE = ("/openai/v1/chat/completions", {"api-key": "embedded-api-key"})
OPENAI = ("/v1/chat/completions", {"Authorization": "Bearer embedded-api-key"})


def test_credentials_of_the_data_planes(workshop) -> None:
    workshop.plane().put("base", "gpt-4.1-mini", "GlobalStandard")
    path = AZURE[0]
    assert refusal(chat(workshop, path, {}, model="base")) == (401, "401")
    assert refusal(chat(workshop, path, {"api-key": "wrong"}, model="base")) == (401, "401")
    arm = {"Authorization": "Bearer embedded-arm-token"}
    assert refusal(chat(workshop, path, arm, model="base")) == (401, "401"), "wrong audience"
    for audience in (
        "https://ai.azure.com/.default",
        "https://cognitiveservices.azure.com/.default",
    ):
        bearer = {"Authorization": f"Bearer {workshop.emulator.token(audience=audience)}"}
        assert chat(workshop, path, bearer, model="base").status_code == 200
    weak = workshop.emulator.token(audience="https://ai.azure.com", roles={"*": "Reader"})
    assert refusal(chat(workshop, path, {"Authorization": f"Bearer {weak}"}, model="base")) == (
        403,
        "PermissionDenied",
    )
    assert refusal(chat(workshop, OPENAI[0], {}, model="gpt-4o")) == (401, "invalid_api_key")
    workshop.emulator.set(key_auth=False)
    assert refusal(chat(workshop, *AZURE, model="base")) == (403, "AuthenticationTypeDisabled")


def test_names_that_do_not_answer(workshop) -> None:
    assert refusal(chat(workshop, *AZURE, model="nothing")) == (404, "DeploymentNotFound")
    assert refusal(chat(workshop, *OPENAI, model="ft:gpt-4o:embedded::none")) == (
        404,
        "model_not_found",
    )
    assert refusal(workshop.http.post(workshop.url + "/openai/nonsense")) == (404, "404")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"messages": [{"role": "user", "content": "x" * 4 * 130_000}]}, "context_length_exceeded"),
        ({"temperature": 3}, "invalid_value"),
        ({"nonsense": 1}, "unknown_parameter"),
        ({"model": "o4-mini", "max_tokens": 5}, "unsupported_parameter"),
        ({"model": "o4-mini", "temperature": 0}, "unsupported_value"),
        ({"messages": []}, None),
        ({"messages": [{"role": "robot", "content": "x"}]}, None),
        ({"response_format": {"type": "json_object"}}, None),
        ({"model": None}, None),
    ],
)
def test_a_request_that_the_service_does_not_take(workshop, body, code) -> None:
    answer = chat(workshop, *OPENAI, **{"model": "gpt-4.1-mini", **body})
    assert refusal(answer) == (400, code)
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_content_types_and_sizes_are_checked(workshop) -> None:
    path, headers = OPENAI
    plain = {**headers, "Content-Type": "text/plain"}
    assert workshop.http.post(workshop.url + path, content=b"{}", headers=plain).status_code == 415
    workshop.emulator.set(request_limit=100)
    assert chat(workshop, path, headers, model="gpt-4.1-mini", user="x" * 200).status_code == 413


def test_more_than_ten_custom_headers_are_too_many(workshop) -> None:
    path, headers = OPENAI
    many = {**headers, **{f"x-own-{number}": "1" for number in range(11)}}
    assert chat(workshop, path, many, model="gpt-4.1-mini").status_code == 431
    fewer = {**headers, **{f"x-own-{number}": "1" for number in range(10)}}
    assert chat(workshop, path, fewer, model="gpt-4.1-mini").status_code == 200


def test_an_openai_model_may_not_be_found_for_a_while(workshop) -> None:
    workshop.emulator.set(openai_model_lag_s=120)
    model = workshop.fine_tune(workshop.client("/v1"))
    assert refusal(chat(workshop, *OPENAI, model=model)) == (404, "model_not_found")
    workshop.emulator.clock.advance(121)
    assert chat(workshop, *OPENAI, model=model).status_code == 200
