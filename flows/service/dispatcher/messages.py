"""What lies in the inbox: a job that ended, or a run that a person has answered."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from evals.codec import convert
from evals.records import Record
from flows.platforms.fine_tuning.webhooks import WebhookEvent

__all__ = [
    "ENDED",
    "SUCCEEDED",
    "Trigger",
    "again_id",
    "answer_id",
    "answer_trigger",
    "described",
    "job_trigger",
    "read_trigger",
]

SUCCEEDED = "fine_tuning.job.succeeded"
ENDED = frozenset({SUCCEEDED, "fine_tuning.job.failed", "fine_tuning.job.cancelled"})

_AGAIN = re.compile(r"#again-\d{8}T\d{4}$")


class Trigger(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One message of the inbox. `subject` is a job's id or a run's; `number` counts the answers to a run."""

    kind: Literal["job", "answer"]
    subject: str
    event: str = ""
    source: str = ""
    number: int = 0
    created_at: int | None = None


def job_trigger(event: WebhookEvent, source: str) -> Trigger:
    """Return what a webhook about a job leaves in the inbox; `source` says which door it came through."""
    return Trigger(
        kind="job",
        subject=event.job_id or "",
        event=event.type,
        source=source,
        created_at=event.created_at,
    )


def answer_trigger(run_id: str, number: int) -> tuple[str, Trigger]:
    """Return id and content of the message that has an answered run go on."""
    return answer_id(run_id, number), Trigger(kind="answer", subject=run_id, number=number)


def answer_id(run_id: str, number: int) -> str:
    """Return the id of the message about a run's answer, counted from 1; it is the flow run's key as well."""
    return f"{run_id}:answer:{number}"


def again_id(message_id: str, now: datetime | None = None) -> str:
    """Return the id under which a repeated delivery is looked at once more: at most one a minute."""
    moment = now or datetime.now(UTC)
    return f"{_AGAIN.sub('', message_id)}#again-{moment:%Y%m%dT%H%M}"


def read_trigger(payload: dict[str, Any]) -> Trigger:
    """Read a message. Raises msgspec.ValidationError."""
    return convert(payload, Trigger)


def described(payload: dict[str, Any]) -> str:
    """Return in a few words what a message is about."""
    try:
        trigger = read_trigger(payload)
    except msgspec.ValidationError:
        return "something that can't be read"
    if trigger.kind == "answer":
        return f"answer {trigger.number} to {trigger.subject}"
    return f"{trigger.event.rpartition('.')[2]}: {trigger.subject}"
