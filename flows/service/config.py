"""What the service reads from its environment, once, when it starts.

GATEWRIGHT_WEBHOOK_SECRETS   secrets that sign webhooks, separated by commas (or OPENAI_WEBHOOK_SECRET)
GATEWRIGHT_SERVE_TOKEN       pages and API ask for it: as bearer token, as the password of HTTP Basic, or once at /sign-in
GATEWRIGHT_ACTOR_HEADER      header in which a reverse proxy names the signed-in person
GATEWRIGHT_TRUSTED_PROXIES   addresses the header is believed from, separated by commas; this machine when not set
GATEWRIGHT_SERVE_ORIGIN      address people use when it differs from the one asked for: https://gate.example.com
PREFECT_API_URL              where promotions are started; PREFECT_API_AUTH_STRING when it asks for user:password
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from evals.addresses import is_loopback, plain_address
from evals.errors import ConfigurationError, Problem

__all__ = ["LOOPBACK", "ServiceConfig", "read_config"]

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ORIGIN = re.compile(r"https?://[^/\s]+")


LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """Where the service listens, whom it believes, and where it starts promotions. Empty text means: not set.

    `token` is asked for before anything is shown; `own_token`, which a service on loopback makes itself, before
    anything is answered. Who holds either, on loopback, is the service's own user.
    """

    host: str = "127.0.0.1"
    port: int = 8710
    webhook_secrets: tuple[str, ...] = ()
    token: str = ""
    own_token: str = ""
    actor_header: str = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    origin: str = ""
    prefect_url: str = ""
    prefect_auth: str = ""

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the service."""
        return is_loopback(self.host)

    @property
    def session_token(self) -> str:
        """The token that people sign in with; empty where a proxy names them."""
        return "" if self.actor_header and not self.token else self.token or self.own_token

    @property
    def needs_own_token(self) -> bool:
        """True when nothing else would tell who answers."""
        return self.loopback and not (self.token or self.actor_header)

    def trusts(self, address: str) -> bool:
        """Return whether a proxy at this address may name people."""
        try:
            peer = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(peer, "ipv4_mapped", None) or peer
        return any(mapped in network for network in self.trusted_proxies)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What will not work, in words for the one who started it."""
        return tuple(_warnings(self))


def read_config(host: str, port: int, environment: Mapping[str, str]) -> ServiceConfig:
    """Return the configuration that arguments and environment ask for.

    Raises:
        ConfigurationError: the address is open to others and nothing says who they are; a value has the wrong form.
    """
    stated = environment.get("GATEWRIGHT_WEBHOOK_SECRETS") or environment.get(
        "OPENAI_WEBHOOK_SECRET", ""
    )
    config = ServiceConfig(
        host=host,
        port=port,
        webhook_secrets=tuple(filter(None, (part.strip() for part in stated.split(",")))),
        token=environment.get("GATEWRIGHT_SERVE_TOKEN", ""),
        actor_header=environment.get("GATEWRIGHT_ACTOR_HEADER", ""),
        trusted_proxies=_networks(environment.get("GATEWRIGHT_TRUSTED_PROXIES", "")) or LOOPBACK,
        origin=plain_address(environment.get("GATEWRIGHT_SERVE_ORIGIN", "")),
        prefect_url=environment.get("PREFECT_API_URL", ""),
        prefect_auth=environment.get("PREFECT_API_AUTH_STRING", ""),
    )
    if problems := list(_problems(config)):
        raise ConfigurationError(problems)
    return config


def _networks(stated: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in stated.split(",") if part.strip())
    except ValueError as error:
        raise ConfigurationError(
            Problem(
                where="GATEWRIGHT_TRUSTED_PROXIES",
                message=f"expected addresses or networks, such as 10.0.0.7 or 10.0.0.0/24: {error}",
            )
        ) from error


def _problems(config: ServiceConfig) -> Iterator[Problem]:
    if not config.loopback and not (config.token or config.actor_header):
        yield Problem(
            where="--host",
            message=f"{config.host} is open to others, and nothing would say who they are",
            fix="set GATEWRIGHT_SERVE_TOKEN, or GATEWRIGHT_ACTOR_HEADER behind a reverse proxy that signs people in",
        )
    if config.actor_header and not _HEADER.fullmatch(config.actor_header):
        yield Problem(
            where="GATEWRIGHT_ACTOR_HEADER",
            message=f"expected the name of a header, such as X-Forwarded-User; found {config.actor_header!r}",
        )
    if config.origin and not _ORIGIN.fullmatch(config.origin):
        yield Problem(
            where="GATEWRIGHT_SERVE_ORIGIN",
            message=f"expected scheme and host, such as https://gate.example.com; found {config.origin!r}",
        )


def _warnings(config: ServiceConfig) -> Iterator[str]:
    if not config.webhook_secrets:
        yield "no GATEWRIGHT_WEBHOOK_SECRETS: webhooks are answered 503 until there is one"
    if not config.prefect_url:
        yield "no PREFECT_API_URL: what arrives is kept, and started once there is one"
    if not config.loopback and not config.actor_header:
        yield "no GATEWRIGHT_ACTOR_HEADER: people can look, and answer only with the command line"
