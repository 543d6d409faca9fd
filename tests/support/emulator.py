"""The embedded platform with two fine-tunes on it: started and trained once, handed to each test with nothing deployed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.emulator.server import Emulator
from flows.emulator.state.documents import Deployment, Operation, Tombstone, TunedModel
from flows.emulator.switches import Switches
from flows.platforms.base import SpeaksOpenAI
from flows.platforms.deadlines import PollingPace
from flows.platforms.embedded import open_embedded
from flows.platforms.fine_tuning import jobs
from flows.platforms.fine_tuning.records import Job, JobCheckpoint

__all__ = [
    "LIVING",
    "QUICK",
    "WORDS",
    "TrainedModels",
    "emulator_with_models",
    "fine_tuned_open_model",
    "finish_operations",
    "question",
    "train",
    "training_lines",
    "without_deployments",
]

QUICK = PollingPace(
    request=300, poll=0.02, probe=0.02, deploy=900, delete=900, ready=900, first_pause=0.02
)
"""In a hurry where nothing has to be waited for, and patient where a busy machine takes its time."""

LIVING = {
    "*": {
        "training_ends": "2099-04-14",
        "base_inference_ends": "2099-10-14",
        "fine_tunes_end": "2100-10-14",
    }
}
"""No model ends while tests run, whenever that is and however far they move the clock."""

FAST: dict[str, Any] = {
    "provisioning_s": 0.03,
    "deleting_s": 0.02,
    "dataplane_lag_s": 0.0,
    "arm_retry_after_s": 0,
    "quota_release_s": 0.0,
    "latency_ms": [0, 1],
    "model_dates": LIVING,
}
WORDS = ("billing", "login", "shipping")
BASE_MODEL = "gpt-4.1-mini-2025-04-14"


@dataclass(frozen=True)
class TrainedModels:
    """Two finished fine-tunes, and the checkpoints of the first."""

    first: Job
    second: Job
    checkpoints: tuple[JobCheckpoint, ...]


def question(word: str, number: int) -> str:
    """Return what a user asks who needs the team `word`."""
    return f"{word} question number {number}, please help"


def training_lines() -> bytes:
    """Return 36 chat examples as JSON lines: the answer to a question is its first word."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": question(word, number)},
                {"role": "assistant", "content": word},
            ]
        }
        for number in range(12)
        for word in WORDS
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


async def train(platform: SpeaksOpenAI, suffix: str, data: bytes | None = None) -> Job:
    """Fine-tune a model on `training_lines` (or other data) and return its finished job."""
    file = await jobs.upload_file(platform, data or training_lines(), poll_s=0.02)
    job = await jobs.create_job(platform, model=BASE_MODEL, training_file=file, suffix=suffix)
    return await jobs.wait_finished(platform, job.id, poll_s=0.05, timeout_s=900)


async def _train_both(url: str) -> TrainedModels:
    platform = open_embedded({}, {"GATEWRIGHT_EMBEDDED_URL": url}, pace=QUICK)
    try:
        first, second = [await train(platform, suffix) for suffix in ("one", "two")]
        return TrainedModels(first, second, await jobs.checkpoints(platform, first.id))
    finally:
        await platform.aclose()


@contextmanager
def emulator_with_models(folder: Path) -> Iterator[tuple[Emulator, TrainedModels]]:
    """Run an emulator and train both models on it; in a thread, since the test's own loop may be running."""
    with Emulator(folder) as emulator, ThreadPoolExecutor(1) as thread:
        trained = thread.submit(lambda: asyncio.run(_train_both(emulator.url))).result()
        yield emulator, trained


@contextmanager
def fine_tuned_open_model(emulator: Emulator, weights_of: Job, base: str) -> Iterator[str]:
    """A fine-tune of an open model on the emulator, with the weights of another; gives its id."""
    store = emulator.state.store
    weights = store.get(TunedModel, weights_of.model_id or "")
    assert weights is not None
    digits = "ab12" * 8
    made = TunedModel(
        id=f"{base}.ft-{digits}-Router",
        account=weights.account,
        flavour="azure",
        base=base,
        job=f"ftjob-{digits}",
        artifact=weights.artifact,
        created_at=weights.created_at,
    )
    store.put(made)
    yield made.id
    store.delete(TunedModel, made.id)


@contextmanager
def without_deployments(shared: Emulator) -> Iterator[Emulator]:
    """Nothing deployed, switches at their defaults but quick, and an empty log: it forgets after 10,000 requests."""
    _clear(shared)
    shared.set(**FAST)
    yield shared
    _clear(shared)


def _clear(shared: Emulator) -> None:
    state = shared.state
    state.log.clear()
    for kind in (Deployment, Tombstone):
        for one in state.store.all(kind):
            state.store.delete(kind, one.id)
    shared.switches = Switches()


def finish_operations(emulator: Emulator) -> None:
    """Let what the control plane is about to do be done now, however long it was told to take."""
    now, store = emulator.clock.now(), emulator.state.store
    for deployment in store.all(Deployment):
        deployment.settles_at = min(deployment.settles_at, now)
        deployment.serves_at = min(deployment.serves_at, now)
        store.put(deployment)
    for operation in store.all(Operation):
        operation.settles_at = min(operation.settles_at, now)
        store.put(operation)
