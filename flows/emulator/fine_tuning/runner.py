"""Running fine-tuning jobs: each passes through its statuses in the background and trains a real model.

The status is stored at every step, so that a job that a restart interrupted goes on from where it was.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from flows.emulator.fine_tuning.files import file_path
from flows.emulator.fine_tuning.training import CHECKPOINT_SHARES, TrainingResult, train_to_disk
from flows.emulator.fine_tuning.training_files import InvalidTrainingFile, read_examples
from flows.emulator.models.conversation import Example
from flows.emulator.state.documents import Checkpoint, Event, Job, StoredFile, TunedModel
from flows.emulator.state.emulator_state import EmulatorState
from flows.emulator.webhooks.outbox import queue_event

__all__ = ["TERMINAL", "JobRunner", "add_event"]

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})


class JobRunner:
    """Runs the jobs, at most `running_jobs` of them training at once."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state
        self._places = asyncio.Semaphore(state.switches.running_jobs)

    def start(self, job: Job) -> None:
        """Run a job in the background, from the status it has."""
        self.state.start(self._run(job), f"job {job.id}")

    def resume_all(self) -> None:
        """Run every unfinished job after a restart."""
        for job in self.state.store.all(Job):
            if job.status not in TERMINAL and job.status != "paused":
                self.start(job)

    def cancel(self, job: Job) -> None:
        """Stop a job for good; a training that is under way is thrown away when it ends."""
        self._end(job, "cancelled", f"Fine-tuning job cancelled: {job.id}")

    def pause(self, job: Job) -> None:
        """Pause a running job."""
        self._set(job, "paused", "Fine-tuning job paused")

    def resume(self, job: Job) -> None:
        """Resume a paused job."""
        self._set(job, "running", "Fine-tuning job resumed")
        self.start(job)

    async def _run(self, job: Job) -> None:
        switches = self.state.switches
        if job.status == "pending":
            await self._after(
                job, switches.pending_s, "validating_files", "Validating training file"
            )
        if job.status == "validating_files":
            await self._wait(job, switches.validating_s)
            if self._read(job) is None:
                return
            self._step(
                job, "validating_files", "queued", "Files validated, moving job to queued state"
            )
        if job.status == "queued":
            await self._wait(job, switches.queued_s)
        if job.status in ("queued", "running"):
            async with self._places:
                self._step(job, "queued", "running", "Fine-tuning job started")
                await self._train(job)

    async def _train(self, job: Job) -> None:
        examples = self._read(job) if job.status == "running" else None
        if examples is None:
            return
        since = self.state.clock.now()
        try:
            result = await asyncio.to_thread(
                train_to_disk,
                examples,
                seed=job.seed,
                folder=self.state.model_cache.folder,
                name=job.id,
            )
        except (
            Exception
        ) as error:  # a training that crashes is a failed job, as it is on the real service
            self._fail(job, "training_failed", f"Training failed: {error}")
            return
        await self.state.clock.sleep_until(since + self.state.switches.running_s)
        if job.status == "running":
            self._succeed(job, examples, result)

    def _read(self, job: Job) -> list[Example] | None:
        """Read the training file, failing the job when it is not fit. None when the job has ended."""
        if job.status in TERMINAL:
            return None
        minimum = self.state.switches.minimum_examples
        try:
            for key in filter(None, (job.validation_file, job.training_file)):
                if self.state.store.get(StoredFile, key) is None:
                    raise InvalidTrainingFile(f"File '{key}' was deleted.")
                data = file_path(self.state, key).read_bytes()
                needed = minimum if key == job.training_file else 1
                examples = read_examples(data, minimum=needed, method=job.method)
        except InvalidTrainingFile as error:
            self._fail(job, "invalid_training_file", str(error))
            return None
        return examples

    def _succeed(self, job: Job, examples: list[Example], result: TrainingResult) -> None:
        epochs = _epochs(job)
        steps = max(1, len(examples) // _batch_size(job, len(examples)))
        last = epochs * steps
        job.tuned_model = model_id(job)
        shares = len(CHECKPOINT_SHARES)
        for number, (artifact, accuracy) in enumerate(
            zip(result.artifacts, result.accuracies, strict=True)
        ):
            step = max(1, last - (shares - 1 - number) * steps)
            self._keep(job, artifact, accuracy, step, final=number == shares - 1)
        job.trained_tokens = epochs * sum(
            len(one.question + one.answer + one.prompt) // 4 for one in examples
        )
        job.result_files = [f"file-{secrets.token_hex(12)}"]
        self._write_metrics(job, result)
        add_event(self.state, job, f"New fine-tuned model created: {job.tuned_model}")
        self._end(job, "succeeded", "The job has successfully completed")

    def _keep(self, job: Job, artifact: str, accuracy: float, step: int, *, final: bool) -> None:
        """Store a checkpoint and the model that it names; the final one is the job's own model."""
        now = self.state.clock.now()
        name = str(job.tuned_model) + ("" if final else f":ckpt-step-{step}")
        model = TunedModel(
            id=name, account=job.account, flavour=job.flavour, base=job.base, job=job.id, artifact=artifact,
            created_at=now, step=None if final else step,
        )  # fmt: skip
        checkpoint = Checkpoint(
            id=_checkpoint_id(job), job=job.id, model=name, artifact=artifact, step=step, created_at=now,
            metrics={
                "step": step,
                "train_loss": round(1.0 - accuracy, 4),
                "train_mean_token_accuracy": round(accuracy, 4),
            },
        )  # fmt: skip
        self.state.store.put(model)
        self.state.store.put(checkpoint)

    def _write_metrics(self, job: Job, result: TrainingResult) -> None:
        lines = ["step,train_loss,train_mean_token_accuracy"]
        lines += [
            f"{number},{1 - value:.4f},{value:.4f}"
            for number, value in enumerate(result.accuracies, 1)
        ]
        data = "\n".join(lines).encode()
        path = file_path(self.state, job.result_files[0])
        path.write_bytes(data)
        self.state.store.put(
            StoredFile(
                id=job.result_files[0],
                account=job.account,
                flavour=job.flavour,
                filename="step_metrics.csv",
                purpose="fine-tune-results",
                bytes=len(data),
                created_at=self.state.clock.now(),
                digest="",
            )
        )

    async def _after(self, job: Job, delay: float, status: str, message: str) -> None:
        before = job.status
        await self._wait(job, delay)
        self._step(job, before, status, message)

    async def _wait(self, job: Job, delay: float) -> None:
        await self.state.clock.sleep_until(job.status_since + delay)

    def _step(self, job: Job, before: str, status: str, message: str) -> None:
        if job.status == before:  # it may have been cancelled meanwhile
            self._set(job, status, message)

    def _set(self, job: Job, status: str, message: str) -> None:
        job.status, job.status_since = status, self.state.clock.now()
        add_event(self.state, job, message)
        self.state.store.put(job)

    def _fail(self, job: Job, code: str, message: str) -> None:
        job.error = {"code": code, "message": message, "param": "training_file"}
        self._end(job, "failed", message)

    def _end(self, job: Job, status: str, message: str) -> None:
        job.finished_at = self.state.clock.now()
        self._set(job, status, message)
        queue_event(self.state, job.account, f"fine_tuning.job.{status}", job.id)


def add_event(state: EmulatorState, job: Job, message: str, **data: Any) -> None:
    """Add an event to a job."""
    job.events.append(
        Event(
            id=f"ftevent-{secrets.token_hex(12)}",
            created_at=state.clock.now(),
            message=message,
            data=data or None,
        )
    )


def model_id(job: Job) -> str:
    """Return the id of the model that a job makes."""
    digits = job.id.removeprefix("ftjob-")
    if job.flavour == "azure":
        return f"{job.base}.ft-{digits}" + (f"-{job.suffix}" if job.suffix else "")
    return f"ft:{job.base}:embedded:{job.suffix or ''}:{digits[:8]}"


def _checkpoint_id(job: Job) -> str:
    if job.flavour == "azure":
        return f"ftchkpt-{secrets.token_hex(16)}"
    return f"ftckpt_{secrets.token_hex(12)}"


def _epochs(job: Job) -> int:
    value = job.hyperparameters.get("n_epochs", "auto")
    return 3 if value == "auto" else int(value)


def _batch_size(job: Job, examples: int) -> int:
    value = job.hyperparameters.get("batch_size", "auto")
    return max(1, examples // 500 + 1) if value == "auto" else int(value)
