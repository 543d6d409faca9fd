"""What can be asked over HTTP, and through which proxy: for every client that is made here, the one reader of
HTTP_PROXY and its kin.

This machine is always reached without a proxy, and so is every host that NO_PROXY lists; whatever else is asked goes
through the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names. Models are asked through HTTP proxies only, so that
a SOCKS proxy is refused in one sentence by whoever would need it, before anything is deployed.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from evals.errors import ConfigurationError, Problem

__all__ = [
    "checked",
    "http_options",
    "is_loopback",
    "origin",
    "plain_address",
    "prepare_environment",
    "proxy_for",
    "same_address",
]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SET_ASIDE = "GATEWRIGHT_SET_ASIDE_"
_SCHEMES = ("http", "https", "all")
_PORTS = {"http": 80, "https": 443}


def prepare_environment() -> None:
    """Make the libraries that read the environment themselves (Prefect, Azure) do as we do, in child processes too.

    Loopback joins NO_PROXY, and ALL_PROXY stands for what is not named apart. A SOCKS proxy is set aside where
    `proxy_for` alone finds it: without a package that we don't install, its mere name stops Prefect's client.
    """
    named = getproxies()
    if not named.keys() & set(_SCHEMES):
        return
    listed = [name.strip() for name in named.get("no", "").split(",") if name.strip()]
    _write("no", ",".join(dict.fromkeys((*listed, *_LOOPBACK))))
    for scheme in _SCHEMES:
        proxy, of_all = named.get(scheme), named.get("all")
        if proxy and _is_socks(proxy):
            os.environ[_SET_ASIDE + scheme.upper()] = proxy
            _write(scheme, None)
        elif not proxy and of_all and not _is_socks(of_all):
            _write(scheme, of_all)


def checked(
    url: str, *, where: str | None = None, field: str | None = None, secure: bool = False
) -> SplitResult:
    """Return the parts of a web address; a secure one is https, or on loopback, so that a secret may be sent to it.

    Raises ConfigurationError, naming `where` it stands, when it is none.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if known and (not secure or parts.scheme == "https" or is_loopback(parts.hostname or "")):
            return parts
    except ValueError:  # a port that is no number, or none there can be; a bracket left open
        pass
    kind = "an https address (http only on loopback)" if secure else "an http or https address"
    message = f"expected {kind}, such as https://host:8443/path; found {_without_secrets(url)!r}"
    raise ConfigurationError(Problem(where=where or "address", field=field, message=message))


def plain_address(url: str) -> str:
    """Return an address as every way of writing it comes to (RFC 3986, section 6.2.3): scheme and host in lower case, no
    port that the scheme has anyway, no slash at the end. What is no address is returned as it is, without that slash.
    """
    try:
        parts = urlsplit(url.strip())
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        return url.rstrip("/")
    if not host:
        return url.rstrip("/")
    login, at, _ = parts.netloc.rpartition("@")
    name = host.rstrip(".")
    shown = f"[{name}]" if ":" in name else name
    place = shown if port in (None, _PORTS.get(scheme)) else f"{shown}:{port}"
    return parts._replace(netloc=f"{login}{at}{place}", path=parts.path.rstrip("/")).geturl()


def same_address(one: str, other: str) -> bool:
    """Say whether two addresses lead to the same place, however they are written."""
    return plain_address(one) == plain_address(other)


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address, the port that the scheme has where it names none."""
    parts = urlsplit(plain_address(url))
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def proxy_for(url: str) -> str | None:
    """Return the proxy through which `url` is asked, None when it is asked directly.

    Raises ConfigurationError when that is a SOCKS proxy, or `url` no web address.
    """
    parts = checked(url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    named = getproxies()
    for scheme in (parts.scheme, "all"):
        proxy = named.get(scheme) or os.environ.get(_SET_ASIDE + scheme.upper())
        if proxy and _is_socks(proxy):
            raise ConfigurationError(_no_socks(scheme, parts.hostname or ""))
        if proxy:
            proxy = proxy if "://" in proxy else f"http://{proxy}"
            checked(proxy, where=f"{scheme.upper()}_PROXY")
            return proxy
    return None


def http_options(url: str, *, where: str | None = None) -> dict[str, Any]:
    """Return what httpx receives for a client of `url`: its proxy, and the certificates to check where it is not plain http.

    Reading the certificates of all authorities takes hundredths of a second. Raises ConfigurationError as `proxy_for`;
    `where` is what it names.
    """
    import httpx

    secure = checked(url, where=where).scheme == "https"
    return {
        "proxy": proxy_for(url),
        "trust_env": False,  # or httpx would look for proxies on its own
        "verify": httpx.create_ssl_context() if secure else False,
    }


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, by its name or address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _without_secrets(url: str) -> str:
    """Without the login and the query: either is often a secret."""
    return re.sub(r"//[^/]*@", "//", url.partition("?")[0])


def _is_socks(proxy: str) -> bool:
    return proxy.lower().startswith("socks")


def _no_socks(scheme: str, host: str) -> Problem:
    return Problem(
        where=f"{scheme.upper()}_PROXY",
        message=f"names a SOCKS proxy, and {host} is asked through HTTP proxies only",
        fix=f"name an HTTP proxy, or list {host} in NO_PROXY if it is reached directly",
    )


def _write(scheme: str, value: str | None) -> None:
    """Set a variable in both spellings; some libraries read the one, some the other."""
    for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY"):
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
