"""Turning a training file into weights on disk: the model itself and its two earlier checkpoints.

An earlier checkpoint is the same network trained on the first part of the (shuffled) examples, so that it is a real,
somewhat worse model. Same file and seed, same weights.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from flows.emulator.models.conversation import Example
from flows.emulator.models.heads import Network, train_network

__all__ = ["CHECKPOINT_SHARES", "TrainingResult", "train_to_disk"]

CHECKPOINT_SHARES = (0.5, 0.75, 1.0)
"""Shares of the examples that the last three epochs have seen; the last one is the model."""

_CHECKPOINT_EXAMPLES = 2_000
"""Most examples for an earlier checkpoint, so that a big training doesn't take three times as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """The result of a training: an artifact's file name and training accuracy for each of the last three epochs."""

    artifacts: tuple[str, ...]
    accuracies: tuple[float, ...]


def train_to_disk(
    examples: Sequence[Example], *, seed: int, folder: Path, name: str
) -> TrainingResult:
    """Train and write `folder/<name>-<n>.joblib`; runs in a worker thread, on one core."""
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = list(examples)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - order of examples, not a secret
    artifacts, accuracies = [], []
    with threadpool_limits(limits=1):
        for number, share in enumerate(CHECKPOINT_SHARES):
            seen = len(shuffled) if share == 1.0 else min(_CHECKPOINT_EXAMPLES, len(shuffled))
            network = train_network(shuffled[: max(1, round(share * seen))], seed=seed)
            artifact = f"{name}-{number}.joblib"
            _write(network, folder / artifact)
            artifacts.append(artifact)
            accuracies.append(_accuracy(network, shuffled[:40]))
    return TrainingResult(artifacts=tuple(artifacts), accuracies=tuple(accuracies))


def _write(network: Network, path: Path) -> None:
    partial = path.with_suffix(".partial")
    joblib.dump(network, partial)
    partial.replace(path)


def _accuracy(network: Network, examples: Sequence[Example]) -> float:
    right = sum(network.answer(one.prompt, one.question).text == one.answer for one in examples)
    return right / len(examples)
