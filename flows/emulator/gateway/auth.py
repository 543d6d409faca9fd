"""Authentication and authorization: bearer tokens with audience, tenant, lifetime and roles; API keys.

The emulator is its own token issuer: `POST /_emulator/tokens` gives out opaque tokens. `embedded-arm-token` and
`embedded-data-token` always work as the owner; they open nothing but this loopback server.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from flows.emulator.gateway.accounts import DEFAULT_ACCOUNT, Account, accounts, same_name
from flows.emulator.gateway.errors import ServiceError, arm_error, data_plane_error
from flows.emulator.state.documents import Flavour, MintedToken
from flows.emulator.state.emulator_state import EmulatorState

__all__ = [
    "ARM_AUDIENCE",
    "DATA_AUDIENCES",
    "allowed",
    "arm_caller",
    "auxiliary_callers",
    "check_right",
    "data_account",
    "issue_token",
    "shown_permissions",
]

ARM_AUDIENCE = "https://management.azure.com"
DATA_AUDIENCES = ("https://ai.azure.com", "https://cognitiveservices.azure.com")
PROVIDER = "Microsoft.CognitiveServices"

_READ = {
    "accounts/read",
    "accounts/deployments/read",
    "accounts/models/read",
    "locations/usages/read",
}
_DEPLOY = {"accounts/deployments/write", "accounts/deployments/delete"}
_PAUSE = {"accounts/deployments/pause/action", "accounts/deployments/resume/action"}
_ALL = _READ | _DEPLOY | _PAUSE
_INFER, _TRAIN = {"data/infer"}, {"data/train"}
_DATA_ACTIONS = {
    "data/infer": "accounts/OpenAI/deployments/chat/completions/action",
    "data/train": "accounts/OpenAI/fine-tunes/write",
}
_ROLES: dict[str, set[str]] = {
    "Owner": _ALL | _INFER | _TRAIN,
    "Contributor": _ALL,
    "Reader": _READ,
    "Foundry Owner": _ALL | _INFER | _TRAIN,
    "Azure AI Owner": _ALL | _INFER | _TRAIN,
    "Foundry User": _READ | _INFER | _TRAIN,
    "Cognitive Services Contributor": _ALL,
    "Cognitive Services OpenAI Contributor": (_READ - {"locations/usages/read"})
    | _DEPLOY
    | _INFER
    | _TRAIN,
    "Cognitive Services OpenAI User": {"accounts/read", "accounts/deployments/read"} | _INFER,
    "Cognitive Services Usages Reader": {"locations/usages/read"},
}


def issue_token(
    state: EmulatorState,
    *,
    audience: str = ARM_AUDIENCE,
    tenant: str = DEFAULT_ACCOUNT.tenant,
    expires_in_s: float = 3600.0,
    roles: Mapping[str, str] | None = None,
    name: str = "someone@embedded.example",
) -> MintedToken:
    """Give out a token. `roles` maps a scope prefix or '*' to a role's name."""
    token = MintedToken(
        id=f"emulated-{secrets.token_hex(16)}",
        audience=audience.removesuffix("/.default").rstrip("/"),
        tenant=tenant,
        expires_at=state.clock.now() + expires_in_s,
        roles=dict(roles or {"*": "Owner"}),
        name=name,
    )
    state.store.put(token)
    return token


def arm_caller(state: EmulatorState, headers: Mapping[str, str], tenant: str) -> MintedToken:
    """Authenticate a control-plane request. Raises the 401s of ARM, with WWW-Authenticate naming the right tenant."""
    token = _bearer(headers)
    if token is None:
        raise _arm_401(
            tenant,
            "AuthenticationFailed",
            "The 'Authorization' header is missing or has no bearer token.",
        )
    caller = _known(state, token)
    if caller is None:
        raise _arm_401(tenant, "InvalidAuthenticationToken", "The access token is not valid.")
    if caller.audience != ARM_AUDIENCE:
        raise _arm_401(
            tenant,
            "InvalidAuthenticationTokenAudience",
            f"The token was issued for the audience '{caller.audience}'; '{ARM_AUDIENCE}' is expected.",
        )
    if caller.expires_at <= state.clock.now():
        raise _arm_401(
            tenant, "ExpiredAuthenticationToken", "The access token expired; ask for a new one."
        )
    if not same_name(caller.tenant, tenant):
        raise _arm_401(
            tenant,
            "InvalidAuthenticationTokenTenant",
            f"The access token is from the wrong issuer: tenant '{caller.tenant}', not '{tenant}' of the subscription.",
        )
    return caller


