"""Publishes to a key of Azure App Configuration, by the service's own SDK.

AZURE_APPCONFIG_CONNECTION_STRING   an access key's connection string; without it DefaultAzureCredential signs in, and
                                    needs the role "App Configuration Data Owner" on the store

A write is conditional on the ETag of what was read before, so that two writers at once never overwrite one another
unseen: the second is told, and its next try reads again.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from evals.addresses import checked
from evals.codec import decode
from evals.errors import ConfigurationError, Problem, PublishError, missing_library
from evals.records import LivePointer, Record, encode

if TYPE_CHECKING:
    from azure.appconfiguration import ConfigurationSetting
    from azure.appconfiguration.aio import AzureAppConfigurationClient

__all__ = ["AzureAppConfigurationOptions", "AzureAppConfigurationPublisher"]

KIND = "azure_app_configuration"
CONNECTION = "AZURE_APPCONFIG_CONNECTION_STRING"
_CONTENT_TYPE = "application/json"
_PATIENCE: dict[str, Any] = {"retry_total": 2, "connection_timeout": 10, "read_timeout": 10}


class AzureAppConfigurationOptions(Record, frozen=True, kw_only=True):
    """`endpoint` is the store's (https://acme.azconfig.io); `key` is by default gatewright/TARGET/live.

    `label` is the label applications read with, None for no label.
    """

    endpoint: str
    key: str | None = None
    label: str | None = None


class AzureAppConfigurationPublisher:
    """One key for one target; its value is the pointer as JSON."""

    reads_back = True

    def __init__(self, target: str, options: AzureAppConfigurationOptions, root: Path) -> None:
        field = f"{KIND}.endpoint"
        if not options.endpoint.startswith("https://"):
            message = f"expected the address of a store, such as https://acme.azconfig.io; found {options.endpoint!r}"
            raise ConfigurationError(Problem(where="publish", field=field, message=message))
        host = checked(options.endpoint, where="publish", field=field).hostname
        missing = missing_library(
            "azure.appconfiguration", "app-configuration", needed_by=KIND, where="publish"
        )
        if missing:
            raise ConfigurationError(missing)
        self.target = target
        self._endpoint, self._label = options.endpoint, options.label
        self._key = options.key or f"gatewright/{target}/live"
        self.name = f"{KIND} {host} {self._key}"

    def problems(self) -> tuple[Problem, ...]:
        """Return one problem when the connection string is none, or another store's."""
        stated = os.environ.get(CONNECTION, "")
        if not stated:
            return ()  # whether DefaultAzureCredential can sign in is known when it does
        found = re.search(r"(?i)(?:^|;)endpoint=([^;]+)", stated)
        if found is None:
            message = "expected 'Endpoint=…;Id=…;Secret=…'; found something else"
        elif _host(found[1]) != _host(self._endpoint) and not _loopback(found[1]):
            message = f"is for {_host(found[1])}, and the target names {_host(self._endpoint)}"
        else:
            return ()
        return (Problem(where=CONNECTION, message=message),)

    async def publish(self, pointer: LivePointer) -> None:
        """Write the key, if it says something else. Raises PublishError, also when somebody wrote it meanwhile."""
        from azure.appconfiguration import ConfigurationSetting
        from azure.core import MatchConditions

        async with self._opened() as client:
            standing = await self._standing(client)
            value = encode(pointer).decode()
            if standing is not None and standing.value == value:
                return
            wanted = ConfigurationSetting(
                key=self._key,
                label=self._label,
                value=value,
                content_type=_CONTENT_TYPE,
                tags={"gatewright": self.target},
            )
            if standing is None:
                await client.add_configuration_setting(wanted)
            else:
                unchanged = MatchConditions.IfNotModified
                await client.set_configuration_setting(wanted, unchanged, etag=standing.etag)

    async def read_back(self) -> LivePointer | None:
        """Read the key, None when there is none. Raises PublishError when it holds no pointer."""
        async with self._opened() as client:
            standing = await self._standing(client)
        if standing is None:
            return None
        try:
            return decode(standing.value or "", LivePointer)
        except msgspec.MsgspecError as error:
            raise PublishError(f"{self.name} holds no live pointer: {error}") from error

    async def withdraw(self) -> None:
        """Delete the key; deleting what is not there is no error."""
        async with self._opened() as client:
            await client.delete_configuration_setting(self._key, self._label)

    async def _standing(self, client: AzureAppConfigurationClient) -> ConfigurationSetting | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return await client.get_configuration_setting(self._key, self._label)
        except ResourceNotFoundError:
            return None

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[AzureAppConfigurationClient]:
        """The client; every failure of it comes out as PublishError, and never shows a credential."""
        from azure.core.exceptions import AzureError, ResourceExistsError, ResourceModifiedError

        try:
            async with AsyncExitStack() as stack:
                yield await self._client(stack)
        except (ResourceExistsError, ResourceModifiedError) as error:
            raise PublishError(f"{self.name} was written by somebody else meanwhile") from error
        except AzureError as error:
            message = str(error.message).splitlines()[0][:200] if error.message else ""
            raise PublishError(f"{self.name} failed: {type(error).__name__} {message}") from error

    async def _client(self, stack: AsyncExitStack) -> AzureAppConfigurationClient:
        from azure.appconfiguration.aio import AzureAppConfigurationClient

        if stated := os.environ.get(CONNECTION):
            try:
                made = AzureAppConfigurationClient.from_connection_string(stated, **_PATIENCE)
            except ValueError:
                raise PublishError(f"{self.name}: {CONNECTION} can't be read") from None
            return await stack.enter_async_context(made)
        from azure.identity.aio import DefaultAzureCredential

        credential = await stack.enter_async_context(DefaultAzureCredential())
        signed_in = AzureAppConfigurationClient(self._endpoint, credential, **_PATIENCE)
        return await stack.enter_async_context(signed_in)


def _host(endpoint: str) -> str:
    return (urlsplit(endpoint).hostname or endpoint).lower()


def _loopback(endpoint: str) -> bool:
    """The service's own emulator stands on loopback and stands in for any store."""
    return _host(endpoint) in ("127.0.0.1", "localhost", "::1")
