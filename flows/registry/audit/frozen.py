"""Auditing frozen baselines: is each one what was put on record, with the statement that was made about it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from evals.codec import decode
from evals.records import digest
from flows.registry.audit.rows import rows_of
from flows.registry.database.schema import frozen
from flows.registry.frozen import FROZEN
from flows.registry.records import Event

__all__ = ["frozen_problems"]


def frozen_problems(
    connection: Connection, events: Mapping[int, Event], target: str | None = None
) -> Iterator[str]:
    """Yield one sentence for every frozen baseline that does not match its event, and for every one that was removed."""
    found = connection.execute(rows_of(frozen, target)).mappings()
    rows = {row["seq"]: row for row in found}
    for seq, row in rows.items():
        event, named = events.get(seq), f"frozen baseline {row['frozen_id']} of {row['target']}"
        if event is None or event.kind != FROZEN:
            yield f"{named} has no event: it was put there past the registry"
        elif _told(row) != _said(event):
            yield f"{named} differs from event {seq}: it was altered"
    for seq, event in events.items():
        if event.kind == FROZEN and seq not in rows:
            yield f"a frozen baseline of {event.target} (event {seq}) was removed"


def _said(event: Event) -> list[Any]:
    facts = event.facts()
    said = [facts.get(key) for key in ("frozen_id", "digest", "statement")]
    return [*said, facts.get("digest"), event.target, event.model_id, event.at]


def _told(row: Mapping[Any, Any]) -> list[Any]:
    try:
        of = [digest(decode(row[key])) for key in ("record", "envelope")]
    except msgspec.MsgspecError:
        return []
    told = [row["frozen_id"], *of]
    return [*told, row["digest"], row["target"], row["model_id"], row["at"]]
