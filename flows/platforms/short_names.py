"""How a model is called when people talk of it."""

from __future__ import annotations

__all__ = ["short_name"]


def short_name(model_id: str) -> str:
    """Return the suffix a person gave a fine-tune ('v2'), or the id itself when it has none."""
    if model_id.startswith("ft:"):
        parts = model_id.split(":")
        return parts[3] if len(parts) > 3 and parts[3] else model_id
    _base, found, tail = model_id.partition(".ft-")
    suffix = tail.partition("-")[2] if found else ""
    return suffix or model_id
