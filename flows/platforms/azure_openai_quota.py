"""Quota rows: which row a deployment draws on, and what is left of it.

The rows of fine-tuned deployments are their own, and spelled irregularly ('gpt4.1-mini' has lost its first hyphen), so
that a row is never built from a model's name but looked for among those that are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.platforms.model_names import base_of, base_parts, is_fine_tuned

__all__ = ["FINE_TUNED_COUNT", "QuotaRow", "find_row", "read_rows"]

FINE_TUNED_COUNT = "OpenAI.FineTuned.Deployments"
_TUNED = "-finetune"


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """One row: `used` and `limit` in units of 1,000 tokens a minute (deployments for the count of fine-tuned ones)."""

    name: str
    used: float
    limit: float

    @property
    def left(self) -> float:
        """What can still be taken."""
        return max(0.0, self.limit - self.used)


def read_rows(usages: Iterable[Mapping[str, Any]]) -> dict[str, QuotaRow]:
    """Read the usages of a location, by row name; rows without numbers are left out."""
    rows = (_row(usage) for usage in usages)
    return {row.name: row for row in rows if row is not None}


def find_row(
    rows: Mapping[str, QuotaRow],
    *,
    sku: str,
    model_id: str,
    base_model: str | None,
    usage_names: Iterable[str] = (),
) -> QuotaRow | None:
    """Find the row of a deployment, None when there is none.

    `usage_names` are what the model's own description calls its row for this SKU; for a fine-tune described by its base
    the same name with the suffix is meant.
    """
    tuned = is_fine_tuned(model_id)
    for name in usage_names:
        told = name if not tuned or name.endswith(_TUNED) else name + _TUNED
        if told in rows:
            return rows[told]
    wanted = _plain(base_parts(base_of(model_id) or base_model or model_id)[0])
    for name, row in rows.items():
        kind, _, model = name.removeprefix("OpenAI.").partition(".")
        fits = kind.lower() == sku.lower() and model.endswith(_TUNED) == tuned
        if fits and _plain(model.removesuffix(_TUNED)) == wanted:
            return row
    return None


def _row(usage: Mapping[str, Any]) -> QuotaRow | None:
    named = usage.get("name")
    name = named.get("value") if isinstance(named, Mapping) else None
    used, limit = usage.get("currentValue"), usage.get("limit")
    if not isinstance(name, str) or not isinstance(limit, int | float):
        return None
    return QuotaRow(name, float(used) if isinstance(used, int | float) else 0.0, float(limit))


def _plain(model: str) -> str:
    return re.sub(r"[^a-z0-9]", "", model.lower())
