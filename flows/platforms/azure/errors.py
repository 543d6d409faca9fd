"""What Azure's error codes mean and what to do about each: the table, and the error a person reads.

The service's own sentence is kept when it carries numbers or names; the hint is ours. Which codes go away by waiting is
not decided here: see arm.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evals.errors import CredentialError, PlatformError, Problem
from flows.platforms.azure.roles import what_to_assign

__all__ = ["MEANINGS", "explained", "service_error"]

MEANINGS: Mapping[str, tuple[str, str]] = {
    "InsufficientQuota": (
        "the quota does not reach for this deployment",
        "lower the slot's capacity, delete what is not needed, or ask for more in the portal under 'Quota'",
    ),
    "ModelUpgradeNotSupported": (
        "a deployment of a fine-tuned model cannot be given another model",
        "deploy under another name (strategy blue_green), or delete it first (strategy replace)",
    ),
    "CannotChangeDeploymentModel": (
        "this deployment cannot be given another model",
        "deploy under another name (strategy blue_green), or delete it first (strategy replace)",
    ),
    "DeploymentModelNotSupported": (
        "the model cannot be deployed here: unknown, retired, or of another region or account",
        "check the model id; for a model of another account name that account under 'source'",
    ),
    "ServiceModelDeprecating": (
        "new deployments of this model are blocked, except for those who have one",
        "take a newer base model; models fine-tuned on it live on until their own date",
    ),
    "InvalidResourceProperties": (
        "the SKU is not offered for this model in this region",
        "choose another SKU for the slot",
    ),
    "SpecialFeatureOrQuotaIdRequired": (
        "the subscription's offer does not include this",
        "use a subscription with access to Azure OpenAI, or ask Azure support to enable it",
    ),
    "AuthenticationFailed": ("the token was refused", "sign in again, for instance by 'az login'"),
    "ExpiredAuthenticationToken": ("the token has expired", "sign in again, or give a fresh token"),
    "InvalidAuthenticationToken": (
        "the token was refused",
        "sign in again, for instance by 'az login'",
    ),
    "InvalidAuthenticationTokenAudience": (
        "the token is for another service",
        "give a token for https://management.azure.com",
    ),
    "InvalidAuthenticationTokenTenant": (
        "the token belongs to another tenant than the subscription",
        "sign in to the right tenant, or set 'tenant' in the target's azure_openai block",
    ),
    "AuthorizationFailed": (
        "a role is missing",
        "have 'Cognitive Services OpenAI Contributor' assigned at the account",
    ),
    "LinkedAuthorizationFailed": (
        "rights are missing on the source account that holds the model",
        "have 'Cognitive Services OpenAI Contributor' assigned on the source account as well",
    ),
    "ResourceNotFound": ("there is no such resource", "check the account's name"),
    "ResourceGroupNotFound": ("there is no such resource group", "check 'resource_group'"),
    "SubscriptionNotFound": (
        "there is no such subscription for this sign-in",
        "check 'subscription'",
    ),
    "ParentResourceNotFound": ("there is no such account", "check 'account' and 'resource_group'"),
    "RequestConflict": (
        "another operation on the same account was still going when time ran out",
        "try again later",
    ),
    "TooManyRequests": ("the control plane is throttling", "try again later"),
    "InternalServerError": (
        "the service failed",
        "try again later; a wrong model format also shows like this",
    ),
    "NoRegisteredProviderFound": ("the api-version is not known", "remove 'arm_api_version'"),
    "DeploymentNotFound": (
        "the data plane does not know the deployment: missing, expired, or not through yet",
        "deploy it again; a developer slot is removed 24 hours after its creation",
    ),
}
"""Code -> (what it means, what to do). Codes compare case-insensitively."""

_BY_LOWER = {code.lower(): entry for code, entry in MEANINGS.items()}
_TOKEN_CODES = {
    "authenticationfailed",
    "expiredauthenticationtoken",
    "invalidauthenticationtoken",
    "invalidauthenticationtokenaudience",
    "invalidauthenticationtokentenant",
    "401",
}
_ACTION = re.compile(r"perform action '([^']+)'(?: over scope '([^']+)')?")
_NEED = re.compile(r"(?:require[sd]?|needs?)\D{0,60}?(\d+(?:\.\d+)?)", re.IGNORECASE)
_LEFT = re.compile(r"available capacity\D{0,40}?(\d+(?:\.\d+)?)", re.IGNORECASE)
_TENANT = re.compile(r"authorization_uri=\"?https://[^/\"]+/([0-9A-Za-z.-]+)")


def service_error(body: Any) -> tuple[str | None, str]:
    """Return (code, message) of an error body; the inner one when a template's error wraps it."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return None, ""
    details = error.get("details")
    if error.get("code") == "InvalidTemplateDeployment" and isinstance(details, list) and details:
        return service_error({"error": details[0]})
    code = error.get("code")
    return (str(code) if code else None), _printable(str(error.get("message") or ""))


def explained(
    doing: str, *, status: int | None, body: Any, headers: Mapping[str, str] | None = None
) -> PlatformError | CredentialError:
    """Build the error a person reads for a refused request; `doing` says what was tried ("create deployment x")."""
    code, message = service_error(body)
    meaning, fix = _BY_LOWER.get((code or "").lower(), ("", ""))
    fix = _precise(code, message, headers or {}) or fix
    shown = _sentence(doing, status, code, meaning, message)
    if status == 401 or (code or "").lower() in _TOKEN_CODES:
        return CredentialError(Problem(where="Azure credentials", message=shown, fix=fix or None))
    return PlatformError(shown, status=status, code=code, hint=fix or None)


def _sentence(doing: str, status: int | None, code: str | None, meaning: str, message: str) -> str:
    name = code or (f"HTTP {status}" if status else "no answer")
    explanation = f": {meaning}" if meaning else ""
    quoted = f" (the service says: {message})" if message else ""
    return f"could not {doing}: {name}{explanation}{quoted}"


def _precise(code: str | None, message: str, headers: Mapping[str, str]) -> str:
    lower = (code or "").lower()
    if lower == "insufficientquota":
        return _quota_fix(message)
    if lower in {"authorizationfailed", "linkedauthorizationfailed"}:
        return _role_fix(message, source=lower.startswith("linked"))
    if lower == "invalidauthenticationtokentenant":
        return _tenant_fix(headers)
    return ""


def _quota_fix(message: str) -> str:
    need, left = _NEED.search(message), _LEFT.search(message)
    if need is None or left is None:
        return ""
    numbers = f"needed {need.group(1)}, left {left.group(1)}"
    if "FineTuned.Deployments" in message:
        return (
            f"{numbers} fine-tuned deployments: delete one that is not needed ('gatewright sweep')"
        )
    return (
        f"{numbers} (units of 1,000 tokens a minute): lower the slot's capacity to {left.group(1)} or less,"
        " or ask for more in the portal under 'Quota'"
    )


def _role_fix(message: str, *, source: bool) -> str:
    found = _ACTION.search(message)
    if found is None:
        return ""
    scope = found.group(2) or ("the source account" if source else "the account")
    action = found.group(1)
    return f"the action {action} is missing at {scope}: {what_to_assign((action,), 'there')}"


def _tenant_fix(headers: Mapping[str, str]) -> str:
    found = _TENANT.search(headers.get("www-authenticate", ""))
    if found is None:
        return ""
    return (
        f"the subscription belongs to tenant {found.group(1)}: run 'az login --tenant {found.group(1)}', or set"
        " 'tenant' in the target's azure_openai block"
    )


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:600]
