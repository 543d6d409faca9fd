"""Fine-tuning jobs by the openai SDK: upload, create, read, list, follow. Every function takes the platform.

What makes something new is sent once only; what reads is retried by the SDK.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from evals.errors import PlatformError, UnknownModelError
from flows.platforms.base import SpeaksOpenAI
from flows.platforms.deadlines import Deadline
from flows.platforms.fine_tuning.records import (
    Job,
    JobCheckpoint,
    JobEvent,
    plain,
    plain_rows,
    read_checkpoint,
    read_event,
    read_job,
)

__all__ = [
    "checkpoints",
    "create_job",
    "events",
    "finished_since",
    "get_job",
    "read_file",
    "training_digest",
    "upload_file",
    "wait_finished",
    "walk_jobs",
]

_LONGEST_JOB_S = 720 * 3600.0
_BROKEN_FILE = frozenset({"error", "failed", "expired", "cancelled", "deleted", "deleting"})
_DIGEST_LIMIT = 64 * 1024 * 1024


async def upload_file(
    platform: SpeaksOpenAI,
    content: Path | bytes,
    *,
    filename: str = "training.jsonl",
    purpose: str = "fine-tune",
    poll_s: float = 2.0,
    timeout_s: float = 1800.0,
) -> str:
    """Upload a file, wait until the service has processed it, and return its id.

    Sent once only: a repeated upload would leave a second file. Raises PlatformError when the file is refused.
    """
    data = content if isinstance(content, bytes) else await asyncio.to_thread(content.read_bytes)
    name = filename if isinstance(content, bytes) else content.name

    async def send(client: Any) -> Any:
        return await client.with_options(max_retries=0).files.create(
            file=(name, data, "application/jsonl"), purpose=purpose
        )

    sent = plain(await platform.data.ask(f"upload {name}", send))
    async with Deadline(timeout_s, f"{name} to be processed") as deadline:
        while (status := sent.get("status")) != "processed":
            if status in _BROKEN_FILE:
                details = sent.get("status_details") or status
                raise PlatformError(
                    f"the service could not read {name}: {details}", code="FileRefused"
                )
            if not await deadline.pause(poll_s, f"its status is {status}"):
                raise PlatformError(f"{name} was not processed within {timeout_s:.0f} s")
            sent = await _retrieve_file(platform, str(sent["id"]))
    return str(sent["id"])


async def create_job(
    platform: SpeaksOpenAI,
    *,
    model: str,
    training_file: str,
    validation_file: str | None = None,
    suffix: str | None = None,
    seed: int | None = None,
    hyperparameters: Mapping[str, float] | None = None,
    metadata: Mapping[str, str] | None = None,
    training_type: str | None = None,
) -> Job:
    """Start supervised training and return the job as it stands. `training_type` is Azure's own, such as 'developerTier'.

    Sent once only, without retries: a second try could start, and bill, a second job.
    """
    wanted: dict[str, Any] = {
        "validation_file": validation_file,
        "suffix": suffix,
        "seed": seed,
        "metadata": dict(metadata) if metadata else None,
    }
    given = {key: value for key, value in wanted.items() if value is not None}
    if hyperparameters:
        supervised = {"hyperparameters": dict(hyperparameters)}
        given["method"] = {"type": "supervised", "supervised": supervised}
    extra = {"trainingType": training_type} if training_type else None

    async def send(client: Any) -> Any:
        return await client.with_options(max_retries=0).fine_tuning.jobs.create(
            model=model, training_file=training_file, extra_body=extra, **given
        )

    return read_job(plain(await platform.data.ask(f"start training on {model}", send)))


async def get_job(platform: SpeaksOpenAI, job_id: str) -> Job:
    """Return a job. Raises RefusedError when there is none of that id."""

    async def read(client: Any) -> Any:
        return await client.fine_tuning.jobs.retrieve(job_id)

    try:
        return read_job(plain(await platform.data.ask(f"read job {job_id}", read)))
    except PlatformError as error:
        if error.status != 404:
            raise
        raise UnknownModelError(
            f"there is no fine-tuning job {job_id} at {platform.data.address}"
        ) from error


async def walk_jobs(platform: SpeaksOpenAI, *, page: int = 50) -> AsyncIterator[Job]:
    """Yield jobs, the newest creation first, reading further pages as they are wanted."""
    after: str | None = None
    while True:
        rows, more = await _page(platform, after, page)
        for row in rows:
            yield row
        if not more or not rows:
            return
        after = rows[-1].id


async def finished_since(
    platform: SpeaksOpenAI, since: float, *, limit: int = 500
) -> tuple[Job, ...]:
    """Return the jobs that ended at `since` (Unix seconds) or later, the earliest end first.

    A job without an end time is kept: the caller knows by its id whether it has seen it. Jobs are listed by creation and
    run for 720 hours at most, which bounds how far back is looked.
    """
    found: list[Job] = []
    seen = 0
    async for job in walk_jobs(platform):
        seen += 1
        if seen > limit or (job.created_at or since) < since - _LONGEST_JOB_S:
            break
        if job.ended and (job.finished_at is None or job.finished_at >= since):
            found.append(job)
    return tuple(sorted(found, key=lambda job: (job.finished_at or job.created_at or 0, job.id)))


async def events(platform: SpeaksOpenAI, job_id: str, *, limit: int = 100) -> tuple[JobEvent, ...]:
    """Return a job's latest events, oldest first."""

    async def read(client: Any) -> Any:
        return await client.fine_tuning.jobs.list_events(job_id, limit=limit)

    page = await platform.data.ask(f"read the events of {job_id}", read)
    rows = [read_event(row) for row in plain_rows(page)]
    return tuple(reversed(rows))


