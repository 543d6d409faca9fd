"""Response bodies for fine-tuning jobs, events and checkpoints, in Azure's and in OpenAI's form."""

from __future__ import annotations

from typing import Any, Literal

from flows.emulator.state.documents import Checkpoint, Event, Job

__all__ = ["shown_checkpoint", "shown_event", "shown_job"]

ErrorStyle = Literal["missing", "empty", "null", "nulls"]


def shown_job(job: Job, error_style: ErrorStyle) -> dict[str, Any]:
    """Return a job as its service shows it."""
    return _azure(job, error_style) if job.flavour == "azure" else _openai(job)


def shown_event(event: Event) -> dict[str, Any]:
    """Return an event of a job."""
    return {
        "object": "fine_tuning.job.event",
        "id": event.id,
        "created_at": int(event.created_at),
        "level": event.level,
        "message": event.message,
        "type": event.type,
        "data": event.data,
    }


def shown_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint of a job."""
    return {
        "id": checkpoint.id,
        "object": "fine_tuning.job.checkpoint",
        "created_at": int(checkpoint.created_at),
        "fine_tuning_job_id": checkpoint.job,
        "fine_tuned_model_checkpoint": checkpoint.model,
        "step_number": checkpoint.step,
        "metrics": checkpoint.metrics,
    }


def _common(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": int(job.created_at),
        "model": job.base,
        "status": job.status,
        "training_file": job.training_file,
        "validation_file": job.validation_file,
        "seed": job.seed,
        "estimated_finish": None,
    }


def _azure(job: Job, error_style: ErrorStyle) -> dict[str, Any]:
    """Keys that have no value yet are missing, and automatic hyperparameters are -1."""
    hyper = _hyperparameters(job, automatic=-1)
    shown = {
        **_common(job),
        "hyperparameters": hyper,
        "suffix": job.suffix,
        "trainingType": job.training_type,
    }
    shown["method"] = {"type": job.method, job.method: {"hyperparameters": hyper}}
    if job.metadata is not None:
        shown["metadata"] = job.metadata
    for name, value in _late(job).items():
        if value is not None and value != []:
            shown[name] = value
    if job.error is not None:
        shown["error"] = job.error
    elif error_style != "missing":
        shown["error"] = _no_error(error_style)
    return shown


def _openai(job: Job) -> dict[str, Any]:
    hyper = _hyperparameters(job, automatic="auto")
    return {
        **_common(job),
        **_late(job),
        "organization_id": "org-embedded",
        "hyperparameters": hyper,
        "method": {"type": job.method, job.method: {"hyperparameters": hyper}},
        "error": job.error or _no_error("nulls"),
        "integrations": job.integrations,
        "metadata": job.metadata,
        "user_provided_suffix": job.suffix,
    }


def _late(job: Job) -> dict[str, Any]:
    return {
        "finished_at": None if job.finished_at is None else int(job.finished_at),
        "fine_tuned_model": job.tuned_model,
        "trained_tokens": job.trained_tokens,
        "result_files": job.result_files,
    }


def _no_error(style: ErrorStyle) -> dict[str, None] | None:
    if style == "null":
        return None
    return {} if style == "empty" else {"code": None, "message": None, "param": None}


def _hyperparameters(job: Job, automatic: Any) -> dict[str, Any]:
    names = ("batch_size", "learning_rate_multiplier", "n_epochs")
    wanted = {name: job.hyperparameters.get(name, "auto") for name in names}
    return {name: automatic if value == "auto" else value for name, value in wanted.items()}
