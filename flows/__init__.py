"""Moves models: platforms, the registry, publishers and the Prefect flows that join them to `evals`."""

from __future__ import annotations

__all__: list[str] = []
