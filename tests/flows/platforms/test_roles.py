"""Whoever lacks an action is told of a role that has it."""

from __future__ import annotations

import pytest
from support.scripted_server import ACCOUNT

from evals.errors import PlatformError
from flows.platforms.azure.errors.explain import explained
from flows.platforms.azure.roles import DELETE, PAUSE, READ, RESUME, WRITE, role_with
from flows.platforms.base import SlotSpec

PRODUCTION = SlotSpec(slot="production", sku="GlobalStandard", capacity=1)
USAGES = "Microsoft.CognitiveServices/locations/usages/read"
PERMISSIONS = f"GET {ACCOUNT}/providers/Microsoft.Authorization/permissions"


@pytest.mark.parametrize(
    ("actions", "role"),
    [
        ((READ, WRITE, DELETE), "Cognitive Services OpenAI Contributor"),
        ((PAUSE,), "Cognitive Services Contributor"),
        ((WRITE, RESUME.upper()), "Cognitive Services Contributor"),
        ((USAGES,), "Cognitive Services Usages Reader"),
        (("Microsoft.Authorization/locks/delete",), None),
    ],
)
def test_a_role_is_named_only_when_it_has_every_action(actions, role) -> None:
    assert role_with(actions) == role


@pytest.mark.parametrize(
    ("action", "role"),
    [
        (WRITE, "OpenAI Contributor"),
        (PAUSE, "'Cognitive Services Contributor'"),
        (USAGES, "Usages"),
    ],
)
def test_a_refused_action_is_explained_by_a_role_that_has_it(action, role) -> None:
    said = (
        f"The client 'x' does not have authorization to perform action '{action}' over scope '/a'"
    )
    body = {"error": {"code": "AuthorizationFailed", "message": said}}
    error = explained("do it", status=403, body=body)
    assert isinstance(error, PlatformError)
    assert role in str(error.hint)
    assert action in str(error.hint)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"error": {"code": "AuthorizationFailed", "message": "You may not."}},
        {"error": {"code": "Forbidden", "message": "no"}},
        {"error": {"code": "PermissionDenied", "message": "no"}},
    ],
)
async def test_a_refused_pause_names_its_action_whatever_the_service_says(
    server, azure, body
) -> None:
    server.on(f"POST {ACCOUNT}/deployments/prod-1/pause", (403, body))
    with pytest.raises(PlatformError) as caught:
        await azure.pause("prod-1")
    assert PAUSE in str(caught.value.hint)
    assert "'Cognitive Services Contributor'" in str(caught.value.hint)
    assert "OpenAI Contributor" not in str(caught.value.hint)


async def test_a_pause_that_a_policy_forbids_is_no_matter_of_roles(server, azure) -> None:
    policy = {"error": {"code": "RequestDisallowedByPolicy", "message": "no"}}
    server.on(f"POST {ACCOUNT}/deployments/prod-1/pause", (403, policy))
    with pytest.raises(PlatformError) as caught:
        await azure.pause("prod-1")
    assert PAUSE not in str(caught.value.hint)


@pytest.mark.parametrize(
    ("granted", "level", "missing"),
    [
        (["Microsoft.CognitiveServices/*"], "ok", None),
        (["microsoft.cognitiveservices/*/READ", WRITE, DELETE], "warn", PAUSE),
        ([READ, WRITE, DELETE, PAUSE], "warn", RESUME),
    ],
)
async def test_pausing_is_looked_for_among_the_rights(
    server, azure, granted, level, missing
) -> None:
    server.on(PERMISSIONS, (200, {"value": [{"actions": granted, "notActions": []}]}))
    found = await azure.pausing(PRODUCTION)
    assert found.level == level
    if missing:
        assert missing in found.message
        assert "docs/azure.md" in found.fix


async def test_what_can_not_be_told_of_pausing_is_not_guessed(server, azure) -> None:
    assert await azure.pausing(PRODUCTION) is None
    ptu = SlotSpec(slot="production", sku="ProvisionedManaged", capacity=50)
    assert "does not pause ProvisionedManaged" in (await azure.pausing(ptu)).message


async def test_a_control_plane_that_cannot_pause_sends_nobody_to_another_api_version(
    server, azure
) -> None:
    unknown = {"error": {"code": "InvalidResourceType", "message": "for api version"}}
    server.on(f"POST {ACCOUNT}/deployments/prod-1/pause", (404, unknown))
    with pytest.raises(PlatformError, match=r"promotion\.keep: warm") as caught:
        await azure.pause("prod-1")
    assert "arm_api_version" not in str(caught.value)
