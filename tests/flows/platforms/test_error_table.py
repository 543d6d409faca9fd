"""For each row of the control plane's and the data plane's error tables: what the client does and what a person reads."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted_server import shown

from evals.errors import CredentialError, GatewrightError, PlatformError
from flows.platforms import deadlines
from flows.platforms.azure.errors.explain import explained
from flows.platforms.base import Deployment, SlotSpec

ACCOUNT = "/subscriptions/sub-1/resourceGroups/acme-ai/providers/Microsoft.CognitiveServices/accounts/acme-swc"
AT = f"{ACCOUNT}/deployments/cand-1"
TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8
NONE = (404, {"error": {"code": "ResourceNotFound", "message": "none"}})
SLOT = SlotSpec(slot="developer", sku="DeveloperTier", capacity=100)
ONCE, REPEATED = 1, 4

CONTROL_PLANE = [
    (
        400,
        "InsufficientQuota",
        "This operation require 100 new capacity in quota X, which is bigger than the current available capacity 20.",
        ONCE,
        "needed 100, left 20",
    ),
    (
        400,
        "InsufficientQuota",
        "This operation require 1 new capacity in quota OpenAI.FineTuned.Deployments, available capacity 0.",
        ONCE,
        "gatewright sweep",
    ),
    (400, "InsufficientQuota", "no numbers here", ONCE, "lower the slot's capacity"),
    (
        400,
        "ModelUpgradeNotSupported",
        "Model updates are not supported for finetuned model deployments.",
        ONCE,
        "blue_green",
    ),
    (
        400,
        "CannotChangeDeploymentModel",
        "The model of deployment cannot be changed.",
        ONCE,
        "blue_green",
    ),
    (
        400,
        "DeploymentModelNotSupported",
        "The model 'Format: OpenAI, Name: x' is not supported.",
        ONCE,
        "under 'source'",
    ),
    (
        400,
        "InvalidResourceProperties",
        "The specified SKU 'Standard' is not supported in this region",
        ONCE,
        "choose another SKU",
    ),
    (400, "SpecialFeatureOrQuotaIdRequired", "feature needed", ONCE, "subscription with access"),
    (400, "ServiceModelDeprecating", "deprecating", ONCE, "newer base model"),
    (400, "NoRegisteredProviderFound", "api version", ONCE, "remove 'arm_api_version'"),
    (
        403,
        "AuthorizationFailed",
        "The client 'x' does not have authorization to perform action 'Microsoft.CognitiveServices/accounts/deployments/write' over scope '/subscriptions/sub-1/x' or the scope is invalid.",
        ONCE,
        "the action Microsoft.CognitiveServices/accounts/deployments/write is missing at /subscriptions/sub-1/x",
    ),
    (403, "AuthorizationFailed", "in other words", ONCE, "Cognitive Services OpenAI Contributor"),
    (
        403,
        "LinkedAuthorizationFailed",
        "no permission on the linked scope",
        ONCE,
        "on the source account",
    ),
    (404, "ResourceGroupNotFound", "none", ONCE, "check 'resource_group'"),
    (404, "SubscriptionNotFound", "none", ONCE, "check 'subscription'"),
    (404, "ParentResourceNotFound", "none", ONCE, "check 'account'"),
    (429, "TooManyRequests", "slow down", REPEATED, "try again later"),
    (500, "InternalServerError", "oops", REPEATED, "wrong model format"),
    (418, "Whatever", "never seen before", ONCE, "never seen before"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("status", "code", "said", "tries", "read"), CONTROL_PLANE)
async def test_a_refused_deployment_is_explained(
    server, azure, status: int, code: str, said: str, tries: int, read: str
) -> None:
    server.on(f"GET {AT}", NONE)
    server.on(f"PUT {AT}", (status, {"error": {"code": code, "message": said}}))
    with pytest.raises(PlatformError) as caught:
        await azure.deploy("cand-1", TUNED, SLOT, tags={})
    assert read in str(caught.value)
    assert caught.value.code == code
    assert "deployment cand-1" in str(caught.value)
    assert caught.value.exit_code == (4 if status in {418, 429, 500} else 3)
    assert len(server.asked(f"PUT {AT}")) == tries


@pytest.mark.parametrize(
    ("status", "code", "leaves"),
    [
        (403, "AuthorizationFailed", 3),
        (403, "RequestDisallowedByPolicy", 3),
        (409, "ScopeLocked", 3),
        (409, "MissingSubscriptionRegistration", 3),
        (400, "SpecialFeatureOrQuotaIdRequired", 3),
        (400, "InsufficientQuota", 3),
        (400, "715-123420", 3),
        (403, "NeverHeardOf", 3),
        (409, "NeverHeardOf", 4),
        (409, "RequestConflict", 4),
        (429, "TooManyRequests", 4),
        (503, "ServiceUnavailable", 4),
    ],
)
def test_what_no_repeat_mends_is_not_called_trouble_of_the_platform(status, code, leaves) -> None:
    body = {"error": {"code": code, "message": "no"}}
    told = explained("create deployment x", status=status, body=body)
    assert told.exit_code == leaves
    assert isinstance(told, PlatformError)
    assert told.hinted("do this").exit_code == leaves


async def test_a_fine_tune_that_is_refused_as_its_base_is_has_another_next_step(
    server, azure
) -> None:
    server.on(f"GET {AT}", NONE)
    refusal = {"error": {"code": "ServiceModelDeprecated", "message": "since 10/14/2026"}}
    server.on(f"PUT {AT}", (400, refusal, {"x-ms-request-id": "req-7"}))
    with pytest.raises(PlatformError) as caught:
        await azure.deploy("cand-1", TUNED, SLOT, tags={})
    assert "may be later: ask Azure support with the request id" in str(caught.value)
    assert "under 'lifetimes'" in str(caught.value)
    assert "req-7" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "headers", "read"),
    [
        ("AuthenticationFailed", {}, "az login"),
        ("ExpiredAuthenticationToken", {}, "sign in again"),
        ("InvalidAuthenticationTokenAudience", {}, "for another service"),
        (
            "InvalidAuthenticationTokenTenant",
            {
                "WWW-Authenticate": 'Bearer authorization_uri="https://login.windows.net/tenant-9", error="x"'
            },
            "az login --tenant tenant-9",
        ),
        ("InvalidAuthenticationTokenTenant", {}, "set 'tenant'"),
    ],
)
async def test_a_refused_token_is_a_matter_of_credentials(
    server, azure, code, headers, read
) -> None:
    server.on(f"GET {AT}", (401, {"error": {"code": code, "message": "no"}}, headers))
    with pytest.raises(CredentialError, match="Azure credentials") as caught:
        await azure.get("cand-1")
    assert read in str(caught.value)
    assert caught.value.exit_code == 3
    assert "arm-1" not in str(caught.value)


async def test_the_inner_error_of_a_template_is_the_one_that_is_read(server, azure) -> None:
    inner = {"code": "SpecialFeatureOrQuotaIdRequired", "message": "inside"}
    outer = {"code": "InvalidTemplateDeployment", "message": "outside", "details": [inner]}
    server.on(f"GET {AT}", (400, {"error": outer}))
    with pytest.raises(PlatformError, match="inside"):
        await azure.get("cand-1")


@pytest.mark.parametrize("body", [None, {}, [], {"error": None}, {"error": "text"}, {"error": {}}])
async def test_an_error_without_a_usable_body_is_still_told(server, azure, body: Any) -> None:
    server.on(f"GET {AT}", (400, body))
    with pytest.raises(PlatformError, match="could not read deployment cand-1: HTTP 400"):
        await azure.get("cand-1")


async def test_control_codes_of_the_service_are_not_passed_on(server, azure) -> None:
    server.on(f"GET {AT}", (400, {"error": {"code": "X", "message": "a\x1b[31mb\r\nc"}}))
    with pytest.raises(PlatformError) as caught:
        await azure.get("cand-1")
    assert "\x1b" not in str(caught.value)


CHAT = "POST /openai/v1/chat/completions"
READY = Deployment(name="cand-1", model_id=TUNED, state="ready", slot="developer")
GOOD = (200, {"model": TUNED, "choices": []})


def data(status: int, code: Any, message: str = "said") -> tuple[int, Any]:
    return status, {"error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    "late",
    [
        data(404, "DeploymentNotFound", "The API deployment for this resource does not exist."),
        data(400, "DeploymentNotReady"),
        data(404, "DeploymentNotReady"),
        data(404, "model_not_found"),
        data(429, "429"),
        data(429, "RateLimitReached"),
        data(408, "Timeout"),
        data(500, "InternalServerError"),
        data(503, None),
        (0, None),
    ],
)
async def test_what_passes_on_the_data_plane_is_waited_out(server, azure, late) -> None:
    server.on(f"GET {AT}", (200, shown()))
    server.on(CHAT, late, late, GOOD)
    connection = await azure.wait_ready(READY)
    assert connection.endpoint.model == "cand-1"
    assert len(server.asked(CHAT)) == 3


@pytest.mark.parametrize(
    "answering",
    [
        data(400, "content_filter", "filtered"),
        data(400, "context_length_exceeded"),
        data(400, "unsupported_parameter"),
        data(400, "unsupported_value"),
        data(400, "invalid_prompt"),
    ],
)
async def test_a_model_that_refuses_the_probe_itself_is_there(server, azure, answering) -> None:
    server.on(f"GET {AT}", (200, shown()))
    server.on(CHAT, answering)
    await azure.wait_ready(READY)


@pytest.mark.parametrize(
    ("stays", "read"),
    [
        (data(401, "401", "bad key"), "refuses the credential (the service returned: bad key"),
        (
            data(
                401,
                "PermissionDenied",
                "The principal `p` lacks the required data action"
                " `Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action` to perform `POST"
                " /openai/deployments/{deployment-id}/chat/completions` operation.",
            ),
            "the data action Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action is missing",
        ),
        (
            data(403, "403", "Access denied due to Virtual Network/Firewall rules."),
            "a network rule of the account keeps this machine out",
        ),
        (data(400, "OperationNotSupported", "The chatCompletion operation"), "does not do this"),
        (data(400, "Novel", "never seen"), "learn.microsoft.com/search/?terms=Novel"),
        ((400, b"<html><title>Blocked by Acme</title></html>"), "the answer is a web page"),
        ((403, {"statusCode": 403, "message": "Forbidden by gateway"}), "Forbidden by gateway"),
        (data(403, "AuthenticationTypeDisabled"), "az login"),
        (data(403, "PermissionDenied"), "Cognitive Services OpenAI User"),
        (data(403, "Forbidden"), "network rules"),
        (data(404, "404", "Resource not found"), "api-version"),
        (data(400, "BadRequest", "api-version not allowed"), "api-version not allowed"),
        (data(410, "ModelRetired"), "newer base model"),
        (data(423, "DeploymentPaused"), "resume it"),
        (data(429, "insufficient_quota"), "no credit left"),
    ],
)
async def test_what_stays_on_the_data_plane_is_told_at_once(server, azure, stays, read) -> None:
    server.on(f"GET {AT}", (200, shown()))
    server.on(CHAT, stays)
    with pytest.raises(GatewrightError) as caught:
        await azure.wait_ready(READY)
    assert read in str(caught.value)
    assert "key-1" not in str(caught.value)
    assert len(server.asked(CHAT)) == 1


async def test_never_ready_says_what_was_seen_last(server, azure) -> None:
    from dataclasses import replace

    azure._pace = replace(azure._pace, ready=0.3)
    server.on(f"GET {AT}", (200, shown()))
    server.on(CHAT, data(404, "DeploymentNotFound", "does not exist"))
    with pytest.raises(PlatformError, match=r"did not answer with .* within 0 s: .*does not exist"):
        await azure.wait_ready(READY)


async def test_an_old_model_that_never_goes_is_told_and_not_believed(server, azure) -> None:
    from dataclasses import replace

    azure._pace = replace(azure._pace, ready=0.3)
    other = "gpt-4.1-mini-2025-04-14.ft-" + "ab12" * 8
    server.on(f"GET {AT}", (200, shown()))
    server.on(CHAT, (200, {"model": other, "choices": []}))
    with pytest.raises(PlatformError, match=f"it answers with {other}"):
        await azure.wait_ready(READY)


@pytest.mark.parametrize("told", [None, "gpt-4.1-mini-2025-04-14", "cand-1"])
async def test_an_answer_that_does_not_name_its_model_is_asked_for_three_times(
    server, azure, told
) -> None:
    server.on(f"GET {AT}", (200, shown()))
    server.on(CHAT, (200, {"model": told, "choices": []}))
    await azure.wait_ready(READY)
    assert len(server.asked(CHAT)) == 3


async def test_the_control_plane_has_to_name_the_asked_model_before_any_probe(
    server, azure
) -> None:
    server.on(f"GET {AT}", (200, shown(model="gpt-4.1-mini-2025-04-14.ft-" + "ab12" * 8)))
    with pytest.raises(PlatformError, match=r"expected gpt-4\.1-mini"):
        await azure.wait_ready(READY)
    assert not server.asked(CHAT)


async def test_no_probe_before_the_control_plane_has_succeeded(server, azure) -> None:
    """The data plane may answer 200 from the old model while the control plane still creates."""
    server.on(
        f"GET {AT}", (200, shown(state="Creating")), (200, shown(state="Creating")), (200, shown())
    )
    server.on(CHAT, GOOD)
    await azure.wait_ready(READY)
    kinds = [one.method for one in server.seen]
    assert kinds == ["GET", "GET", "GET", "POST"]


@pytest.mark.parametrize(
    ("status", "body", "headers", "read"),
    [
        (
            400,
            {"error": {"code": "quotaExceeded", "message": "Max jobs", "innererror": {}}},
            {},
            "a limit of the account is reached",
        ),
        (
            409,
            {"error": {"code": "unexpectedEntityState", "message": "running"}},
            {"x-should-retry": "false"},
            "what is running has to end first",
        ),
        (
            422,
            {"error": {"code": "Odd", "message": "m"}},
            {"apim-request-id": "a-7"},
            "request id a-7",
        ),
        (403, {"error": {"code": "AuthenticationTypeDisabled", "message": "m"}}, {}, "az login"),
        (403, b"<html><title>Proxy</title></html>", {}, "HTTPS_PROXY"),
        (
            429,
            {"error": {"code": "429", "message": "for a day"}},
            {"Retry-After": "86400", "x-should-retry": "false"},
            "it asks to wait for 24 h 00 min",
        ),
    ],
)
async def test_a_refusal_of_the_fine_tuning_api_is_explained(
    server, azure, status, body, headers, read
) -> None:
    server.on("GET /openai/v1/fine_tuning/jobs/ftjob-1", (status, body, headers))
    with pytest.raises(GatewrightError) as caught:
        await azure.data.ask(
            "read job ftjob-1", lambda client: client.fine_tuning.jobs.retrieve("ftjob-1")
        )
    assert read in str(caught.value)


async def test_the_sdk_s_own_retries_are_told_of(
    server, azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "TELL_EVERY_S", 0.01)
    busy = (429, {"error": {"code": "429", "message": "m"}}, {"retry-after-ms": "120"})
    told: list[str] = []
    # Busy until it was told: the SDK asks again twice, each time after a wait that is long enough to be told of.
    server.on(
        "GET /openai/v1/fine_tuning/jobs/ftjob-1",
        lambda _seen: (200, {"id": "ftjob-1"}) if any("429" in one for one in told) else busy,
    )
    with deadlines.telling_of_waits(told.append):
        await azure.data.ask(
            "read job ftjob-1", lambda client: client.fine_tuning.jobs.retrieve("ftjob-1")
        )
    assert f"waiting for {server.url} to read job ftjob-1, " in told[-1]
    assert "the service returned HTTP 429 and asked to wait for 120 ms; given up at" in told[-1]
