"""Whether the data plane's address is the account's own, and opens to the credential in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from evals.addresses import plain_address
from flows.platforms.azure.data import KEY
from flows.platforms.azure.options import AzureOptions
from flows.platforms.base import Finding

__all__ = ["address_finding"]

_REGIONAL = tuple(f".api.cognitive.{cloud}" for cloud in ("microsoft.com", "azure.us", "azure.cn"))
"""Addresses that all accounts of a region share begin with the region and end like this."""


def address_finding(
    account: Mapping[str, Any], options: AzureOptions, *, by_key: bool
) -> Finding | None:
    """Report an address that the account does not answer at, None where nothing speaks against the one in use.

    `account` is the control plane's description; `by_key` says that models are asked with a key and not with a token.
    """
    told = account.get("properties") or {}
    address, mine = plain_address(str(told.get("endpoint") or "")), options.data_endpoint
    if _is_regional(address) and not told.get("customSubDomainName"):
        return _without_subdomain(address, options, by_key=by_key)
    every = {address, *map(plain_address, _texts(told.get("endpoints")))}
    if options.endpoint is not None or not address or mine in every:
        return None
    return Finding(
        name="endpoint",
        level="warn",
        message=f"the account's own address is {address}, used is {mine}",
        fix=f"set 'endpoint: {address}' in the target's azure_openai block",
    )


def _without_subdomain(address: str, options: AzureOptions, *, by_key: bool) -> Finding | None:
    """An account without an address of its own: tokens do not open the region's."""
    if by_key and options.endpoint is not None:
        return None
    elsewhere = options.endpoint is not None and not _is_regional(options.data_endpoint)
    command = (
        f"az cognitiveservices account update --name {options.account} --resource-group {options.resource_group}"
        f" --custom-domain {options.account.lower()}"
    )
    return Finding(
        name="endpoint",
        level="warn" if elsewhere else "fail",  # a gateway may do better
        message=f"the account has no custom subdomain: it answers at {address} alone, and to keys only",
        fix=f"give it one ({command}), or set {KEY} and 'endpoint: {address}' in the target's azure_openai block",
    )


def _is_regional(address: str) -> bool:
    return (urlsplit(address).hostname or "").endswith(_REGIONAL)


def _texts(named: object) -> list[str]:
    """The values of a map from names to texts, as far as it is one."""
    return (
        [one for one in named.values() if isinstance(one, str)] if isinstance(named, dict) else []
    )
