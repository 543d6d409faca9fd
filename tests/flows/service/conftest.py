"""The service and what stands around it."""

from __future__ import annotations

from support.service import (
    add_target,
    as_process_fixture,
    config,
    event_fixture,
    free_port,
    in_thread_fixture,
    platform,
    prefect,
    registry,
    secrets,
    service,
    settings,
    signed_fixture,
    story,
)

__all__ = [
    "add_target",
    "as_process_fixture",
    "config",
    "event_fixture",
    "free_port",
    "in_thread_fixture",
    "platform",
    "prefect",
    "registry",
    "secrets",
    "service",
    "settings",
    "signed_fixture",
    "story",
]
