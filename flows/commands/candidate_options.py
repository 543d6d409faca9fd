"""How a candidate is named on the command line, and how it is to be asked: options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from evals.errors import ConfigurationError, Problem
from flows.platforms.base import TriggerRef
from flows.settings import Settings

__all__ = [
    "AGAIN",
    "AGAINST",
    "BASE_MODEL",
    "CANDIDATES",
    "CHECKPOINT",
    "CHECKPOINTS",
    "EARLY_STOP",
    "EARLY_STOP_OR_AS_BEGUN",
    "FRESH",
    "JOB",
    "JOBS",
    "MODEL",
    "field_names",
    "reference",
    "request",
]

JOB = typer.Option(
    None, "--job", help="Fine-tuning job whose model is the candidate, such as ftjob-…."
)
JOBS = typer.Option(
    None,
    "--job",
    help="Fine-tuning job whose model is the candidate, such as ftjob-…; several choose one of theirs.",
)
CANDIDATES = typer.Option(
    None,
    "--candidates",
    metavar="A,B,…",
    help="Jobs, checkpoints and models: one is chosen on a part of the cases, and judged on the rest.",
)
CHECKPOINTS = typer.Option(
    None,
    "--checkpoints",
    metavar="A,B,…",
    help="Checkpoints of the one --job, by id or step, to choose one of.",
)
MODEL = typer.Option(None, "--model", help="Id of a fine-tuned model.")
CHECKPOINT = typer.Option(
    None,
    "--checkpoint",
    help="Id of a checkpoint, such as ftchkpt-…; one that no job lists is tried as it is, and --job may name its job.",
)
BASE_MODEL = typer.Option(
    None,
    "--base-model",
    help="What the candidate was trained on, such as gpt-4.1-mini-2025-04-14, where neither its id nor a job tells:"
    " price, lifetime and quota follow from it.",
)
FRESH = typer.Option(
    False, "--fresh", help="Ask the live model anew too, whatever answers of it are kept."
)
AGAINST = typer.Option(
    "",
    "--against",
    metavar="frozen[:ID]",
    help="Compare with the frozen answers of the live model, or with those of this id, and ask the candidate alone.",
)
_EARLY_STOP = "--early-stop/--no-early-stop"
_EARLY_STOP_HELP = "Stop asking when every check is decided, or ask every case."
EARLY_STOP = typer.Option(True, _EARLY_STOP, help=_EARLY_STOP_HELP)
EARLY_STOP_OR_AS_BEGUN = typer.Option(None, _EARLY_STOP, help=_EARLY_STOP_HELP)
AGAIN = typer.Option(False, "--again", help="Start a new run although this candidate had one.")


def request(
    settings: Settings,
    target: str,
    ref: TriggerRef,
    again: str,
    kind: Any = "promotion",
    *,
    fresh: bool,
    early_stop: bool,
    against: str = "",
) -> str:
    """Record the run, or find the one that the same trigger already started. Returns its id."""
    from flows.evaluation.request import request_run

    run, _created = request_run(
        settings,
        target,
        ref,
        kind=kind,
        actor=settings.actor,
        again=again,
        fresh=fresh,
        early_stop=early_stop,
        against=against,
    )
    return run.run_id


def field_names(
    jobs: Sequence[str],
    model: str | None,
    checkpoint: str | None,
    candidates: str | None,
    checkpoints: str | None,
    base_model: str | None = None,
) -> tuple[str, ...]:
    """Return the names of several candidates to choose from, none where the options name one candidate.

    Raises ConfigurationError for options that don't go together, too few candidates, and one named twice.
    """
    from flows.selection.names import names_of

    if candidates is None and checkpoints is None and len(jobs) < 2:
        return ()
    if any(one is not None for one in (model, checkpoint, base_model)):
        raise ConfigurationError(
            Problem(
                where="arguments",
                message="expected no --model, --checkpoint or --base-model beside several candidates",
                fix="name all of them in --candidates",
            )
        )
    return names_of(candidates, jobs, checkpoints)


def reference(
    job: str | None, model: str | None, checkpoint: str | None, base_model: str | None = None
) -> TriggerRef:
    """Return how the candidate is named. Raises ConfigurationError unless exactly one of the first three is given, or
    a checkpoint with its job.
    """
    with_job = checkpoint is not None and job is not None
    if sum(value is not None for value in (job, model, checkpoint)) != 1 + with_job:
        raise ConfigurationError(
            Problem(
                where="arguments",
                message="expected exactly one of --job, --model and --checkpoint",
                fix="name the candidate by its fine-tuning job, its model id or a checkpoint (beside which --job may"
                " say whose it is)",
            )
        )
    return TriggerRef(job_id=job, model_id=model, checkpoint=checkpoint, base_model=base_model)
