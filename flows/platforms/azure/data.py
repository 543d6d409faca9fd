"""The Azure data plane: the v1 address or the dated one, by key or by Entra token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evals.addresses import http_options
from evals.errors import CredentialError
from evals.records import Endpoint, Slot
from flows.platforms.azure.credentials import DATA_SCOPES, FixedToken, TokenSource
from flows.platforms.azure.options import AzureOptions
from flows.platforms.data_plane import SDK_CLIENT, DataPlane, missing_credential

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["KEY", "SOURCE_KEY", "AzureAuth", "azure_endpoint", "azure_plane"]

KEY = "AZURE_OPENAI_API_KEY"
SOURCE_KEY = "AZURE_OPENAI_SOURCE_API_KEY"
"""Key of the account that holds the models, when that is another one."""
_TOKEN = "AZURE_OPENAI_AD_TOKEN"  # noqa: S105 - the name of a variable


class AzureAuth:
    """Key from the variable `key_variable`, else token from AZURE_OPENAI_AD_TOKEN, else one of azure-identity."""

    def __init__(
        self, env: Mapping[str, str], identity: TokenSource, *, key_variable: str = KEY
    ) -> None:
        self.key_variable = key_variable
        self.key = env.get(key_variable) or None
        given = env.get(_TOKEN)
        self._tokens: TokenSource = FixedToken(given) if given else identity
        self._scopes = list(DATA_SCOPES)

    async def token(self) -> str:
        """Return a bearer token. Raises CredentialError naming what to set."""
        try:
            return await self._tokens.token(self._scopes[0])
        except CredentialError as error:
            fix = f"set it to a key of the account, or sign in: {error.problems[0].fix}"
            raise missing_credential(
                "the data plane of Azure OpenAI", self.key_variable, fix
            ) from error

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


def azure_plane(
    options: AzureOptions, auth: AzureAuth, *, absent: str, endpoint: str | None = None
) -> DataPlane:
    """Build the data plane of the account, or of the one at `endpoint`. The client is made when it is first used."""
    make = _dated if options.api == "dated" else _v1
    address = endpoint or options.data_endpoint
    return DataPlane(
        address,
        lambda: make(address, options.api_version, auth),
        auth.headers,
        credential=auth.key_variable if auth.key else "Azure credentials",
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


def _v1(address: str, version: str, auth: AzureAuth) -> AsyncOpenAI:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    # the v1 address takes a key as a bearer token too, which is what the SDK sends
    return AsyncOpenAI(
        base_url=f"{address}/openai/v1/",
        api_key=auth.key or auth.token,
        http_client=DefaultAsyncHttpxClient(**SDK_CLIENT, **http_options(address)),
    )


def _dated(address: str, version: str, auth: AzureAuth) -> AsyncOpenAI:
    from openai import AsyncAzureOpenAI, DefaultAsyncHttpxClient

    provider = None if auth.key else auth.token
    return AsyncAzureOpenAI(
        azure_endpoint=address,
        api_version=version,
        api_key=auth.key,
        azure_ad_token_provider=provider,
        http_client=DefaultAsyncHttpxClient(**SDK_CLIENT, **http_options(address)),
    )
