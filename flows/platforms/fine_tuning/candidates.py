"""From a job, model or checkpoint id to the candidate it names; what isn't finished or isn't known is refused."""

from __future__ import annotations

from typing import Any

import msgspec

from evals.errors import CredentialError, PlatformError, RefusedError, UnknownModelError
from evals.records import Candidate
from flows.platforms.base import SpeaksOpenAI, TriggerRef
from flows.platforms.fine_tuning import jobs
from flows.platforms.fine_tuning.records import Job, JobCheckpoint, plain
from flows.platforms.model_names import (
    base_of,
    is_checkpoint_id,
    job_of,
    same_id,
    same_model,
    step_checkpoint,
)

__all__ = ["find_checkpoint", "known_model", "resolve_candidate"]

_JOBS_LOOKED_THROUGH = 100
_WITHOUT_CHECKPOINTS = frozenset({"pending", "queued", "validating_files"})
_UNREADABLE = (PlatformError, CredentialError)


async def resolve_candidate(
    platform: SpeaksOpenAI,
    ref: TriggerRef,
    *,
    target: str,
    deploys_checkpoint_ids: bool,
    elsewhere: bool = False,
) -> Candidate:
    """Name the model behind `ref`.

    `deploys_checkpoint_ids`: a checkpoint is deployed by its own id (Azure) and not by its model name (OpenAI).
    `elsewhere`: the model belongs to another account; where its jobs and models may not be read, a model or checkpoint id
    is taken at its word. So is a checkpoint that no job lists, where it is deployed by its id: it may have been copied,
    its job deleted, or its jobs not be ours to read. Raises RefusedError for what is unknown or not finished.
    """
    named = ref.checkpoint or ref.model_id
    if named and (
        is_checkpoint_id(named) or (deploys_checkpoint_ids and step_checkpoint(named) is not None)
    ):
        found = await _from_checkpoint(
            platform, named, ref.job_id, target, by_id=deploys_checkpoint_ids, elsewhere=elsewhere
        )
    elif ref.job_id and not named:
        found = await _from_job(platform, ref.job_id, target)
    elif named:
        found = await _from_model(platform, named, target, elsewhere=elsewhere)
    else:
        raise RefusedError("expected a job id, a model id or a checkpoint id; found none")
    return _with_base(found, ref.base_model)


async def known_model(platform: SpeaksOpenAI, model_id: str) -> dict[str, Any] | None:
    """Return the data plane's description of a model, None when it doesn't know it."""

    async def read(client: Any) -> Any:
        return await client.models.retrieve(model_id)

    try:
        found = await platform.data.ask(f"look up model {model_id}", read)
    except PlatformError as error:
        if error.status != 404:
            raise
        return None
    described = plain(found)
    if not described.get("id"):
        raise platform.data.no_api(f"look up model {model_id}")
    return described


async def find_checkpoint(platform: SpeaksOpenAI, named: str) -> tuple[Job, JobCheckpoint] | None:
    """Find a checkpoint by its id or its model name among the latest jobs, with the job it belongs to.

    Jobs that are paused, running or cancelled are looked through as well. None does not say that there is no such
    checkpoint: copied ones are in no list, nor are those of jobs that were deleted.
    """
    owner = job_of(named)
    if owner is not None:
        try:
            return await _among(platform, await jobs.get_job(platform, owner), named)
        except UnknownModelError:
            return None
    searched = 0
    async for job in jobs.walk_jobs(platform):
        searched += 1
        if searched > _JOBS_LOOKED_THROUGH:
            break
        if job.status not in _WITHOUT_CHECKPOINTS:
            found = await _among(platform, job, named)
            if found is not None:
                return found
    return None


async def _among(platform: SpeaksOpenAI, job: Job, named: str) -> tuple[Job, JobCheckpoint] | None:
    for checkpoint in await _listed(platform, job):
        if any(known and same_id(named, known) for known in (checkpoint.id, checkpoint.model_id)):
            return job, checkpoint
    return None


async def _listed(platform: SpeaksOpenAI, job: Job) -> tuple[JobCheckpoint, ...]:
    """A job's checkpoints; none of one that was deleted meanwhile, or that can't have any."""
    try:
        return await jobs.checkpoints(platform, job.id)
    except PlatformError as error:
        if error.status not in {400, 404}:
            raise
        return ()


async def _from_job(platform: SpeaksOpenAI, job_id: str, target: str) -> Candidate:
    job = await jobs.get_job(platform, job_id)
    if not job.succeeded:
        raise _unfinished(job)
    assert job.model_id is not None
    return await _candidate(platform, job, job.model_id, target, None)


