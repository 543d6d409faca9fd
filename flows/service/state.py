"""What the parts of a running service share; made when it starts, handed to requests by the application."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from flows.registry.store import Registry
from flows.service.change_feed import ChangeFeed
from flows.service.config import ServiceConfig
from flows.service.dispatcher.dispatch import Dispatcher
from flows.settings import Settings

__all__ = ["ServiceState", "state_of_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """One running service. `form_key` signs the forms of its pages and is forgotten when it stops."""

    settings: Settings
    config: ServiceConfig
    registry: Registry
    dispatcher: Dispatcher
    changes: ChangeFeed
    form_key: bytes


def state_of_request(request: Request) -> ServiceState:
    """Return the service a request came to."""
    parts: ServiceState = request.app.state.parts
    return parts
