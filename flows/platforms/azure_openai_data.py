"""The Azure data plane: the v1 address or the dated one, by key or by Entra token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evals.errors import CredentialError
from evals.records import Endpoint, Slot
from flows.platforms.azure_openai_credentials import DATA_SCOPES, FixedToken, TokenSource
from flows.platforms.azure_openai_options import AzureOptions
from flows.platforms.data_plane import DataPlane, missing_credential

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["AzureAuth", "azure_endpoint", "azure_plane"]

_KEY = "AZURE_OPENAI_API_KEY"
_TOKEN = "AZURE_OPENAI_AD_TOKEN"  # noqa: S105 - the name of a variable


class AzureAuth:
    """Key from AZURE_OPENAI_API_KEY, else token from AZURE_OPENAI_AD_TOKEN, else one of azure-identity."""

    def __init__(self, env: Mapping[str, str], identity: TokenSource) -> None:
        self.key = env.get(_KEY) or None
        given = env.get(_TOKEN)
        self._tokens: TokenSource = FixedToken(given) if given else identity
        self._scopes = list(DATA_SCOPES)

    async def token(self) -> str:
        """Return a bearer token. Raises CredentialError naming what to set."""
        try:
            return await self._tokens.token(self._scopes[0])
        except CredentialError as error:
            fix = f"set it to a key of the account, or sign in: {error.problems[0].fix}"
            raise missing_credential("the data plane of Azure OpenAI", _KEY, fix) from error

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of one request."""
        if self.key:
            return {"api-key": self.key}
        return {"Authorization": f"Bearer {await self.token()}"}

    def other_scope(self) -> bool:
        """Go on with the newer scope after a refusal; False when there is nothing left to try."""
        if self.key or len(self._scopes) < 2:
            return False
        self._scopes.pop(0)
        return True


def azure_plane(options: AzureOptions, auth: AzureAuth, *, absent: str) -> DataPlane:
    """Build the data plane of an account. The client is made when it is first used."""
    make = _dated if options.api == "dated" else _v1
    return DataPlane(
        options.data_endpoint,
        lambda: make(options, auth),
        auth.headers,
        credential=_KEY if auth.key else "Azure credentials",
        absent=absent,
        renew=auth.other_scope,
    )


def azure_endpoint(options: AzureOptions, name: str, model_id: str, slot: Slot) -> Endpoint:
    """Return where a deployment answers: `base_url` ends before `/chat/completions`."""
    base, version = f"{options.data_endpoint}/openai/v1", None
    if options.api == "dated":
        base = f"{options.data_endpoint}/openai/deployments/{name}"
        version = options.api_version
    return Endpoint(base_url=base, model=name, model_id=model_id, slot=slot, api_version=version)


def _v1(options: AzureOptions, auth: AzureAuth) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    # the v1 address takes a key as a bearer token too, which is what the SDK sends
    base = f"{options.data_endpoint}/openai/v1/"
    return AsyncOpenAI(base_url=base, api_key=auth.key or auth.token)


def _dated(options: AzureOptions, auth: AzureAuth) -> AsyncOpenAI:
    from openai import AsyncAzureOpenAI

    provider = None if auth.key else auth.token
    return AsyncAzureOpenAI(
        azure_endpoint=options.data_endpoint,
        api_version=options.api_version,
        api_key=auth.key,
        azure_ad_token_provider=provider,
    )
