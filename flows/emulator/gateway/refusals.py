"""Refusals that need an organisation, a subscription or an accident to be met, in the shapes of their public records.

The fault kind `refusal` answers with one of them by `code`; what is asked for is woven in. Ids are invented.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["REFUSALS", "refused"]

_MODEL = "Format:OpenAI,Name:gpt-4.1-mini,Version:2025-04-14"
_PER_MINUTE = "Tokens Per Minute (thousands) - GPT-4.1-Mini"
_THOUSANDS = "One Thousand Tokens Per Minute - gpt-4.1-mini - GlobalStandard"
_POLICIES = "providers/Microsoft.Authorization/policyAssignments"


class _Asked(NamedTuple):
    """What a request is about: the path, its resource group's or subscription's, and the last name in it."""

    path: str
    group: str
    name: str
    verb: str


class _Refusal(NamedTuple):
    status: int
    message: Callable[[_Asked], str]
    code: str = ""
    info: Callable[[_Asked], list[dict[str, Any]]] | None = None


REFUSALS: Mapping[str, _Refusal] = {
    "ServiceModelDeprecated": _Refusal(
        400,
        lambda asked: f"The model '{_MODEL}' has been deprecated since 10/14/2026 00:00:00.",
    ),
    "ServiceModelDeprecating": _Refusal(
        400,
        lambda asked: (
            f"The model '{_MODEL}' is in deprecating state and cannot be used for new deployments."
        ),
    ),
    "RequestDisallowedByPolicy": _Refusal(
        403,
        lambda asked: (
            f"Resource '{asked.name}' was disallowed by policy. Policy identifiers: '[{{\"policyAssignment\":"
            f'{{"name":"Models by allow-list","id":"{asked.group}/{_POLICIES}/models-1"}},"policyDefinition":'
            '{"name":"Deny models","id":"/providers/Microsoft.Authorization/policyDefinitions/deny-models"}}]\'.'
        ),
        info=lambda asked: [
            {
                "type": "PolicyViolation",
                "info": {
                    "policyDefinitionDisplayName": "Deny models",
                    "policyDefinitionEffect": "deny",
                    "policyAssignmentId": f"{asked.group}/{_POLICIES}/models-1",
                    "policyAssignmentName": "models-1",
                    "policyAssignmentDisplayName": "Models by allow-list",
                    "policyAssignmentScope": asked.group,
                },
            }
        ],
    ),
    "ScopeLocked": _Refusal(
        409,
        lambda asked: (
            f"The scope '{asked.path}' cannot perform {asked.verb} operation because following scope(s) are locked:"
            f" '{asked.group}'. Please remove the lock and try again."
        ),
    ),
    "MissingSubscriptionRegistration": _Refusal(
        409,
        lambda asked: (
            "The subscription is not registered to use namespace 'Microsoft.CognitiveServices'. See"
            " https://aka.ms/rps-not-found for how to register subscriptions."
        ),
    ),
    "715-123420": _Refusal(
        400,
        lambda asked: (
            "Our system has detected this request as unusual activity for your account. If you are confident this is in"
            " error, please contact support."
        ),
    ),
    "SpecialFeatureOrQuotaIdRequired": _Refusal(
        400,
        lambda asked: f"The current subscription does not have access to this model '{_MODEL}'.",
    ),
    "SpecialFeatureOrQuotaIdRequired:offer": _Refusal(
        400,
        lambda asked: (
            "The subscription does not have QuotaId/Feature required by SKU 'S0' from kind 'OpenAI' or contains blocked"
            " QuotaId/Feature."
        ),
        code="SpecialFeatureOrQuotaIdRequired",
    ),
    "InsufficientQuota:older": _Refusal(
        400,
        lambda asked: (
            f"The specified capacity '100' of account deployment is bigger than available capacity '20' for UsageName"
            f" '{_PER_MINUTE}'."
        ),
        code="InsufficientQuota",
    ),
    "InsufficientQuota": _Refusal(
        400,
        lambda asked: (
            f"This operation require 1,200 new capacity in quota {_THOUSANDS}, which is bigger than the current available"
            f" capacity 1,080. The current quota usage is 120 and the quota limit is 1,200 for quota {_THOUSANDS}."
        ),
    ),
}
"""By the `code` of a fault; a part behind a colon tells two sentences of one code apart."""

_VERBS = {"DELETE": "delete", "GET": "read"}
_GROUP = re.compile(r"^/subscriptions/[^/]+(?:/resourceGroups/[^/]+)?", re.IGNORECASE)


def refused(name: str, method: str, path: str) -> tuple[int, dict[str, Any]]:
    """Return status and body of a refusal. Raises KeyError for a name that is not in the table."""
    found = REFUSALS[name]
    group = _GROUP.match(path)
    asked = _Asked(
        path=path,
        group=group[0] if group else path,
        name=path.rstrip("/").rsplit("/", 1)[-1],
        verb=_VERBS.get(method, "write"),
    )
    error: dict[str, Any] = {"code": found.code or name, "message": found.message(asked)}
    if found.info is not None:
        error |= {"target": asked.name, "additionalInfo": found.info(asked)}
    return found.status, {"error": error}