async def _from_checkpoint(
    platform: SpeaksOpenAI,
    named: str,
    job_id: str | None,
    target: str,
    *,
    by_id: bool,
    elsewhere: bool,
) -> Candidate:
    owner, found = None, None
    try:
        owner = await _job(platform, job_id, or_none=by_id) if job_id else None
        found = await (
            _among(platform, owner, named) if owner else find_checkpoint(platform, named)
        )
    except _UNREADABLE as error:
        # a role that lacks the data action is answered with either
        forbidden = isinstance(error, PlatformError) and error.status in {401, 403}
        if not elsewhere and not (by_id and forbidden):
            raise
    if found is None and not by_id:
        raise UnknownModelError(
            f"no job at {platform.data.address} has a checkpoint {named}; its model is asked by its own name:"
            " --model ft:…:ckpt-step-…"
        )
    if found is None:
        return _unlisted(named, owner, target)
    job, checkpoint = found
    model_id = checkpoint.id if by_id else (checkpoint.model_id or checkpoint.id)
    candidate = await _candidate(platform, job, model_id, target, checkpoint.id)
    other = checkpoint.model_id if checkpoint.model_id != model_id else None
    return msgspec.structs.replace(candidate, weights_of=other)


async def _job(platform: SpeaksOpenAI, job_id: str, *, or_none: bool) -> Job | None:
    try:
        return await jobs.get_job(platform, job_id)
    except UnknownModelError:
        if not or_none:
            raise
        return None


def _unlisted(named: str, owner: Job | None, target: str) -> Candidate:
    """A checkpoint of which no list tells: it is tried as it is, and the platform has the last word."""
    job_base = (base_of(owner.model_id or "") or owner.base_model) if owner else None
    model_id = named.lower() if is_checkpoint_id(named) else named
    return Candidate(
        model_id=model_id,
        target=target,
        base_model=base_of(named) or job_base,
        job_id=owner.id if owner else job_of(named),
        checkpoint=model_id,
        unlisted=True,
    )


def _with_base(candidate: Candidate, given: str | None) -> Candidate:
    """Take the base model that was given where none is known, or none with its date. Raises RefusedError for another."""
    if given is None:
        return candidate
    # training that was continued names the earlier fine-tune
    known, meant = base_of(candidate.base_model or "") or candidate.base_model, base_of(given)
    if known is not None and same_model(meant or given, known):
        return candidate
    if known is None or same_model(known, meant or given):
        return msgspec.structs.replace(candidate, base_model=given)
    raise RefusedError(
        f"the base model of {candidate.model_id} is {known}, and {given} was given (--base-model)"
    )


async def _from_model(
    platform: SpeaksOpenAI, model_id: str, target: str, *, elsewhere: bool
) -> Candidate:
    try:
        found = await known_model(platform, model_id)
    except _UNREADABLE:
        if not elsewhere:
            raise
        found = {}
    if found is None:
        raise UnknownModelError(f"there is no model {model_id} at {platform.data.address}")
    told = str(found.get("id") or "")
    model_id = told if same_id(told, model_id) else model_id  # in the letter case of the service
    return Candidate(
        model_id=model_id, target=target, base_model=base_of(model_id), job_id=job_of(model_id)
    )


async def _candidate(
    platform: SpeaksOpenAI, job: Job, model_id: str, target: str, checkpoint: str | None
) -> Candidate:
    digest = None
    if job.training_file:
        digest = await jobs.training_digest(platform, job.training_file)
    return Candidate(
        model_id=model_id,
        target=target,
        base_model=base_of(job.model_id or "") or job.base_model,
        job_id=job.id,
        checkpoint=checkpoint,
        training_file=job.training_file,
        training_digest=digest,
    )


def _unfinished(job: Job) -> RefusedError:
    if job.status == "succeeded":
        message = f"job {job.id} succeeded and names no model yet"
        return RefusedError(message, hint="try again in a few minutes")
    if job.ended:
        message = f"job {job.id} {job.status}" + (f": {job.error}" if job.error else "")
        hint = "start the training again, or name a checkpoint that it came to by --checkpoint"
        return RefusedError(message, hint=hint)
    message = f"job {job.id} is not finished: its status is '{job.status}'"
    hint = (
        "run the same again once it has succeeded ('gatewright watch' does so by itself), or name a checkpoint that it"
        " came to by --checkpoint"
    )
    return RefusedError(message, hint=hint)
