"""What the service reads from its environment, once, when it starts.

GATEWRIGHT_WEBHOOK_SECRETS   secrets that sign webhooks, separated by commas (or OPENAI_WEBHOOK_SECRET)
GATEWRIGHT_SERVE_TOKEN       pages and API ask for it: as bearer token, or as the password of HTTP Basic
GATEWRIGHT_ACTOR_HEADER      header in which a reverse proxy names the signed-in person
GATEWRIGHT_SERVE_ORIGIN      address people use when it differs from the one asked for: https://gate.example.com
PREFECT_API_URL              where promotions are started; PREFECT_API_AUTH_STRING when it asks for user:password
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from evals.errors import ConfigurationError, Problem

__all__ = ["ServiceConfig", "is_loopback", "read_config"]

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ORIGIN = re.compile(r"https?://[^/\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """Where the service listens, whom it believes, and where it starts promotions. Empty text means: not set."""

    host: str = "127.0.0.1"
    port: int = 8710
    webhook_secrets: tuple[str, ...] = ()
    token: str = ""
    actor_header: str = ""
    origin: str = ""
    prefect_url: str = ""
    prefect_auth: str = ""

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the service."""
        return is_loopback(self.host)

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
        origin=environment.get("GATEWRIGHT_SERVE_ORIGIN", "").rstrip("/"),
        prefect_url=environment.get("PREFECT_API_URL", ""),
        prefect_auth=environment.get("PREFECT_API_AUTH_STRING", ""),
    )
    if problems := list(_problems(config)):
        raise ConfigurationError(problems)
    return config


def is_loopback(host: str) -> bool:
    """Return whether a host, by name or by address, is this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


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
