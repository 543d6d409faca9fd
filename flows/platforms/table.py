"""The table of platforms: from a name in a target file to the platform.

Entries are addresses, so that a command imports only the platform that its target uses. Another distribution registers
a `PlatformKind` of its own by an entry point in the group `gatewright.platforms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from evals.config.plugins import load_plugin, plugin_names
from evals.errors import ConfigurationError, Problem, nearest
from flows.platforms.base import HostingPlatform, PlatformKind

__all__ = ["PLATFORMS", "check_options", "open_platform", "platform_kind"]

PLATFORMS: Mapping[str, str] = {
    "azure_openai": "flows.platforms.azure.azure_openai:AZURE_OPENAI",
    "embedded": "flows.platforms.embedded:EMBEDDED",
    "openai": "flows.platforms.openai:OPENAI",
}


def platform_kind(name: str) -> PlatformKind:
    """Return the entry of a platform, built in or a plug-in's. Raises ConfigurationError with the nearest name."""
    kind: PlatformKind | None
    if name in PLATFORMS:
        kind = resolve_name(PLATFORMS[name])
    else:
        kind = load_plugin(
            "gatewright.platforms",
            name,
            expected="a flows.platforms.base.PlatformKind",
            fits=lambda found: isinstance(found, PlatformKind),
        )
    if kind is None:
        known = (*PLATFORMS, *plugin_names("gatewright.platforms"))
        raise ConfigurationError(
            Problem(
                where="platform",
                message=f"expected the name of a platform; found {name!r}",
                fix=nearest(name, known),
            )
        )
    return kind


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Read a platform's block without opening anything. Raises ConfigurationError naming every key that does not fit."""
    platform_kind(name).check(options)


def open_platform(name: str, options: Mapping[str, Any], env: Mapping[str, str]) -> HostingPlatform:
    """Open a platform: `options` is the target file's block of that name, `env` the environment with credentials.

    Asks nothing of the network; credentials are read when first needed. To be called where it is used (connections
    belong to the running event loop) and closed by `aclose`. Raises ConfigurationError.
    """
    return platform_kind(name).open(options, env)
