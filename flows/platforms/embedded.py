"""The embedded platform: the Azure client pointed at the emulator on this machine. Same code path, other addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evals.addresses import checked, is_loopback, plain_address
from evals.errors import ConfigurationError, Problem
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.credentials import FixedToken
from flows.platforms.azure.data import KEY, SOURCE_KEY
from flows.platforms.azure.options import AzureOptions, read_options
from flows.platforms.base import PlatformKind
from flows.platforms.deadlines import PollingPace

__all__ = ["DEFAULT_URL", "EMBEDDED", "EmbeddedPlatform", "open_embedded", "read_embedded_options"]

DEFAULT_URL = "http://127.0.0.1:8790"

# Well known on purpose: they open nothing but a server on loopback.
_ARM_TOKEN = "embedded-arm-token"  # noqa: S105
_DEFAULTS = {
    "subscription": "00000000-0000-0000-0000-000000000000",
    "resource_group": "embedded",
    "account": "embedded",
}
_PACE = PollingPace(
    request=30.0, poll=0.2, probe=0.2, deploy=120.0, delete=60.0, ready=60.0, first_pause=0.1
)


class EmbeddedPlatform(AzureOpenAIPlatform):
    """Deployments stand within seconds here."""

    expected_replace_s = (1.0, 10.0)


def read_embedded_options(options: Mapping[str, Any]) -> AzureOptions:
    """Read the block `embedded`, which may hold any key of `azure_openai`. Raises ConfigurationError."""
    return read_options({**_DEFAULTS, **options}, where="embedded")


def open_embedded(
    options: Mapping[str, Any], env: Mapping[str, str], *, pace: PollingPace = _PACE
) -> EmbeddedPlatform:
    """Open the platform at GATEWRIGHT_EMBEDDED_URL; `options` may hold any key of the block `azure_openai`.

    Raises ConfigurationError for an address that isn't on loopback: the credentials are publicly known.
    """
    url = plain_address(env.get("GATEWRIGHT_EMBEDDED_URL") or DEFAULT_URL)
    _require_loopback(url)
    account = str(options.get("account") or _DEFAULTS["account"])
    given = {**_DEFAULTS, "endpoint": _data_at(url, account), "arm_endpoint": url, **options}
    credentials = {KEY: f"{account}-api-key", **_explicit(env)}
    source = options.get("source")
    if isinstance(source, Mapping) and source.get("account"):
        given["source"] = {"endpoint": _data_at(url, source["account"]), **source}
        credentials[SOURCE_KEY] = f"{source['account']}-api-key"
    return EmbeddedPlatform(
        read_options(given, where="embedded"),
        credentials,
        pace=pace,
        name="embedded",
        absent="start the embedded platform ('python -m flows.emulator --help' says how), or set GATEWRIGHT_EMBEDDED_URL",
        tokens=FixedToken(env.get("GATEWRIGHT_ARM_TOKEN") or _ARM_TOKEN),
    )


def _data_at(url: str, account: str) -> str:
    """Accounts beside the default one answer under a path of their own."""
    return url if account == _DEFAULTS["account"] else f"{url}/accounts/{account}"


def _explicit(env: Mapping[str, str]) -> dict[str, str]:
    token = env.get("GATEWRIGHT_ARM_SOURCE_TOKEN")
    return {"GATEWRIGHT_ARM_SOURCE_TOKEN": token} if token else {}


def _require_loopback(url: str) -> None:
    if is_loopback(checked(url, where="GATEWRIGHT_EMBEDDED_URL").hostname or ""):
        return
    raise ConfigurationError(
        Problem(
            where="GATEWRIGHT_EMBEDDED_URL",
            message=f"expected an address on loopback; found {url!r}",
            fix="the embedded platform's credentials are publicly known",
        )
    )


EMBEDDED = PlatformKind(open_embedded, read_embedded_options)