async def checkpoints(platform: SpeaksOpenAI, job_id: str) -> tuple[JobCheckpoint, ...]:
    """Return a job's checkpoints, as listed (the latest first)."""

    async def read(client: Any) -> Any:
        return await client.fine_tuning.jobs.checkpoints.list(job_id, limit=100)

    page = await platform.data.ask(f"list the checkpoints of {job_id}", read)
    return tuple(read_checkpoint(row) for row in plain_rows(page))


async def wait_finished(
    platform: SpeaksOpenAI,
    job_id: str,
    *,
    poll_s: float = 30.0,
    timeout_s: float = _LONGEST_JOB_S,
    on_event: Callable[[JobEvent], None] | None = None,
) -> Job:
    """Wait for a job's end, telling each event once. Raises PlatformError when time runs out."""
    seen_ids = set[str]()
    async with Deadline(timeout_s, f"job {job_id} to end") as deadline:
        while True:
            job = await get_job(platform, job_id)
            if on_event is not None:
                for event in await events(platform, job_id):
                    if event.id not in seen_ids:
                        seen_ids.add(event.id)
                        on_event(event)
            if job.ended:
                return job
            if not await deadline.pause(poll_s, f"its status is {job.status}"):
                raise PlatformError(f"job {job_id} is still {job.status} after {timeout_s:.0f} s")


async def training_digest(platform: SpeaksOpenAI, file_id: str) -> str | None:
    """Return 'sha256:<hex>' of an uploaded file; None when it is gone, or larger than 64 MB."""
    content = await read_file(platform, file_id)
    return None if content is None else "sha256:" + hashlib.sha256(content).hexdigest()


async def read_file(platform: SpeaksOpenAI, file_id: str) -> bytes | None:
    """Return an uploaded file; None when it is gone, or larger than 64 MB."""

    async def read(client: Any) -> bytes:
        return bytes((await client.files.content(file_id)).content)

    try:
        size = (await _retrieve_file(platform, file_id)).get("bytes")
        if isinstance(size, int) and size > _DIGEST_LIMIT:
            return None
        return await platform.data.ask(f"read file {file_id}", read)
    except PlatformError:
        return None  # training files are often deleted after training


async def _retrieve_file(platform: SpeaksOpenAI, file_id: str) -> dict[str, Any]:
    async def read(client: Any) -> Any:
        return await client.files.retrieve(file_id)

    return plain(await platform.data.ask(f"read file {file_id}", read))


async def _page(platform: SpeaksOpenAI, after: str | None, size: int) -> tuple[list[Job], bool]:
    async def read(client: Any) -> Any:
        further = {"after": after} if after else {}
        return await client.fine_tuning.jobs.list(limit=size, **further)

    page = await platform.data.ask("list fine-tuning jobs", read)
    return [read_job(row) for row in plain_rows(page)], bool(getattr(page, "has_more", False))
