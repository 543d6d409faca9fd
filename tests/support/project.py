"""A project of its own for a test: targets, gates and datasets in a temporary folder, and the command line on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Project:
    """Copies of the project's own targets, gates and suites, free to be broken."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def targets(self) -> Path:
        return self.folder / "targets"

    @property
    def gates(self) -> Path:
        return self.folder / "gates"

    @property
    def datasets(self) -> Path:
        return self.folder / "datasets"

    @property
    def cases(self) -> Path:
        return self.datasets / "support-triage" / "cases.jsonl"

    @property
    def gate(self) -> Path:
        return self.gates / "support-triage.yaml"

    @property
    def target(self) -> Path:
        return self.targets / "support-triage.yaml"

    def gatewright(self, *arguments: str, **environment: str) -> Answer:
        """Run the command line in a process of its own, in this project."""
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AZURE_", "OPENAI_", "PREFECT_", "GATEWRIGHT_"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**clean, **self.environment, **environment},
            timeout=300,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text("utf-8")
        assert old in text, f"{old!r} is not in {path.name}"
        path.write_text(text.replace(old, new, 1), "utf-8")

    def change_line(self, path: Path, number: int, change: Callable[[str], str]) -> None:
        rows = path.read_text("utf-8").splitlines()
        rows[number - 1] = change(rows[number - 1])
        path.write_text("\n".join(rows) + "\n", "utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copytree(ROOT / "flows" / "targets", tmp_path / "targets")
    shutil.copytree(ROOT / "evals" / "gates", tmp_path / "gates")
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets")
    environment = {
        "GATEWRIGHT_HOME": str(tmp_path / "home"),
        "GATEWRIGHT_TARGETS": str(tmp_path / "targets"),
        "GATEWRIGHT_GATES": str(tmp_path / "gates"),
        "GATEWRIGHT_DATASETS": str(tmp_path / "datasets"),
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "COLUMNS": "160",
    }
    return Project(tmp_path, environment)
