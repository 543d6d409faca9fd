"""The version of Gatewright, for rooms that name it in what they write and refuse; `evals.__version__` for all others."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
