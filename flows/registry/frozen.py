"""Frozen baselines: live models whose answers were kept, whole and signed, for the day on which they answer no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from evals.errors import RegistryError
from evals.records import LivePointer, Record, SuiteResult, decode, digest
from flows.platforms.model_names import same_id
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events, frozen
from flows.registry.eligibility import refuse_blank
from flows.registry.records import as_text

__all__ = [
    "FROZEN",
    "MARK",
    "FrozenBaseline",
    "FrozenFile",
    "FrozenOnRecord",
    "all_of_model",
    "by_id",
    "of_model",
    "of_target",
    "put",
    "set_aside",
    "standing_for",
]

FROZEN = "frozen"
"""The kind of the event that puts a frozen baseline on record."""
MARK = "frozen:"
"""What stands before the id of a frozen baseline in the trigger of a run, and on the command line."""
_ASIDE, _TAKEN_BACK = "frozen_set_aside", "frozen_restored"


class FrozenFile(Record, frozen=True, kw_only=True):
    """A file of a frozen baseline: its path below the folder of the answers, its size in bytes and its SHA-256."""

    name: str
    size: int
    digest: str


class FrozenBaseline(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One model's answers to all suites of its target, each case `repeats` times, kept for good.

    `frozen_id` is the beginning of `kept`, the digest of its kept answers, and `files` are all that belongs to them.
    `question` is the digest of what was asked and how: the same one is frozen once. `scored_by` maps a suite to the name
    of the book its scores stand in. `results` are the summaries of its answers, latency and tokens among them. `prompts`
    names the set of prompts without expected answers that was asked besides, `lost` is how many answers never came.
    `generation` is that of the live pointer, in the registry that `frozen_at` (UTC, ISO 8601) was written in.
    `unverified` says why it could not be seen that this model answered, "" where it was seen. `unscored` is how many
    answers have no score yet, since their judge could not be asked: a run that takes them has them scored.
    """

    frozen_id: str
    target: str
    model_id: str
    base_model: str | None
    platform: str
    deployment: str | None
    generation: int
    frozen_at: str
    frozen_by: str
    repeats: int
    question: str
    kept: str
    files: tuple[FrozenFile, ...]
    scored_by: dict[str, str]
    results: tuple[SuiteResult, ...]
    prompts: str = ""
    prompt_count: int = 0
    answers: int = 0
    lost: int = 0
    written_by: str = ""
    unverified: str = ""
    unscored: int = 0

    @property
    def mark(self) -> str:
        """How a run's trigger and the command line name it."""
        return f"{MARK}{self.frozen_id}"


class FrozenOnRecord(Record, frozen=True, kw_only=True):
    """A frozen baseline with the statement about it (a DSSE envelope), and when this registry recorded it.

    `set_aside` says who set it aside and why, "" where nobody did: then it is kept, and never chosen.
    """

    baseline: FrozenBaseline
    envelope: dict[str, Any]
    at: str
    set_aside: str = ""

    @property
    def signed(self) -> bool:
        """Whether the statement carries a signature."""
        return bool(self.envelope.get("signatures"))


def put(
    writer: Writer,
    baseline: FrozenBaseline,
    envelope: dict[str, Any],
    *,
    actor: str,
    imported_from: str = "",
) -> bool:
    """Put a frozen baseline on record; False when the same one is there. Raises RegistryError when another has its id."""
    new = digest(baseline)
    query = select(frozen.c.digest).where(frozen.c.frozen_id == baseline.frozen_id)
    known = writer.connection.execute(query).scalar()
    if known == new:
        return False
    if known is not None:
        raise RegistryError(
            f"the frozen baseline {baseline.frozen_id} is on record already and says something else"
        )
    event = writer.append(
        FROZEN,
        actor=actor,
        target=baseline.target,
        model_id=baseline.model_id,
        evidence_digest=baseline.kept,
        reason=_reason(baseline, imported_from),
        data={
            "frozen_id": baseline.frozen_id,
            "digest": new,
            "statement": digest(envelope),
            "imported_from": imported_from,
        },
    )
    writer.connection.execute(
        insert(frozen).values(
            frozen_id=baseline.frozen_id,
            target=baseline.target,
            model_id=baseline.model_id,
            digest=new,
            record=as_text(baseline),
            envelope=as_text(envelope),
            at=writer.at,
            seq=event.seq,
        )
    )
    return True


