"""A target with two models that went live one after the other on the embedded platform; made once, copied for each test."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flows.emulator.server import Emulator
from flows.platforms.fine_tuning import jobs
from flows.platforms.table import open_platform
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


@pytest.fixture(scope="session")
def place_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), port=0) as running:
        yield running


@pytest.fixture(scope="session")
def signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return base64.b64encode(raw).decode()


@pytest.fixture(scope="session")
def original(
    tmp_path_factory: pytest.TempPathFactory, place_emulator: Emulator, signing_key: str
) -> tuple[Path, tuple[str, str]]:
    folder = tmp_path_factory.mktemp("original")
    _write(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environment(folder, place_emulator, signing_key).items():
            patch.setenv(name, value)
        runs = asyncio.run(_promote_both())
    return folder, runs


class Place:
    """The copy of one test: its folder, its two runs, and what a person does to it."""

    def __init__(self, folder: Path, runs: tuple[str, str], environment: dict[str, str]) -> None:
        self.folder, self.runs, self.environment = folder, runs, environment

    @property
    def published(self) -> Path:
        return self.folder / "live.json"

    def gatewright(self, *arguments: str, **environment: str) -> Any:
        from flows.cli import run

        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.environment, **environment}.items():
                patch.setenv(name, value)
            return run([*arguments])


@pytest.fixture
def place(
    original: tuple[Path, tuple[str, str]],
    tmp_path: Path,
    place_emulator: Emulator,
    signing_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    source, runs = original
    folder = tmp_path / "place"
    shutil.copytree(source, folder)
    environment = _environment(folder, place_emulator, signing_key)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Place(folder, runs, environment)


def _write(folder: Path) -> None:
    for name in ("targets", "gates", f"datasets/{TARGET}"):
        (folder / name).mkdir(parents=True)
    (folder / "targets" / f"{TARGET}.yaml").write_text(TARGET_FILE)
    (folder / "gates" / f"{TARGET}.yaml").write_text(GATE)
    suite = folder / "datasets" / TARGET
    (suite / "suite.yaml").write_text(json.dumps(SUITE))
    rows = (
        {"id": f"c{number}", "item": {"text": text}, "expected": label}
        for number, (text, label) in enumerate(sentences(100, 20))
    )
    (suite / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _environment(folder: Path, emulator: Emulator, key: str) -> dict[str, str]:
    return {
        "GATEWRIGHT_HOME": str(folder / "home"),
        "GATEWRIGHT_TARGETS": str(folder / "targets"),
        "GATEWRIGHT_GATES": str(folder / "gates"),
        "GATEWRIGHT_DATASETS": str(folder / "datasets"),
        "GATEWRIGHT_EMBEDDED_URL": emulator.url,
        "GATEWRIGHT_ACTOR": "ana",
        "GATEWRIGHT_SIGNING_KEY": key,
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


async def _promote_both() -> tuple[str, str]:
    first = await _promote(await _fine_tune("v1"))
    return first, await _promote(await _fine_tune("v2"))


async def _fine_tune(name: str) -> str:
    platform = open_platform("embedded", {}, os.environ)
    rows = (
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": text},
                {"role": "assistant", "content": label},
            ]
        }
        for text, label in sentences(0, 15)
    )
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    try:
        file = await jobs.upload_file(platform, content, poll_s=0.05)
        job = await jobs.create_job(
            platform, model="gpt-4.1-mini-2025-04-14", training_file=file, suffix=name, seed=1
        )
        return (await jobs.wait_finished(platform, job.id, poll_s=0.1)).id
    finally:
        await platform.aclose()


async def _promote(job_id: str) -> str:
    """Take a candidate the whole way as the flow does, without Prefect."""
    from flows.evaluation import steps
    from flows.evaluation.request import request_run, resolve
    from flows.platforms.base import TriggerRef
    from flows.release import go_live

    settings = load_settings()
    run, _ = request_run(
        settings, TARGET, TriggerRef(job_id=job_id), kind="promotion", actor="webhook"
    )
    await resolve(settings, run.run_id)
    await steps.deploy_candidate(settings, run.run_id)
    await steps.ask_round(settings, run.run_id, 1)
    steps.conclude(settings, run.run_id)
    outcome = await go_live.go_live(settings, run.run_id)
    assert outcome.state == "live", outcome
    await steps.clean_up(settings, run.run_id)
    return run.run_id
