"""Asking models: endpoints and cases in, durable responses out.

`sample` (in `evals.sampling.sampler`) asks; `Journal` keeps every answer; `ResponseStore` lends answers to later runs.
The names below are loaded when first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evals.sampling.account import read_account
    from evals.sampling.asks import Ask, Connection, SamplingSettings, interleave
    from evals.sampling.budget import Budget
    from evals.sampling.faults import EndpointGoneError
    from evals.sampling.journal import Journal
    from evals.sampling.progress import ProgressSink, Snapshot
    from evals.sampling.sampler import sample
    from evals.sampling.store import ResponseStore
    from evals.sampling.summary import SamplingSummary

__all__ = [
    "Ask",
    "Budget",
    "Connection",
    "EndpointGoneError",
    "Journal",
    "ProgressSink",
    "ResponseStore",
    "SamplingSettings",
    "SamplingSummary",
    "Snapshot",
    "interleave",
    "read_account",
    "sample",
]

_HOMES = {
    "Ask": "asks",
    "Budget": "budget",
    "Connection": "asks",
    "EndpointGoneError": "faults",
    "Journal": "journal",
    "ProgressSink": "progress",
    "ResponseStore": "store",
    "SamplingSettings": "asks",
    "SamplingSummary": "summary",
    "Snapshot": "progress",
    "interleave": "asks",
    "read_account": "account",
    "sample": "sampler",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