def set_aside(
    writer: Writer, found: FrozenOnRecord, *, actor: str, reason: str, restore: bool = False
) -> None:
    """Have a frozen baseline never chosen from now on, or chosen again; it stays on record. Raises RefusedError without a reason."""
    refuse_blank(actor, reason)
    one = found.baseline
    writer.append(
        _TAKEN_BACK if restore else _ASIDE,
        actor=actor,
        target=one.target,
        model_id=one.model_id,
        evidence_digest=one.kept,
        reason=reason,
        data={"frozen_id": one.frozen_id},
    )


def by_id(frozen: Sequence[FrozenOnRecord], frozen_id: str) -> FrozenOnRecord | None:
    """Return the one of some frozen baselines that has an id, None when none has."""
    return next((one for one in frozen if one.baseline.frozen_id == frozen_id), None)


def all_of_model(frozen: Sequence[FrozenOnRecord], model_id: str) -> tuple[FrozenOnRecord, ...]:
    """Return those of some frozen baselines that are of a model and were not set aside, oldest first."""
    return tuple(
        one for one in frozen if same_id(one.baseline.model_id, model_id) and not one.set_aside
    )


def of_model(frozen: Sequence[FrozenOnRecord], model_id: str) -> FrozenOnRecord | None:
    """Return the newest of them, None when there is none."""
    return next(iter(reversed(all_of_model(frozen, model_id))), None)


def standing_for(
    frozen: Sequence[FrozenOnRecord], live: LivePointer | None
) -> FrozenOnRecord | None:
    """Return the newest that is of what is live, or of any model where nothing is live; None when there is none."""
    if live is not None:
        return of_model(frozen, live.model_id)
    return next((one for one in reversed(frozen) if not one.set_aside), None)


def of_target(connection: Connection, target: str) -> tuple[FrozenOnRecord, ...]:
    """Return what was frozen of a target, oldest first. Raises RegistryError for a row that can't be read."""
    query = select(frozen).where(frozen.c.target == target).order_by(frozen.c.seq)
    aside = _set_aside(connection, target)
    try:
        return tuple(
            FrozenOnRecord(
                baseline=decode(row["record"], FrozenBaseline),
                envelope=decode(row["envelope"], dict),
                at=row["at"],
                set_aside=aside.get(row["frozen_id"], ""),
            )
            for row in connection.execute(query).mappings()
        )
    except msgspec.MsgspecError as error:
        raise RegistryError(
            f"a frozen baseline of {target} on record can't be read ({error}): it was altered, or written by another version"
        ) from error


def _set_aside(connection: Connection, target: str) -> dict[str, str]:
    query = (
        select(events)
        .where(events.c.target == target, events.c.kind.in_((_ASIDE, _TAKEN_BACK)))
        .order_by(events.c.seq)
    )
    found: dict[str, str] = {}
    for row in connection.execute(query):
        said = f"by {row.actor} on {row.at[:10]}: {row.reason}"
        found[str(decode(row.data, dict)["frozen_id"])] = said if row.kind == _ASIDE else ""
    return found


def _reason(baseline: FrozenBaseline, imported_from: str) -> str:
    asked = f"{baseline.answers} answers, {baseline.repeats} a case"
    if imported_from:
        return f"frozen baseline {baseline.frozen_id} imported from {imported_from}: {asked}"
    return f"frozen baseline {baseline.frozen_id}: {asked}"
