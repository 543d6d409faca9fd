"""How candidates of a field are named: each by one text, which says of itself whether it is a job, a checkpoint or a model."""

from __future__ import annotations

from collections.abc import Sequence

from evals.errors import ConfigurationError, Problem, UnknownModelError
from evals.records import Candidate
from flows.platforms.base import HostingPlatform, TriggerRef
from flows.platforms.fine_tuning.jobs import checkpoints

__all__ = ["find_candidate", "names_of", "reference_of"]

_JOB, _CHECKPOINT = "ftjob-", "ftchkpt-"
_OF_JOB = "/"


def names_of(
    candidates: str | None, jobs: Sequence[str], checkpoint_names: str | None
) -> tuple[str, ...]:
    """Return the candidates that `--candidates`, `--job` (each of several) and `--checkpoints` name, in that order.

    Checkpoints are those of the one job, by their ids or their steps.

    Raises:
        ConfigurationError: options that don't go together, fewer than two candidates, or one of them twice.
    """
    if checkpoint_names is not None and (candidates is not None or len(jobs) != 1):
        raise _wrong("--checkpoints", "expected exactly one --job beside it, and no --candidates")
    if checkpoint_names is not None:
        steps = _listed("--checkpoints", checkpoint_names)
        found = [
            step if step.startswith(_CHECKPOINT) else f"{jobs[0]}{_OF_JOB}{step}" for step in steps
        ]
    else:
        found = [*(_listed("--candidates", candidates) if candidates is not None else []), *jobs]
    for number, name in enumerate(found):
        if name in found[:number]:
            raise _wrong("candidates", f"expected every candidate once; '{name}' is named twice")
    if len(found) < 2:
        raise _wrong(
            "candidates",
            f"expected at least two candidates to choose from; found {len(found)}",
            "name one candidate by --job, --model or --checkpoint",
        )
    return tuple(found)


async def find_candidate(platform: HostingPlatform, name: str, *, target: str) -> Candidate:
    """Return the model behind a candidate's name. Raises RefusedError when it is not finished, or not known."""
    job, _, step = name.partition(_OF_JOB) if name.startswith(_JOB) else ("", "", "")
    if step:
        known = await checkpoints(platform, job)
        named = {str(one.step): one.id for one in known} | {one.id: one.id for one in known}
        if step not in named:
            steps = ", ".join(str(one.step) for one in known) or "none"
            raise UnknownModelError(
                f"job {job} has no checkpoint {step}; kept are those of {steps}"
            )
        return await platform.resolve(TriggerRef(checkpoint=named[step]), target=target)
    ref = TriggerRef(
        job_id=name if name.startswith(_JOB) else None,
        checkpoint=name if name.startswith(_CHECKPOINT) else None,
        model_id=None if name.startswith((_JOB, _CHECKPOINT)) else name,
    )
    return await platform.resolve(ref, target=target)


def reference_of(name: str, candidate: Candidate) -> TriggerRef:
    """Return how a promotion run names a candidate of a field."""
    if candidate.checkpoint:
        return TriggerRef(checkpoint=candidate.checkpoint)
    if name.startswith(_JOB):
        return TriggerRef(job_id=name)
    return TriggerRef(model_id=candidate.model_id)


def _listed(option: str, text: str) -> list[str]:
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise _wrong(option, f"expected names with commas between them; found '{text}'")
    return found


def _wrong(where: str, message: str, fix: str | None = None) -> ConfigurationError:
    return ConfigurationError(Problem(where=where, message=message, fix=fix))
