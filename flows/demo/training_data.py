"""The training files of the demo's three fine-tunes: few examples, all of them, and all with a share corrupted."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from evals.records import Record

__all__ = ["VERSIONS", "Version", "training_file"]

SOURCES = ("support-triage", "policy-refusals")
SEED = 7


class Version(Record, frozen=True, kw_only=True):
    """One fine-tune of the story. `share` of the examples is used, `corrupted` of those get another one's answer."""

    name: str
    share: float
    corrupted: float
    story: str


VERSIONS = (
    Version(name="v1", share=0.4, corrupted=0.0, story="a first model, trained on few examples"),
    Version(name="v2", share=1.0, corrupted=0.0, story="the next one, trained on all examples"),
    Version(
        name="v3",
        share=1.0,
        corrupted=0.35,
        story="all examples, but a third of the labels got mixed up",
    ),
)


def training_file(datasets: Path, version: Version) -> bytes:
    """Return the chat fine-tuning JSONL of a version; the same bytes every time."""
    rng = random.Random(SEED)  # noqa: S311 - which examples are taken is no secret
    examples: list[dict[str, Any]] = []
    for source in SOURCES:
        lines = (datasets / source / "train.jsonl").read_text("utf-8").splitlines()
        examples += [
            json.loads(line) for line in rng.sample(lines, round(len(lines) * version.share))
        ]
    _corrupt(examples, version.corrupted, rng)
    rng.shuffle(examples)
    return b"".join(
        json.dumps(example, ensure_ascii=False).encode() + b"\n" for example in examples
    )


def _corrupt(examples: list[dict[str, Any]], share: float, rng: random.Random) -> None:
    """Hand the answers of a share of the examples on to one another, within the same task."""
    tasks: dict[str, list[int]] = {}
    for position, example in enumerate(examples):
        tasks.setdefault(example["messages"][0]["content"], []).append(position)
    for positions in tasks.values():
        chosen = rng.sample(positions, round(len(positions) * share))
        answers = [examples[position]["messages"][-1] for position in chosen]
        for position, answer in zip(chosen, answers[1:] + answers[:1], strict=True):
            examples[position]["messages"][-1] = answer
