"""The installation with servers of its own."""

from __future__ import annotations

from support.installation import installation

__all__ = ["installation"]
