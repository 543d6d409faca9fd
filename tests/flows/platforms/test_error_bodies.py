"""Error bodies as they are met in public records, in their documented shapes with invented ids: what a person reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evals.errors import CredentialError, PlatformError
from evals.sampling.endpoint.error_bodies import read_fault, request_id
from flows.emulator.gateway.refusals import REFUSALS
from flows.platforms.azure.errors.explain import service_error
from flows.platforms.base import SlotSpec

SUBSCRIPTION = "/subscriptions/0d2f6f4e-1111-4222-8333-944455556666"
GROUP = f"{SUBSCRIPTION}/resourceGroups/acme-ai"
ACCOUNT = "/subscriptions/sub-1/resourceGroups/acme-ai/providers/Microsoft.CognitiveServices/accounts/acme-swc"
AT = f"{ACCOUNT}/deployments/cand-1"
READ = "could not read deployment cand-1"


def error(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


POLICY = error(
    "RequestDisallowedByPolicy",
    'Resource \'cand-1\' was disallowed by policy. Policy identifiers: \'[{"policyAssignment":{"name":"Only Standard'
    f' SKUs","id":"{GROUP}/providers/Microsoft.Authorization/policyAssignments/5a1b"}},"policyDefinition":{{"name":'
    '"Deny","id":"/providers/x"}}]\'.',
    target="cand-1",
)
POLICY_WITH_INFO = error(
    "RequestDisallowedByPolicy",
    "Resource 'cand-1' was disallowed by policy. Reasons: 'ask the platform team'.",
    additionalInfo=[
        {
            "type": "PolicyViolation",
            "info": {
                "policyAssignmentDisplayName": "Models by allow-list",
                "policyAssignmentName": "5a1b2c",
                "policyAssignmentScope": SUBSCRIPTION,
                "evaluationDetails": {"evaluatedExpressions": []},
            },
        },
        {
            "type": "PolicyViolation",
            "info": {
                "policyAssignmentName": "tags-1",
                "policyAssignmentId": f"{GROUP}/providers/Microsoft.Authorization/policyAssignments/tags-1",
            },
        },
    ],
)
PER_MINUTE = "Tokens Per Minute (thousands) - GPT-35-Turbo"

EXPLAINED: list[tuple[str, int, Any, list[str]]] = [
    (
        "older sentence of the quota",
        400,
        error(
            "InsufficientQuota",
            "The specified capacity '1' of account deployment is bigger than available capacity '0' for UsageName"
            f" '{PER_MINUTE}'.",
        ),
        [f"quota {PER_MINUTE}: needed 1, left 0 (units of 1,000 tokens a minute)", "delete"],
    ),
    (
        "newer sentence, with usage and limit",
        400,
        error(
            "InsufficientQuota",
            f"This operation require 1,200 new capacity in quota {PER_MINUTE}, which is bigger than the current"
            " available capacity 1,080. The current quota usage is 120 and the quota limit is 1,200 for quota"
            f" {PER_MINUTE}.",
        ),
        ["needed 1,200, left 1,080 of 1,200", "capacity to 1,080 or less", "gatewright sweep"],
    ),
    (
        "newest sentence",
        400,
        error(
            "InsufficientQuota",
            "This operation require 200 new capacity in quota One Thousand Tokens Per Minute - gpt-4.1-mini -"
            " GlobalStandard, which is bigger than the current available capacity 20.",
        ),
        [
            "quota One Thousand Tokens Per Minute - gpt-4.1-mini - GlobalStandard: needed 200, left 20",
            "units of 1,000 tokens a minute",
        ],
    ),
    (
        "a row that counts requests",
        400,
        error(
            "InsufficientQuota",
            "This operation require 1 new capacity in quota Requests Per Minute - Qwen3-32B, which is bigger than the"
            " current available capacity 0.",
        ),
        ["quota Requests Per Minute - Qwen3-32B: needed 1, left 0 (units of requests a minute)"],
    ),
    (
        "no number for what is left",
        400,
        error(
            "InsufficientQuota",
            "This operation requires 50 new capacity in quota Tokens Per Minute (thousands) - 4.1-mini -"
            " GlobalStandard, which is bigger than the current available capacity.",
        ),
        ["GlobalStandard does not reach: needed 50"],
    ),
    (
        "a capacity that does not come out even",
        400,
        error(
            "InsufficientQuota",
            "This operation require 100 new capacity in quota One Thousand Tokens Per Minute - gpt-4.1-mini, which is"
            " bigger than the current available capacity 20.5.",
        ),
        ["needed 100, left 20.5", "capacity to 20 or less"],
    ),
    (
        "less than one unit of capacity",
        400,
        error(
            "InsufficientQuota",
            "This operation require 1 new capacity in quota X, which is bigger than the current available capacity 0.5.",
        ),
        ["needed 1, left 0.5", "delete a deployment that uses it"],
    ),
    (
        "the count of fine-tuned deployments, by its other name",
        400,
        error(
            "InsufficientQuota",
            "This operation require 1 new capacity in quota Standard Fine-Tuned Deployments, which is bigger than the"
            " current available capacity 0.",
        ),
        ["needed 1, left 0 fine-tuned deployments: delete one"],
    ),
    (
        "a capacity out of its range",
        400,
        error(
            "InvalidCapacity",
            "The specified capacity '5' of account deployment should be at least 15 and no more than 30,000.",
        ),
        ["capacity 5 does not fit", "set the slot's 'capacity' to at least 15 and at most 30,000"],
    ),
    (
        "a capacity above what there is, in older words",
        400,
        error(
            "InvalidCapacity",
            "The specified capacity ' ' of account deployment should be greater than 0 and no more than 3.",
        ),
        ["the capacity does not fit", "at least 1 and at most 3"],
    ),
    (
        "a capacity out of its range, under the code for properties",
        400,
        error(
            "InvalidResourceProperties",
            "The specified capacity '0' of account deployment should be at least 1 and no more than 1000000.",
        ),
        ["capacity 0 does not fit this model and SKU", "at least 1 and at most 1,000,000"],
    ),
    (
        "a capacity that should not be there",
        400,
        error("InvalidResourceProperties", "The capacity should be null for standard deployment."),
        ["the capacity does not fit this model and SKU", "change the slot's 'capacity'"],
    ),
    (
        "a type that the model does not have",
        400,
        error(
            "InvalidResourceProperties",
            "The specified SKU 'Standard' of account deployment is not supported by the model 'gpt-35-turbo'.",
        ),
        ["the SKU is not offered for this model", "choose another SKU"],
    ),
    (
        "another property",
        400,
        error("InvalidResourceProperties", "The rai policy 'x' is not there."),
        ["a property of the deployment is not taken (the service returned: The rai policy"],
    ),
    (
        "a right missing at what is not there yet",
        403,
        error(
            "AuthorizationFailed",
            "The client 'x' with object id 'y' does not have authorization to perform action"
            f" 'Microsoft.CognitiveServices/accounts/deployments/write' over scope '{AT}' or the scope is invalid.",
        ),
        [f"deployments/write is missing at {ACCOUNT}: have"],
    ),
    (
        "a retired base",
        400,
        error(
            "ServiceModelDeprecated",
            "The model 'Format:OpenAI,Name:gpt-4o-mini,Version:2024-07-18' has been deprecated since 03/31/2026"
            " 00:00:00.",
        ),
        ["gpt-4o-mini 2024-07-18 takes no new deployments since 2026-03-31", "gatewright doctor"],
    ),
    (
        "a base on its way out",
        400,
        error(
            "ServiceModelDeprecating",
            "The model 'Format: OpenAI, Name: gpt-4o, Version: 2024-08-06' is in deprecating state and cannot be used"
            " for new deployments.",
        ),
        ["gpt-4o 2024-08-06 takes no new deployments", "until their own date"],
    ),
    (
        "a policy, named in the sentence only",
        403,
        POLICY,
        [
            f"policy assignment 'Only Standard SKUs' at {GROUP}",
            f"exemption, or change what it asks for (az policy assignment list --scope {GROUP})",
        ],
    ),
    (
        "policies in additionalInfo",
        403,
        POLICY_WITH_INFO,
        [
            f"policy assignments 'Models by allow-list' at {SUBSCRIPTION}, 'tags-1' at {GROUP}",
            "ask the platform team",
        ],
    ),
    (
        "a policy inside of a template's error",
        400,
        error("InvalidTemplateDeployment", "see details", details=[POLICY_WITH_INFO["error"]]),
        ["RequestDisallowedByPolicy", "'Models by allow-list'"],
    ),
    (
        "a lock",
        409,
        error(
            "ScopeLocked",
            f"The scope '{AT}' cannot perform delete operation because following scope(s) are locked: '{GROUP}'."
            " Please remove the lock and try again.",
        ),
        [
            f"a lock at {GROUP} forbids to delete",
            "az lock list --resource-group acme-ai --subscription 0d2f6f4e-1111-4222-8333-944455556666 shows its id;"
            " az lock delete --ids ID",
        ],
    ),
    (
        "a lock of the account itself",
        409,
        error(
            "ScopeLocked",
            f"The scope '{AT}' cannot perform delete operation because following scope(s) are locked: '{AT}'.",
        ),
        [f"az lock list --resource {AT} shows its id"],
    ),
    (
        "a provider that was never registered",
        409,
        error(
            "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace 'Microsoft.CognitiveServices'. See"
            " https://aka.ms/rps-not-found for how to register subscriptions.",
        ),
        ["az provider register --namespace Microsoft.CognitiveServices"],
    ),
    (
        "the protection against abuse",
        400,
        error(
            "715-123420",
            "Our system has detected this request as unusual activity for your account. If you are confident this is in"
            " error, please contact support.",
        ),
        ["protection against abuse", "support request", "request id arm-77"],
    ),
    (
        "a model given out on application",
        400,
        error(
            "SpecialFeatureOrQuotaIdRequired",
            "the current subscription does not have access to this model 'Format:OpenAI,Name:o3,Version:2025-04-16'",
        ),
        ["no access to o3 2025-04-16", "https://aka.ms/oai/access"],
    ),
    (
        "a family of models given out on application",
        400,
        error(
            "SpecialFeatureOrQuotaIdRequired",
            "This subscription does not have access to AIServices.DataZoneStandard.Open in eastus2.",
        ),
        ["no access to AIServices.DataZoneStandard.Open in eastus2: such models"],
    ),
    (
        "an offer without the service",
        400,
        error(
            "SpecialFeatureOrQuotaIdRequired",
            "The subscription does not have QuotaId/Feature required by SKU 'S0' from kind 'OpenAI' or contains blocked"
            " QuotaId/Feature.",
        ),
        ["the subscription's offer does not include this service", "paid as you go"],
    ),
    (
        "a right missing on the source account",
        403,
        error(
            "LinkedAuthorizationFailed",
            "The client 'x' with object id 'y' has permission to perform action"
            f" 'Microsoft.CognitiveServices/accounts/deployments/write' on scope '{AT}'; however, it does not have"
            " permission to perform action(s) 'Microsoft.CognitiveServices/accounts/read' on the linked scope(s)"
            f" '{GROUP}/source' or the linked scope(s) are invalid.",
        ),
        [f"the action Microsoft.CognitiveServices/accounts/read is missing at {GROUP}/source"],
    ),
    (
        "a code nobody has written down",
        422,
        error("ModelFrobnicationRefused", "the frobnicator is off"),
        [
            "ModelFrobnicationRefused (the service returned: the frobnicator is off; request id arm-77)",
            "https://learn.microsoft.com/search/?terms=ModelFrobnicationRefused",
        ],
    ),
]

SHAPES: list[tuple[str, Any, str]] = [
    (
        "code and message at the root",
        {"code": "Odd", "message": "m"},
        "Odd (the service returned: m",
    ),
    ("capital letters", {"Code": "Odd", "Message": "m"}, "Odd (the service returned: m"),
    ("a message alone", {"Message": "the account is busy"}, "the account is busy"),
    ("an error that is a text", {"error": "no such thing"}, "the service returned: no such thing"),
    (
        "OAuth",
        {"error": "invalid_client", "error_description": "AADSTS7000215: bad secret"},
        "invalid_client (the service returned: AADSTS7000215: bad secret",
    ),
    (
        "OData",
        {"odata.error": {"code": "Odd", "message": {"lang": "en-US", "value": "m"}}},
        "Odd (the service returned: m",
    ),
    (
        "a gateway",
        {"statusCode": 422, "message": "quota of calls"},
        "422 (the service returned: quota of calls",
    ),
    ("a list", {"errors": [{"code": "Odd", "message": "m"}]}, "Odd (the service returned: m"),
    (
        "an unknown error around a known one",
        error("Wrapped", "outside", innererror={"code": "ScopeLocked", "message": "inside"}),
        "ScopeLocked: a lock forbids it (the service returned: inside)",
    ),
    (
        "a whole body as a text inside of a message",
        error("BadRequest", json.dumps(error("ServiceModelDeprecating", "inside"))),
        "ServiceModelDeprecating",
    ),
    (
        "details of details",
        error(
            "DeploymentFailed",
            "one",
            details=[
                {"code": "Conflict", "message": "two", "details": [error("Odd", "m")["error"]]}
            ],
        ),
        "Odd (the service returned: m",
    ),
    ("a null code", {"error": {"code": None, "message": "m"}}, "HTTP 400 (the service returned: m"),
    ("a numeric code", {"error": {"code": 400, "message": "m"}}, "400 (the service returned: m"),
    (
        "a page of a proxy",
        b"<!DOCTYPE html>\n<html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>",
        "HTTP 400: the answer is a web page and not the service's (the service returned: 502 Bad Gateway",
    ),
    (
        "XML",
        b'<?xml version="1.0"?><Error><Code>Odd</Code><Message>m &amp; m</Message></Error>',
        "Odd (the service returned: m & m",
    ),
    (
        "plain words",
        b"upstream connect error",
        "HTTP 400 (the service returned: upstream connect error",
    ),
    ("nothing", b"", "HTTP 400 (request id arm-77)"),
    (
        "a byte order mark",
        b'\xef\xbb\xbf{"error": {"code": "Odd", "message": "m"}}',
        "Odd (the service returned: m",
    ),
    ("half a body", b'{"error": {"code": "Od', 'HTTP 400 (the service returned: {"error"'),
]


@pytest.mark.parametrize(
    ("status", "body", "read"), [row[1:] for row in EXPLAINED], ids=[row[0] for row in EXPLAINED]
)
async def test_a_public_refusal_is_explained(
    server: Any, azure: Any, status: int, body: Any, read: list[str]
) -> None:
    server.on(f"GET {AT}", (status, body, {"x-ms-request-id": "arm-77"}))
    with pytest.raises(PlatformError) as caught:
        await azure.get("cand-1")
    for part in read:
        assert part in str(caught.value)
    assert len(server.asked(f"GET {AT}")) == 1


@pytest.mark.parametrize(
    ("body", "read"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES]
)
async def test_a_body_is_read_whatever_its_shape(
    server: Any, azure: Any, body: Any, read: str
) -> None:
    server.on(f"GET {AT}", (400, body, {"x-ms-request-id": "arm-77"}))
    with pytest.raises(PlatformError) as caught:
        await azure.get("cand-1")
    assert f"{READ}: {read}" in str(caught.value) or read in str(caught.value)


async def test_a_web_page_with_a_good_status_is_not_taken_for_an_empty_list(
    server: Any, azure: Any
) -> None:
    server.on(f"GET {ACCOUNT}/deployments", (200, b"<html><title>Sign in</title></html>"))
    with pytest.raises(PlatformError, match="answered with a web page"):
        await azure.list_deployments()


async def test_a_web_page_that_says_not_found_is_not_taken_for_the_control_plane_s_word(
    server: Any, azure: Any
) -> None:
    server.on(f"GET {AT}", (404, b"<html><title>404 Not Found</title></html>"))
    with pytest.raises(PlatformError, match="404: the answer is a web page"):
        await azure.get("cand-1")


async def test_throttling_without_a_name_of_its_own_is_explained(server: Any, azure: Any) -> None:
    server.on(f"GET {AT}", (429, error("429", "slow down")))
    with pytest.raises(PlatformError, match="429: the control plane is throttling") as caught:
        await azure.get("cand-1")
    assert caught.value.hint == "try again later"


async def test_throttling_that_outlasts_our_patience_says_when_to_come_back(
    server: Any, azure: Any
) -> None:
    slow = error("TooManyRequests", "slow down")
    server.on(f"GET {AT}", (429, slow, {"Retry-After": "7200"}))
    with pytest.raises(PlatformError, match=r"try again in 2 h 00 min"):
        await azure.get("cand-1")


async def test_an_operation_that_fails_is_explained_with_its_request_id(
    server: Any, azure: Any
) -> None:
    server.on(f"GET {AT}", (404, error("ResourceNotFound", "none")))
    server.on(f"PUT {AT}", (201, {}, {"Azure-AsyncOperation": "{url}/operations/1"}))
    failed = {"status": "Failed", **error("Novel", "it broke")}
    server.on("GET /operations/1", (200, failed, {"x-ms-correlation-request-id": "corr-5"}))
    slot = SlotSpec(slot="developer", sku="DeveloperTier", capacity=1)
    with pytest.raises(PlatformError, match=r"Novel \(.*it broke; request id corr-5\)"):
        await azure.deploy("cand-1", "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8, slot, tags={})


async def test_an_unknown_refusal_of_a_token_says_how_to_sign_in(server: Any, azure: Any) -> None:
    server.on(f"GET {AT}", (401, {"error": {"code": "Novel", "message": "no"}}))
    with pytest.raises(CredentialError, match="az login"):
        await azure.get("cand-1")


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-ms-request-id": "a", "X-MS-Correlation-Request-Id": "b"}, "b"),
        ({"apim-request-id": "c"}, "c"),
        ({"x-request-id": "d"}, "d"),
        ({"x-request-id": "bad\x1b[31m"}, None),
        ({}, None),
    ],
)
def test_the_id_that_support_asks_for_is_found(headers: dict[str, str], found: str | None) -> None:
    assert request_id(headers) == found


@pytest.mark.parametrize("body", [None, 7, [], [[[]]], {"details": {"details": 3}}, {"error": []}])
def test_what_is_no_error_body_has_no_code(body: Any) -> None:
    assert service_error(body) == (None, "")


def test_a_body_that_never_ends_is_read_so_far() -> None:
    deep: dict[str, Any] = {"code": "Inmost", "message": "m"}
    for _ in range(200):
        deep = {"error": {"code": "DeploymentFailed", "message": "outer", "details": [deep]}}
    assert read_fault(deep).code == "DeploymentFailed"


@pytest.mark.parametrize(
    ("refusal", "read"),
    [
        ("ServiceModelDeprecated", "takes no new deployments since 2026-10-14"),
        ("ServiceModelDeprecating", "gpt-4.1-mini 2025-04-14 takes no new deployments"),
        (
            "RequestDisallowedByPolicy",
            "policy assignment 'Models by allow-list' at /subscriptions/",
        ),
        ("ScopeLocked", "/resourceGroups/embedded forbids to write"),
        ("MissingSubscriptionRegistration", "az provider register"),
        ("715-123420", "request id "),
        ("SpecialFeatureOrQuotaIdRequired", "no access to gpt-4.1-mini 2025-04-14"),
        ("SpecialFeatureOrQuotaIdRequired:offer", "offer does not include"),
        ("InsufficientQuota:older", "needed 100, left 90 (units of 1,000 tokens a minute)"),
        ("InsufficientQuota", "gpt-4.1-mini-finetune - DeveloperTier: needed 100, left 90 of 100"),
    ],
)
async def test_every_refusal_of_the_emulator_is_explained(
    embedded: Any, emulator: Any, models: Any, refusal: str, read: str
) -> None:
    emulator.set(faults=[{"match": "PUT", "kind": "refusal", "code": refusal}])
    slot = SlotSpec(slot="developer", sku="DeveloperTier", capacity=100)
    with pytest.raises(PlatformError) as caught:
        await embedded.deploy("cand-1", models.first.model_id, slot, tags={})
    assert read in str(caught.value)
    assert caught.value.code == refusal.partition(":")[0]
    assert caught.value.hint


def test_the_emulator_has_no_refusal_that_is_not_tried_here() -> None:
    tried = test_every_refusal_of_the_emulator_is_explained.pytestmark[0].args[1]
    assert {row[0] for row in tried} == set(REFUSALS)
