"""What a fine-tuning service tells of jobs, events and checkpoints, read with every field optional.

Azure starts with the status `pending`, leaves keys out, writes -1 for automatic hyperparameters, and gives `error` as {},
null or an object of nulls. Only succeeded, failed and cancelled are ends; a status not known means still going.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from evals.records import Record

__all__ = [
    "Job",
    "JobCheckpoint",
    "JobEvent",
    "plain",
    "plain_rows",
    "read_checkpoint",
    "read_event",
    "read_job",
]

_ENDS = frozenset({"succeeded", "failed", "cancelled", "canceled"})


class Job(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A fine-tuning job as far as the service told. Times are Unix seconds; `hyperparameters` lack automatic ones."""

    id: str
    status: str
    base_model: str | None = None
    model_id: str | None = None
    training_file: str | None = None
    validation_file: str | None = None
    created_at: int | None = None
    finished_at: int | None = None
    trained_tokens: int | None = None
    suffix: str | None = None
    error: str | None = None
    hyperparameters: dict[str, float] = msgspec.field(default_factory=dict)
    metadata: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """True when the job will not change any more."""
        return self.status in _ENDS

    @property
    def succeeded(self) -> bool:
        """True when there is a model to try: a job may call itself succeeded and name none."""
        return self.status == "succeeded" and bool(self.model_id)


class JobEvent(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a job's story."""

    id: str
    message: str
    level: str = "info"
    created_at: int | None = None
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class JobCheckpoint(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A model saved during training; `id` is what Azure deploys, `model_id` what OpenAI answers to."""

    id: str
    model_id: str | None = None
    job_id: str | None = None
    step: int | None = None
    created_at: int | None = None
    metrics: dict[str, float] = msgspec.field(default_factory=dict)


def plain(model: Any) -> dict[str, Any]:
    """Return an SDK object as the service sent it."""
    # statuses outside the SDK's list would warn when it writes them out
    return dict(model.to_dict(mode="json", warnings=False))


def plain_rows(page: Any) -> list[dict[str, Any]]:
    """Return what a page of a list holds, as the service sent it; nothing where it holds no list."""
    listed = getattr(page, "data", None)
    return [plain(one) for one in listed or () if hasattr(one, "to_dict")]


def read_job(raw: Mapping[str, Any]) -> Job:
    """Read a job."""
    return Job(
        id=str(raw.get("id") or ""),
        status=str(raw.get("status") or "unknown").lower(),
        base_model=raw.get("model"),
        model_id=raw.get("fine_tuned_model"),
        training_file=raw.get("training_file"),
        validation_file=raw.get("validation_file"),
        created_at=_whole_number(raw.get("created_at")),
        finished_at=_whole_number(raw.get("finished_at")),
        trained_tokens=_whole_number(raw.get("trained_tokens")),
        suffix=raw.get("suffix"),
        error=_job_error(raw.get("error")),
        hyperparameters=_numbers(raw.get("hyperparameters"), least=0.0),
        metadata={str(k): str(v) for k, v in (raw.get("metadata") or {}).items()},
    )


def read_event(raw: Mapping[str, Any]) -> JobEvent:
    """Read one event of a job."""
    return JobEvent(
        id=str(raw.get("id") or ""),
        message=str(raw.get("message") or ""),
        level=str(raw.get("level") or "info"),
        created_at=_whole_number(raw.get("created_at")),
        data=dict(raw.get("data") or {}),
    )


def read_checkpoint(raw: Mapping[str, Any]) -> JobCheckpoint:
    """Read a checkpoint."""
    return JobCheckpoint(
        id=str(raw.get("id") or ""),
        model_id=raw.get("fine_tuned_model_checkpoint"),
        job_id=raw.get("fine_tuning_job_id"),
        step=_whole_number(raw.get("step_number")),
        created_at=_whole_number(raw.get("created_at")),
        metrics=_numbers(raw.get("metrics")),
    )


def _job_error(raw: Any) -> str | None:
    if not isinstance(raw, Mapping):
        return None
    parts = [str(raw[key]) for key in ("code", "message") if raw.get(key)]
    return ": ".join(parts) or None


def _numbers(raw: Any, *, least: float = float("-inf")) -> dict[str, float]:
    if not isinstance(raw, Mapping):
        return {}
    numbers = {
        str(key): float(value)
        for key, value in raw.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return {key: value for key, value in numbers.items() if value >= least}


def _whole_number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and value >= 0 else None
