"""Fine-tuning jobs: as the emulator runs them, and with every deviation a service may show."""

from __future__ import annotations

from typing import Any

import pytest
from support.emulator import training_lines

from evals.errors import PlatformError, RefusedError
from flows.platforms.base import TriggerRef
from flows.platforms.fine_tuning import jobs

JOBS = "/openai/v1/fine_tuning/jobs"
BARE = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "created_at": 1795240000,
    "model": "gpt-4.1-mini-2025-04-14",
    "seed": 42,
    "status": "pending",
    "training_file": "file-1",
    "validation_file": None,
    "estimated_finish": None,
    "suffix": "triage",
    "trainingType": "developerTier",
    "hyperparameters": {"batch_size": -1, "learning_rate_multiplier": 0.1, "n_epochs": -1},
}


def page(rows: list[Any], more: bool = False) -> tuple[int, Any]:
    return 200, {"object": "list", "data": rows, "has_more": more}


async def test_a_job_of_azure_with_half_its_keys_is_read(server, azure) -> None:
    server.on(f"GET {JOBS}/ftjob-1", (200, BARE))
    job = await jobs.get_job(azure, "ftjob-1")
    assert (job.status, job.ended, job.succeeded, job.model_id) == ("pending", False, False, None)
    assert job.hyperparameters == {"learning_rate_multiplier": 0.1}
    assert job.suffix == "triage"


@pytest.mark.parametrize(
    "status", ["pending", "paused", "pausing", "resuming", "frobnicating", None]
)
async def test_a_status_that_is_no_end_is_waited_through(server, azure, status) -> None:
    done = {**BARE, "status": "succeeded", "fine_tuned_model": "m", "finished_at": 1795243600}
    server.on(f"GET {JOBS}/ftjob-1", (200, {**BARE, "status": status}), (200, done))
    job = await jobs.wait_finished(azure, "ftjob-1", poll_s=0.01)
    assert job.succeeded
    assert len(server.seen) == 2


@pytest.mark.parametrize("error", [{}, None, {"code": None, "message": None, "param": None}])
async def test_no_error_in_any_of_its_forms_is_no_error(server, azure, error) -> None:
    server.on(f"GET {JOBS}/ftjob-1", (200, {**BARE, "error": error}))
    assert (await jobs.get_job(azure, "ftjob-1")).error is None


async def test_a_failed_job_is_refused_with_its_reason(server, azure) -> None:
    error = {"code": "invalid_training_file", "message": "line 7 is no JSON"}
    server.on(f"GET {JOBS}/ftjob-1", (200, {**BARE, "status": "failed", "error": error}))
    with pytest.raises(RefusedError, match="ftjob-1 failed: invalid_training_file: line 7"):
        await azure.resolve(TriggerRef(job_id="ftjob-1"), target="t")


async def test_a_job_that_succeeded_without_naming_a_model_is_refused(server, azure) -> None:
    server.on(f"GET {JOBS}/ftjob-1", (200, {**BARE, "status": "succeeded"}))
    with pytest.raises(RefusedError, match="names no model yet"):
        await azure.resolve(TriggerRef(job_id="ftjob-1"), target="t")


async def test_a_job_whose_training_file_is_gone_still_has_a_candidate(server, azure) -> None:
    done = {
        **BARE,
        "status": "succeeded",
        "fine_tuned_model": "gpt-4.1-mini-2025-04-14.ft-" + "a" * 32,
    }
    server.on(f"GET {JOBS}/ftjob-1", (200, done))
    candidate = await azure.resolve(TriggerRef(job_id="ftjob-1"), target="t")
    assert candidate.training_digest is None
    assert candidate.training_file == "file-1"


async def test_jobs_that_ended_since_a_moment_are_found_over_pages_earliest_first(
    server, azure
) -> None:
    def job(number: int, created: int, finished: int | None, status: str = "succeeded") -> Any:
        return {
            **BARE,
            "id": f"ftjob-{number}",
            "created_at": created,
            "finished_at": finished,
            "status": status,
        }

    since = 1_000_000_000
    server.on(
        f"GET {JOBS}",
        page([job(5, since + 50, None, "running"), job(4, since + 40, since + 90)], more=True),
        page([job(3, since - 100, since + 60), job(2, since - 200, since - 50)], more=True),
        page([job(1, since - 300, None), job(0, since - 721 * 3600, since + 10)], more=True),
    )
    found = await jobs.finished_since(azure, since)
    assert [one.id for one in found] == ["ftjob-1", "ftjob-3", "ftjob-4"]
    assert [one.query.get("after") for one in server.seen] == [None, "ftjob-4", "ftjob-2"]


