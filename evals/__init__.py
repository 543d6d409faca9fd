"""Measures and judges models: suites, sampling, graders, statistics and the gate. Knows no control plane and no Prefect."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