def auxiliary_callers(state: EmulatorState, headers: Mapping[str, str]) -> list[MintedToken]:
    """Return the valid tokens in the `x-ms-authorization-auxiliary` header."""
    parts = headers.get("x-ms-authorization-auxiliary", "").replace(";", ",").split(",")
    tokens = (part.strip().removeprefix("Bearer ").strip() for part in parts if part.strip())
    known = (_known(state, token) for token in tokens)
    now = state.clock.now()
    return [one for one in known if one and one.audience == ARM_AUDIENCE and one.expires_at > now]


def allowed(caller: MintedToken, action: str, scope: str) -> bool:
    """Say whether one of the caller's roles at or above `scope` has the action ('accounts/deployments/write')."""
    wanted = scope.casefold()
    return any(
        action in _ROLES.get(role, set())
        for prefix, role in caller.roles.items()
        if prefix == "*" or wanted.startswith(prefix.casefold())
    )


def shown_permissions(caller: MintedToken, scope: str) -> dict[str, list[str]]:
    """Return a caller's permissions at a scope, as `Microsoft.Authorization/permissions` shows it."""
    rights = [one for one in sorted(_ROLES["Owner"]) if allowed(caller, one, scope)]
    return {
        "actions": [f"{PROVIDER}/{one}" for one in rights if not one.startswith("data/")],
        "notActions": [],
        "dataActions": [
            f"{PROVIDER}/{_DATA_ACTIONS[one]}" for one in rights if one in _DATA_ACTIONS
        ],
        "notDataActions": [],
    }


def check_right(caller: MintedToken, action: str, scope: str) -> None:
    """Raise 403 AuthorizationFailed unless the caller has the right."""
    if not allowed(caller, action, scope):
        raise arm_error(
            403,
            "AuthorizationFailed",
            f"The client '{caller.name}' does not have authorization to perform action '{PROVIDER}/{action}' over scope"
            f" '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        )


def data_account(
    state: EmulatorState,
    headers: Mapping[str, str],
    named: Account | None,
    flavour: Flavour,
    right: str,
) -> Account:
    """Return the account that a data-plane request is for, after checking its key or token.

    `named` is the account of the host or path prefix; without one a key tells the account. Raises 401 or 403.
    """
    key = headers.get("api-key") if flavour == "azure" else None
    bearer = _bearer(headers)
    account = _by_key(state, key or bearer or "", named)
    if account is not None:
        if flavour == "azure" and not state.switches.key_auth:
            raise data_plane_error(
                403,
                "AuthenticationTypeDisabled",
                "Key based authentication is disabled for this resource.",
                flavour=flavour,
            )
        return account
    account = named or Account(DEFAULT_ACCOUNT)
    _check_data_token(state, bearer, account, flavour, right)
    return account


def _check_data_token(
    state: EmulatorState, bearer: str | None, account: Account, flavour: Flavour, right: str
) -> None:
    caller = _known(state, bearer) if bearer and flavour == "azure" else None
    if caller is None or not _fits_data_plane(state, caller):
        raise _data_401(flavour)
    if not allowed(caller, right, account.resource_id):
        raise data_plane_error(
            403,
            "PermissionDenied",
            f"The principal '{caller.name}' lacks the data action for this operation on '{account.spec.name}'.",
            flavour=flavour,
        )


def _fits_data_plane(state: EmulatorState, caller: MintedToken) -> bool:
    return caller.audience in DATA_AUDIENCES and caller.expires_at > state.clock.now()


def _by_key(state: EmulatorState, key: str, named: Account | None) -> Account | None:
    for account in accounts(state.switches):
        if key == account.api_key and (named is None or named.key == account.key):
            return account
    return None


def _bearer(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _known(state: EmulatorState, token: str) -> MintedToken | None:
    for name, audience in (("arm", ARM_AUDIENCE), ("data", DATA_AUDIENCES[0])):
        if token == f"embedded-{name}-token":
            return MintedToken(
                id=token,
                audience=audience,
                tenant=DEFAULT_ACCOUNT.tenant,
                expires_at=float("inf"),
                roles={"*": "Owner"},
                name="owner@embedded.example",
            )
    return state.store.get(MintedToken, token)


def _arm_401(tenant: str, code: str, message: str) -> ServiceError:
    challenge = (
        f'Bearer authorization_uri="https://login.microsoftonline.com/{tenant}", error="invalid_token",'
        f' error_description="{message}"'
    )
    return arm_error(401, code, message, headers={"WWW-Authenticate": challenge})


def _data_401(flavour: Flavour) -> ServiceError:
    if flavour == "openai":
        return data_plane_error(
            401, "invalid_api_key", "Incorrect API key provided.", flavour=flavour
        )
    return data_plane_error(
        401,
        "401",
        "Access denied due to invalid subscription key, expired token or wrong audience. Make sure to provide a valid"
        " key for an active subscription.",
        flavour=flavour,
        headers={"WWW-Authenticate": "Bearer"},
    )
