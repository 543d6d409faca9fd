"""Addresses of the control plane: paths of ours, and links that the service names, which are sent back byte for byte.

A link holds signatures and tokens whose spelling counts; parsing and writing it anew would change some of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode, urlsplit

from evals.addresses import origin
from evals.errors import PlatformError

__all__ = ["Address", "is_below"]

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)
_VERSION = re.compile(r"(?:^|&)api-version=", re.IGNORECASE)
_PLAIN = re.compile(r"[!-~]+")


class Address(NamedTuple):
    """Where a request goes: `url` as a client reads it, `target` as it stands in the request's first line."""

    url: str
    target: str

    @classmethod
    def of(cls, base: str, link: str, params: Mapping[str, str], api_version: str) -> Self:
        """Complete a path below `base`, or an address of its origin; the api-version is added where none is named.

        Raises PlatformError for an address of another host.
        """
        if not is_below(base, link):
            raise PlatformError(
                f"the control plane names an address of another host, {_host(link)}",
                hint="the token is sent to 'arm_endpoint' alone: check it, and whether a proxy in between rewrites answers",
            )
        address = (base + link if link.startswith("/") else link).partition("#")[0]
        added = dict(params)
        if not any(_VERSION.search(one) for one in (address.partition("?")[2], urlencode(added))):
            added["api-version"] = api_version
        if added:
            joint = "&" if "?" in address else "?"
            address += ("" if address[-1:] in "?&" else joint) + urlencode(added)
        rest = _ORIGIN.sub("", address, count=1)
        return cls(address, rest if rest.startswith("/") else f"/{rest}")

    @property
    def path(self) -> str:
        """Without the query, which may hold what is secret."""
        return self.target.partition("?")[0]

    @property
    def verbatim(self) -> dict[str, Any]:
        """What keeps httpx from writing the address anew; what no first line can hold is left to it."""
        return {"target": self.target.encode()} if _PLAIN.fullmatch(self.target) else {}


def is_below(base: str, link: str) -> bool:
    """Say whether a link leads to the host of `base`: a path, or an address of its origin."""
    if link.startswith("/"):
        return not link.startswith("//")
    try:
        return origin(link) == origin(base)
    except ValueError:  # no address at all
        return False


def _host(link: str) -> str:
    try:
        return urlsplit(link).netloc or repr(link)
    except ValueError:
        return repr(link)
