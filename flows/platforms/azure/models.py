"""What the account's list of models tells of one model: its deployment types, quota rows and last day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from flows.platforms.model_names import base_of, base_parts, same_id

__all__ = ["OPENAI", "find_entry", "format_of", "inference_ends", "offered_skus", "usage_names"]

OPENAI = "OpenAI"
"""The format of OpenAI's own models, fine-tuned ones too."""


def find_entry(
    models: Iterable[Mapping[str, Any]], name: str, version: str | None = None
) -> Mapping[str, Any] | None:
    """Return the entry of a model, None when the region does not list it."""
    fitting = [model for model in models if same_id(str(model.get("name")), name)]
    exact = [model for model in fitting if version is None or model.get("version") == version]
    return next(iter(exact), None)


def format_of(
    models: Iterable[Mapping[str, Any]], model_id: str, base_model: str | None = None
) -> str | None:
    """Return the format that a model or its base is listed with ('Alibaba'), None when neither is listed."""
    listed = list(models)
    base = base_of(model_id) or base_model or model_id
    entry = find_entry(listed, model_id) or find_entry(listed, *base_parts(base))
    return str(entry["format"]) if entry and entry.get("format") else None


def offered_skus(entry: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the deployment types the region offers for it."""
    return tuple(str(sku.get("name")) for sku in (entry or {}).get("skus") or ())


def usage_names(entry: Mapping[str, Any] | None, sku: str) -> tuple[str, ...]:
    """Return what the entry calls the quota row of a deployment type."""
    offered = (entry or {}).get("skus") or ()
    return tuple(
        str(one["usageName"]) for one in offered if one.get("name") == sku and one.get("usageName")
    )


def inference_ends(entry: Mapping[str, Any]) -> date | None:
    """Return the day after which a model does not answer any more, None when none is announced."""
    text = (entry.get("deprecation") or {}).get("inference")
    try:
        return date.fromisoformat(str(text)[:10]) if text else None
    except ValueError:
        return None
