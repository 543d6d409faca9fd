"""A target with two models that went live one after the other on the embedded platform; made once, copied for each test."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.project import Project

from flows.cli import run
from flows.emulator.server import Emulator
from flows.evaluation import steps
from flows.evaluation.request import request_run, resolve
from flows.platforms.base import TriggerRef
from flows.platforms.fine_tuning import jobs
from flows.platforms.table import open_platform
from flows.release import go_live
from flows.settings import load_settings

TARGET = "teams"
SYSTEM = "Which team is this for?"
WORDS = {"billing": ["invoice", "refund", "receipt"], "bug": ["crash", "error", "blank"]}
GATE = """
version: 1
name: teams
first_release: absolute_checks
early_stop: false
checks: [{metric: team.accuracy, at_least: 0.5, max_drop: 0.2}]
"""
TARGET_FILE = """
version: 1
name: teams
platform: embedded
suites: [teams]
gate: teams
promotion: {smoke_cases: 2}
publish: [{file: {path: live.json}}]
"""
SUITE = {
    "version": 1,
    "name": TARGET,
    "prompt": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "{{ item.text }}"},
    ],
    "graders": [{"name": "team", "type": "label", "labels": sorted(WORDS)}],
}


def sentences(first: int, number: int) -> Iterator[tuple[str, str]]:
    for label, words in WORDS.items():
        for count in range(first, first + number):
            yield f"number {count}: about the {words[count % 3]} of last week", label


def new_signing_key() -> str:
    """Return a private key as GATEWRIGHT_SIGNING_KEY holds it."""
    raw = Ed25519PrivateKey.generate().private_bytes(
        Encoding.Raw, PrivateFormat.Raw, NoEncryption()
    )
    return base64.b64encode(raw).decode()


@dataclass(frozen=True)
class Original:
    """What the places of all tests are copies of."""

    folder: Path
    runs: tuple[str, str]
    emulator: Emulator
    signing_key: str


@contextmanager
def two_promoted(folder: Path) -> Iterator[Original]:
    """Start an emulator, and take two fine-tunes all the way to be live, one after the other."""
    with Emulator(folder / "emulator", port=0) as emulator, pytest.MonkeyPatch.context() as patch:
        place = Place(folder / "place", ("", ""), emulator, new_signing_key())
        place.write_target(TARGET, TARGET_FILE)
        place.write_gate(TARGET, GATE)
        cases = (
            {"id": f"c{number}", "item": {"text": text}, "expected": label}
            for number, (text, label) in enumerate(sentences(100, 20))
        )
        place.write_suite(TARGET, SUITE, cases)
        place.enter(patch)
        runs = asyncio.run(_promote_both())
        patch.undo()
        yield Original(place.folder, runs, emulator, place.signing_key)


class Place(Project):
    """The copy of one test: its folder, its two runs, and what a person does to it."""

    def __init__(
        self, folder: Path, runs: tuple[str, str], emulator: Emulator, signing_key: str
    ) -> None:
        self.runs, self.emulator, self.signing_key = runs, emulator, signing_key
        settings = {
            "GATEWRIGHT_EMBEDDED_URL": emulator.url,
            "GATEWRIGHT_SIGNING_KEY": signing_key,
            "COLUMNS": "200",
        }
        super().__init__(folder, more=settings)

    @property
    def published(self) -> Path:
        return self.folder / "live.json"

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Have the environment point here."""
        for name, value in self.environment.items():
            patch.setenv(name, value)

    def run(self, *arguments: str, **environment: str) -> int:
        """Run the command line in this process and return its exit code."""
        with pytest.MonkeyPatch.context() as patch:
            self.enter(patch)
            for name, value in environment.items():
                patch.setenv(name, value)
            return run([*arguments])


def copy_of(original: Original, folder: Path) -> Place:
    """Copy the original for a test that may change everything."""
    shutil.copytree(original.folder, folder)
    return Place(folder, original.runs, original.emulator, original.signing_key)


async def _promote_both() -> tuple[str, str]:
    first = await _promote(await fine_tune("v1"))
    return first, await _promote(await fine_tune("v2"))


async def fine_tune(
    name: str, base_model: str = "gpt-4.1-mini-2025-04-14", wrong: float = 0.0
) -> str:
    """Train a model on the embedded platform; returns the job's id. With `wrong`, a share of what it learns is wrong."""
    platform = open_platform("embedded", {}, os.environ)
    rows = (
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": text},
                {"role": "assistant", "content": label},
            ]
        }
        for number, (text, right) in enumerate(sentences(0, 15))
        for label in [
            right if number % 10 >= 10 * wrong else "bug" if right == "billing" else "billing"
        ]
    )
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    try:
        file = await jobs.upload_file(platform, content, poll_s=0.05)
        job = await jobs.create_job(
            platform, model=base_model, training_file=file, suffix=name, seed=1
        )
        return (await jobs.wait_finished(platform, job.id, poll_s=0.1)).id
    finally:
        await platform.aclose()


async def _promote(job_id: str) -> str:
    """Take a candidate the whole way as the flow does, without Prefect."""
    settings = load_settings()
    record, _ = request_run(
        settings, TARGET, TriggerRef(job_id=job_id), kind="promotion", actor="webhook"
    )
    await resolve(settings, record.run_id)
    await steps.deploy_candidate(settings, record.run_id)
    await steps.ask_round(settings, record.run_id, 1)
    steps.conclude(settings, record.run_id)
    outcome = await go_live.go_live(settings, record.run_id)
    assert outcome.state == "live", outcome
    await steps.clean_up(settings, record.run_id)
    return record.run_id
