"""The fine-tuning API: jobs, events, checkpoints; pause, resume, cancel, delete."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.control_plane.catalogue import BaseModel, find_base
from flows.emulator.control_plane.retirement import training_has_ended
from flows.emulator.fine_tuning.bodies import (
    random_letters,
    read_hyperparameters,
    read_metadata,
    read_method,
    read_seed,
    read_suffix,
)
from flows.emulator.fine_tuning.files import find_file, is_processed
from flows.emulator.fine_tuning.runner import TERMINAL, JobRunner, add_event
from flows.emulator.fine_tuning.views import shown_checkpoint, shown_event, shown_job
from flows.emulator.gateway.errors import bad_request, data_plane_error, not_found
from flows.emulator.gateway.requests import (
    Caller,
    authenticate,
    json_body,
    json_response,
    page_response,
)
from flows.emulator.state.documents import Checkpoint, Event, Job, TunedModel
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Jobs"]


class Jobs:
    """Handlers below `/fine_tuning/jobs`."""

    def __init__(self, state: EmulatorState, runner: JobRunner) -> None:
        self.state, self.runner = state, runner

    async def create(self, request: Request) -> Response:
        """POST /fine_tuning/jobs."""
        caller = authenticate(self.state, request, "data/train")
        body = await json_body(self.state, request, caller.flavour)
        job = self._new(caller, body)
        add_event(self.state, job, f"Created fine-tuning job: {job.id}")
        self.state.store.put(job)
        self.runner.start(job)
        status = 201 if caller.flavour == "azure" else 200
        return json_response(self._shown(job), status)

    async def list(self, request: Request) -> Response:
        """GET /fine_tuning/jobs, newest first; `metadata[k]=v` filters."""
        caller = authenticate(self.state, request, "data/train")
        wanted = {
            key[9:-1]: value
            for key, value in request.query_params.items()
            if key.startswith("metadata[") and key.endswith("]")
        }
        jobs = [
            job
            for job in reversed(self.state.store.all(Job))
            if job.account == caller.account.key
            and job.flavour == caller.flavour
            and wanted.items() <= (job.metadata or {}).items()
        ]
        return page_response(jobs, request, self._shown)

    async def get(self, request: Request) -> Response:
        """GET /fine_tuning/jobs/{id}."""
        return json_response(self._shown(self._find(request)))

    async def events(self, request: Request) -> Response:
        """GET /fine_tuning/jobs/{id}/events, newest first."""
        events: list[Event] = self._find(request).events[::-1]
        return page_response(events, request, shown_event)

    async def checkpoints(self, request: Request) -> Response:
        """GET /fine_tuning/jobs/{id}/checkpoints, newest first."""
        job = self._find(request)
        unlisted = self.state.switches.unlisted_checkpoints
        mine = [
            one
            for one in reversed(self.state.store.all(Checkpoint))
            if one.job == job.id and not {one.id, "*"}.intersection(unlisted)
        ]
        return page_response(mine, request, shown_checkpoint, default=10, ends=True)

    async def cancel(self, request: Request) -> Response:
        """POST /fine_tuning/jobs/{id}/cancel."""
        job = self._find(request)
        if job.status in TERMINAL:
            raise self._wrong_state(job, "cancelled")
        self.runner.cancel(job)
        return json_response(self._shown(job))

    async def pause(self, request: Request) -> Response:
        """POST /fine_tuning/jobs/{id}/pause."""
        job = self._find(request)
        if job.status != "running":
            raise self._wrong_state(job, "paused")
        self.runner.pause(job)
        return json_response(self._shown(job))

    async def resume(self, request: Request) -> Response:
        """POST /fine_tuning/jobs/{id}/resume."""
        job = self._find(request)
        if job.status != "paused":
            raise self._wrong_state(job, "resumed")
        self.runner.resume(job)
        return json_response(self._shown(job))

    async def delete(self, request: Request) -> Response:
        """DELETE /fine_tuning/jobs/{id}, an Azure addition; a job still going is refused."""
        job = self._find(request)
        if job.status not in TERMINAL:
            raise self._wrong_state(job, "deleted")
        self.state.store.delete(Job, job.id)
        return Response(status_code=204)

    def _find(self, request: Request) -> Job:
        caller = authenticate(self.state, request, "data/train")
        key = request.path_params["job"]
        job = self.state.store.get(Job, key)
        if job is None or job.account != caller.account.key or job.flavour != caller.flavour:
            raise not_found("fine-tuning job", key, caller.flavour)
        return job

    def _wrong_state(self, job: Job, action: str) -> Exception:
        return bad_request(f"Job {job.id} is {job.status} and can't be {action}.", job.flavour)

    def _shown(self, job: Job) -> dict[str, Any]:
        return shown_job(job, self.state.switches.job_error_style)

    def _new(self, caller: Caller, body: dict[str, Any]) -> Job:
        flavour, now = caller.flavour, self.state.clock.now()
        method = read_method(body, flavour)
        training_file = self._usable_file(caller, body.get("training_file"), "training_file")
        validation = body.get("validation_file")
        if validation is not None:
            validation = self._usable_file(caller, validation, "validation_file")
        digits = secrets.token_hex(16) if flavour == "azure" else random_letters(24)
        return Job(
            id=f"ftjob-{digits}",
            account=caller.account.key,
            flavour=flavour,
            created_at=now,
            base=self._base(body.get("model"), caller),
            training_file=training_file,
            validation_file=validation,
            suffix=read_suffix(body.get("suffix"), flavour),
            seed=read_seed(body.get("seed"), training_file, flavour),
            method=method,
            hyperparameters=read_hyperparameters(body, method, flavour),
            metadata=read_metadata(body.get("metadata"), flavour),
            training_type=body.get("trainingType") if flavour == "azure" else None,
            integrations=body.get("integrations") or [],
            status="pending" if flavour == "azure" else "validating_files",
            status_since=now,
        )

    def _usable_file(self, caller: Caller, key: Any, param: str) -> str:
        if not isinstance(key, str) or not key:
            raise bad_request(f"'{param}' is a required property", caller.flavour, param=param)
        stored = find_file(self.state, caller, key)
        if stored.purpose != "fine-tune":
            raise bad_request(
                f"File '{key}' has the purpose '{stored.purpose}', not 'fine-tune'.",
                caller.flavour,
                param=param,
            )
        if not is_processed(self.state, stored):
            raise bad_request(
                f"File '{key}' is still being processed; wait until its status is 'processed'.",
                caller.flavour,
                param=param,
            )
        return key

    def _base(self, name: Any, caller: Caller) -> str:
        """Return the full base name; a fine-tuned model continues its own base."""
        if not isinstance(name, str) or not name:
            raise bad_request("'model' is a required property", caller.flavour, param="model")
        tuned = self.state.store.get(TunedModel, name)
        base: BaseModel | None = find_base(tuned.base if tuned else name)
        if base is None or training_has_ended(self.state, base, caller.flavour):
            raise data_plane_error(
                400,
                "model_not_available",
                f"Model '{name}' is not available for fine-tuning or does not exist.",
                flavour=caller.flavour,
                param="model",
            )
        return base.full_name