async def test_creating_a_job_is_never_repeated(server, azure) -> None:
    server.on(f"POST {JOBS}", (500, {"error": {"message": "oops"}}))
    with pytest.raises(PlatformError, match="could not start training"):
        await jobs.create_job(azure, model="gpt-4.1-mini-2025-04-14", training_file="file-1")
    assert len(server.seen) == 1


async def test_uploading_a_file_is_never_repeated(server, azure) -> None:
    server.on("POST /openai/v1/files", (503, {"error": {"message": "oops"}}))
    with pytest.raises(PlatformError, match=r"could not upload training\.jsonl"):
        await jobs.upload_file(azure, b"{}")
    assert len(server.seen) == 1


async def test_what_is_asked_of_a_job_goes_along(server, azure) -> None:
    server.on(f"POST {JOBS}", (201, BARE))
    await jobs.create_job(
        azure,
        model="gpt-4.1-mini-2025-04-14",
        training_file="file-1",
        suffix="triage",
        hyperparameters={"n_epochs": 3},
        metadata={"run": "r-1"},
        training_type="developerTier",
    )
    assert server.seen[0].body == {
        "model": "gpt-4.1-mini-2025-04-14",
        "training_file": "file-1",
        "suffix": "triage",
        "metadata": {"run": "r-1"},
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
        "trainingType": "developerTier",
    }


async def test_a_file_is_waited_for_and_a_broken_one_is_told(server, azure) -> None:
    file = {
        "id": "file-1",
        "object": "file",
        "bytes": 2,
        "created_at": 1,
        "filename": "t",
        "purpose": "fine-tune",
    }
    server.on("POST /openai/v1/files", (201, {**file, "status": "pending"}))
    server.on(
        "GET /openai/v1/files/file-1",
        (200, {**file, "status": "running"}),
        (200, {**file, "status": "processed"}),
    )
    assert await jobs.upload_file(azure, b"{}", poll_s=0.01) == "file-1"
    details = {**file, "status": "error", "status_details": "line 3 is no JSON"}
    server.on("GET /openai/v1/files/file-1", (200, details))
    with pytest.raises(PlatformError, match="line 3 is no JSON"):
        await jobs.upload_file(azure, b"{}", poll_s=0.01)


async def test_a_whole_job_is_followed_with_each_event_told_once(embedded, tmp_path) -> None:
    path = tmp_path / "triage.jsonl"
    path.write_bytes(training_lines())
    file = await jobs.upload_file(embedded, path, poll_s=0.02)
    job = await jobs.create_job(embedded, model="gpt-4.1-mini-2025-04-14", training_file=file)
    told: list[str] = []
    done = await jobs.wait_finished(
        embedded, job.id, poll_s=0.03, on_event=lambda event: told.append(event.id)
    )
    assert done.succeeded
    assert len(told) == len(set(told)) >= 3
    assert job.id in {one.id for one in await jobs.finished_since(embedded, job.created_at or 0)}


async def test_checkpoints_name_their_job_and_step(embedded, models) -> None:
    found = await jobs.checkpoints(embedded, models.first.id)
    assert {one.job_id for one in found} == {models.first.id}
    assert all(one.id.startswith("ftchkpt-") and one.step for one in found)


async def test_an_unknown_job_is_refused(embedded) -> None:
    with pytest.raises(RefusedError, match="there is no fine-tuning job ftjob-nope"):
        await jobs.get_job(embedded, "ftjob-nope")


async def test_the_digest_of_a_training_file_is_that_of_its_bytes(embedded, models) -> None:
    import hashlib

    digest = await jobs.training_digest(embedded, models.first.training_file or "")
    assert digest == "sha256:" + hashlib.sha256(training_lines()).hexdigest()
    assert await jobs.training_digest(embedded, "file-nope") is None
