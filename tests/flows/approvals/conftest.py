"""A registry in which runs were judged."""

from __future__ import annotations

from support.service import registry, settings, story

__all__ = ["registry", "settings", "story"]
