"""Measures and judges models: suites, sampling, graders, statistics and the gate. Knows no control plane and no Prefect.

The names of `__all__` are the public API; each is imported when it is first used, so that importing `evals` loads
nothing. docs/notebook.md shows them at work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from evals.version import VERSION

if TYPE_CHECKING:
    from evals.errors import ConfigurationError, GatewrightError
    from evals.gate.policy import GatePolicy, load_policy
    from evals.records import Price, Verdict
    from evals.stored_runs.run import StoredRun, judge, load_run
    from evals.suites.opened import OpenedSuite, open_suite

__version__ = VERSION

__all__ = [
    "ConfigurationError",
    "GatePolicy",
    "GatewrightError",
    "OpenedSuite",
    "Price",
    "StoredRun",
    "Verdict",
    "__version__",
    "judge",
    "load_policy",
    "load_run",
    "open_suite",
]

_HOMES = {
    "ConfigurationError": "evals.errors",
    "GatePolicy": "evals.gate.policy",
    "GatewrightError": "evals.errors",
    "OpenedSuite": "evals.suites.opened",
    "Price": "evals.records",
    "StoredRun": "evals.stored_runs.run",
    "Verdict": "evals.records",
    "judge": "evals.stored_runs.run",
    "load_policy": "evals.gate.policy",
    "load_run": "evals.stored_runs.run",
    "open_suite": "evals.suites.opened",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'evals' has no attribute '{name}'")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
