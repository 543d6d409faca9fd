"""From a platform's name in a target file to the platform: a table, and one function that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evals.errors import ConfigurationError, Problem, nearest
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.options import read_options
from flows.platforms.data_plane import HostingPlatform
from flows.platforms.embedded import open_embedded, read_embedded_options
from flows.platforms.openai import OpenAIPlatform, read_openai_options

__all__ = ["PLATFORMS", "check_options", "open_platform"]

Factory = Callable[[Mapping[str, Any], Mapping[str, str]], HostingPlatform]


def _azure(options: Mapping[str, Any], env: Mapping[str, str]) -> HostingPlatform:
    return AzureOpenAIPlatform(read_options(options), env)


def _openai(options: Mapping[str, Any], env: Mapping[str, str]) -> HostingPlatform:
    return OpenAIPlatform(read_openai_options(options), env)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "azure_openai": read_options,
    "embedded": read_embedded_options,
    "openai": read_openai_options,
}

PLATFORMS: Mapping[str, Factory] = {
    "azure_openai": _azure,
    "embedded": open_embedded,
    "openai": _openai,
}


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Read a platform's block without opening anything. Raises ConfigurationError naming every key that does not fit."""
    _READERS[name](options)


def open_platform(name: str, options: Mapping[str, Any], env: Mapping[str, str]) -> HostingPlatform:
    """Open a platform: `options` is the target file's block of that name, `env` the environment with credentials.

    Asks nothing of the network; credentials are read when first needed. To be called where it is used (connections
    belong to the running event loop) and closed by `aclose`. Raises ConfigurationError.
    """
    factory = PLATFORMS.get(name)
    if factory is None:
        raise ConfigurationError(
            Problem(
                where="platform",
                message=f"expected the name of a platform; found {name!r}",
                fix=nearest(name, tuple(PLATFORMS)),
            )
        )
    return factory(options, env)
