"""Refusals that need an organisation, a subscription or an accident to be met, in the shapes of their public records.

The fault kind `refusal` answers with one of them by `code`; what is asked for is woven in. Ids are invented.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from evals.codec import decode

__all__ = ["REFUSALS", "refused"]

_MODEL = "Format:OpenAI,Name:gpt-4.1-mini,Version:2025-04-14"
_POLICIES = "providers/Microsoft.Authorization/policyAssignments"


class _Sku(msgspec.Struct):
    name: str = "GlobalStandard"
    capacity: int = 1


class _Model(msgspec.Struct):
    name: str = "gpt-4.1-mini"


class _Properties(msgspec.Struct):
    model: _Model = msgspec.field(default_factory=_Model)


class _Put(msgspec.Struct):
    sku: _Sku = msgspec.field(default_factory=_Sku)
    properties: _Properties = msgspec.field(default_factory=_Properties)


class _Asked(NamedTuple):
    """What a request is about: the path, its resource group's or subscription's, and the last name in it; what it deploys."""

    path: str
    group: str
    name: str
    verb: str
    model: str
    sku: str
    capacity: int

    @property
    def left(self) -> int:
        """Nine tenths of the capacity that is asked for, as of a quota of which one tenth is used."""
        return self.capacity - max(1, self.capacity // 10)


class _Refusal(NamedTuple):
    status: int
    message: Callable[[_Asked], str]
    code: str = ""
    info: Callable[[_Asked], list[dict[str, Any]]] | None = None


def _row(asked: _Asked) -> str:
    return f"One Thousand Tokens Per Minute - {asked.model} - {asked.sku}"


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
            f"The specified capacity '{asked.capacity}' of account deployment is bigger than available capacity"
            f" '{asked.left}' for UsageName 'Tokens Per Minute (thousands) - {asked.model}'."
        ),
        code="InsufficientQuota",
    ),
    "InsufficientQuota": _Refusal(
        400,
        lambda asked: (
            f"This operation require {asked.capacity:,} new capacity in quota {_row(asked)}, which is bigger than the"
            f" current available capacity {asked.left:,}. The current quota usage is {asked.capacity - asked.left:,} and"
            f" the quota limit is {asked.capacity:,} for quota {_row(asked)}."
        ),
    ),
}
"""By the `code` of a fault; a part behind a colon tells two sentences of one code apart."""

_VERBS = {"DELETE": "delete", "GET": "read"}
_GROUP = re.compile(r"^/subscriptions/[^/]+(?:/resourceGroups/[^/]+)?", re.IGNORECASE)


def refused(name: str, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
    """Return status and body of a refusal of a request. Raises KeyError for a name that is not in the table."""
    found = REFUSALS[name]
    group = _GROUP.match(path)
    asked = _Asked(
        path=path,
        group=group[0] if group else path,
        name=path.rstrip("/").rsplit("/", 1)[-1],
        verb=_VERBS.get(method, "write"),
        **_deployed(body),
    )
    error: dict[str, Any] = {"code": found.code or name, "message": found.message(asked)}
    if found.info is not None:
        error |= {"target": asked.name, "additionalInfo": found.info(asked)}
    return found.status, {"error": error}


def _deployed(body: bytes) -> dict[str, Any]:
    """The base model without its date, the deployment type and the capacity that a PUT asks for."""
    try:
        sent = decode(body, _Put)
    except msgspec.DecodeError:
        sent = _Put()
    name = sent.properties.model.name
    model = re.sub(r"-\d{4}-\d{2}-\d{2}$", "", name.partition(".ft-")[0])
    tuned = "-finetune" if ".ft-" in name else ""
    return {"model": model + tuned, "sku": sent.sku.name, "capacity": max(1, sent.sku.capacity)}
