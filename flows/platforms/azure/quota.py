"""Quota rows: which row a deployment draws on, and what is left of it.

The rows of fine-tuned deployments are their own, and spelled irregularly ('gpt4.1-mini' has lost its first hyphen), so
that a row is never built from a model's name but looked for among those that are there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evals.records import Slot
from flows.platforms.base import Finding
from flows.platforms.model_names import base_of, base_parts, is_fine_tuned

__all__ = [
    "FINE_TUNED_COUNT",
    "QuotaRow",
    "WantedDeployment",
    "find_row",
    "quota_findings",
    "read_rows",
]

FINE_TUNED_COUNT = "OpenAI.FineTuned.Deployments"
_TUNED = "-finetune"


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """One row: `used` and `limit` in units of 1,000 tokens a minute (deployments for the count of fine-tuned ones).

    A limit below zero is none: the service sends -1 where there is no limit, or where it does not tell it.
    """

    name: str
    used: float
    limit: float

    @property
    def left(self) -> float:
        """What can still be taken."""
        return max(0.0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class WantedDeployment:
    """A deployment that is to be created; `usage_names` are what the model's description calls its row."""

    slot: Slot
    sku: str
    capacity: int
    usage_names: tuple[str, ...] = ()


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
        row_name = name if not tuned or name.endswith(_TUNED) else name + _TUNED
        if row_name in rows:
            return rows[row_name]
    wanted = _plain(base_parts(base_of(model_id) or base_model or model_id)[0])
    for name, row in rows.items():
        _vendor, _, rest = name.partition(".")
        kind, _, model = rest.partition(".")
        fits = kind.lower() == sku.lower() and model.endswith(_TUNED) == tuned
        if fits and _plain(model.removesuffix(_TUNED)) == wanted:
            return row
    return None


def quota_findings(
    rows: Mapping[str, QuotaRow],
    wanted: Iterable[WantedDeployment],
    *,
    model_id: str,
    base_model: str | None,
) -> list[Finding]:
    """Report whether everything wanted fits together: capacity by row, and the count of fine-tuned deployments."""
    found: list[Finding] = []
    needed: dict[str, float] = {}
    slots = list(wanted)
    for one in slots:
        row = find_row(
            rows,
            sku=one.sku,
            model_id=model_id,
            base_model=base_model,
            usage_names=one.usage_names,
        )
        name = f"quota {one.slot}"
        if row is None:
            message = f"no quota row for {one.sku} was found"
            found.append(Finding(name=name, level="warn", message=message))
            continue
        needed[row.name] = needed.get(row.name, 0.0) + one.capacity
        found.append(_enough(name, row, needed[row.name], "lower the slot's capacity"))
    count = rows.get(FINE_TUNED_COUNT)
    if count is not None and is_fine_tuned(model_id) and slots:
        found.append(_enough("deployments", count, float(len(slots)), "run 'gatewright sweep'"))
    return found


def _enough(name: str, row: QuotaRow, needed: float, fix: str) -> Finding:
    if row.limit < 0:
        message = f"{row.name}: needed {needed:g}, and no limit is told ({row.limit:g})"
        return Finding(name=name, level="warn", message=message)
    numbers = f"{row.name}: needed {needed:g}, left {row.left:g} of {row.limit:g}"
    if row.left >= needed:
        return Finding(name=name, level="ok", message=numbers)
    more = f"{fix}, or ask for more in the portal under 'Quota'"
    return Finding(name=name, level="fail", message=numbers, fix=more)


def _row(usage: Mapping[str, Any]) -> QuotaRow | None:
    named = usage.get("name")
    name = named.get("value") if isinstance(named, Mapping) else None
    used, limit = _number(usage.get("currentValue")), _number(usage.get("limit"))
    if not isinstance(name, str) or limit is None:
        return None
    return QuotaRow(name, used or 0.0, limit)


def _number(told: object) -> float | None:
    """A number, also one that is written as text."""
    if not isinstance(told, int | float | str) or isinstance(told, bool):
        return None
    try:
        number = float(told)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _plain(model: str) -> str:
    return re.sub(r"[^a-z0-9]", "", model.lower())
