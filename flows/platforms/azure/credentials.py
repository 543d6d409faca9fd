"""Entra tokens: from azure-identity, from an explicit value, or none; renewed before they run out.

A token lives 60 to 90 minutes and a promotion may take longer, so that every request asks here instead of keeping one.
azure-identity is imported when a token is first wanted: it is slow to load, and the embedded platform never needs it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from evals.errors import CredentialError, Problem

__all__ = [
    "ARM_SCOPE",
    "DATA_SCOPES",
    "FixedToken",
    "IdentityTokens",
    "TokenSource",
    "arm_tokens",
    "source_tokens",
]

ARM_SCOPE = "https://management.azure.com/.default"
DATA_SCOPES = ("https://cognitiveservices.azure.com/.default", "https://ai.azure.com/.default")
"""Scopes of the data plane: the older one is taken by every resource, the newer is tried when it is refused."""

_RENEW_BEFORE_S = 300.0
_FIX = (
    "run 'az login', or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or run where a managed"
    " identity is assigned"
)


class TokenSource(Protocol):
    """Gives a bearer token for a scope. `fresh` asks for another than the one given before."""

    async def token(self, scope: str, *, fresh: bool = False) -> str: ...

    async def aclose(self) -> None: ...


class FixedToken:
    """A token given from outside; it cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        """Return the token, whatever the scope."""
        return self._token

    async def aclose(self) -> None:
        """Nothing to close."""


class IdentityTokens:
    """Tokens of an azure-identity credential: DefaultAzureCredential unless another one is handed in."""

    def __init__(self, *, tenant: str | None = None, credential: Any = None) -> None:
        self._tenant = tenant
        self._credential = credential
        self._kept: dict[str, tuple[str, float]] = {}

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        """Return a token that lives five minutes at least. Raises CredentialError when none is to be had."""
        kept = self._kept.get(scope)
        if kept is None or fresh or kept[1] - time.time() < _RENEW_BEFORE_S:
            kept = await self._ask(scope)
            self._kept[scope] = kept
        return kept[0]

    async def aclose(self) -> None:
        """Close the credential's own connections; may be called again."""
        credential, self._credential = self._credential, None
        if credential is not None:
            await credential.close()

    async def _ask(self, scope: str) -> tuple[str, float]:
        from azure.core.exceptions import ClientAuthenticationError

        if self._credential is None:
            self._credential = self._default()
        named = {"tenant_id": self._tenant} if self._tenant else {}
        try:
            answer = await self._credential.get_token(scope, **named)
        except (ClientAuthenticationError, ValueError) as error:
            raise _no_token(scope, self._tenant, error) from error
        return answer.token, float(answer.expires_on)

    def _default(self) -> Any:
        from azure.identity.aio import DefaultAzureCredential

        allowed = [self._tenant] if self._tenant else []
        return DefaultAzureCredential(additionally_allowed_tenants=allowed)


def arm_tokens(env: Mapping[str, str], tenant: str | None) -> TokenSource:
    """Return the source of control-plane tokens: GATEWRIGHT_ARM_TOKEN when set, else azure-identity."""
    given = env.get("GATEWRIGHT_ARM_TOKEN")
    return FixedToken(given) if given else IdentityTokens(tenant=tenant)


def source_tokens(env: Mapping[str, str], tenant: str) -> TokenSource:
    """Return the source of tokens for the tenant that owns the model, when that is another than the target's.

    GATEWRIGHT_ARM_SOURCE_TOKEN when set; a service principal in AZURE_SOURCE_CLIENT_ID and AZURE_SOURCE_CLIENT_SECRET
    when both are set; else the usual credential, asked for a token of that tenant.
    """
    given = env.get("GATEWRIGHT_ARM_SOURCE_TOKEN")
    if given:
        return FixedToken(given)
    client, secret = env.get("AZURE_SOURCE_CLIENT_ID"), env.get("AZURE_SOURCE_CLIENT_SECRET")
    if not (client and secret):
        return IdentityTokens(tenant=tenant)
    from azure.identity.aio import ClientSecretCredential

    return IdentityTokens(credential=ClientSecretCredential(tenant, client, secret))


def _no_token(scope: str, tenant: str | None, error: Exception) -> CredentialError:
    place = f" in tenant {tenant}" if tenant else ""
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return CredentialError(
        Problem(
            where="Azure credentials",
            message=f"expected a credential that gives a token for {scope}{place}; found none: {first_line}",
            fix=_FIX,
        )
    )
