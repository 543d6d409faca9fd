"""A project of its own for a test: targets, gates and suites in a folder, and the command line on it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.paths import ROOT

from evals.config.yaml_lines import dump_yaml
from evals.records import Endpoint
from flows.cli import run
from flows.registry.records import NewPointer
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["CommandResult", "Project", "adopt", "copy_of_ours"]


FOREIGN = ("AZURE_", "OPENAI_", "PREFECT_", "GATEWRIGHT_")
"""What variables of the developer's own environment begin with, which no test may see."""


@dataclass
class CommandResult:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Project:
    """A folder with targets, gates, suites and a home; `environment` makes the command line work on it."""

    folder: Path
    actor: str = "ana"
    more: dict[str, str] = field(default_factory=dict)
    suites: Path | None = None
    """A folder of suites that are not changed: read once for many tests."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def targets(self) -> Path:
        return self.folder / "targets"

    @property
    def gates(self) -> Path:
        return self.folder / "gates"

    @property
    def datasets(self) -> Path:
        return self.suites or self.folder / "datasets"

    @property
    def settings(self) -> Settings:
        """What `load_settings` returns inside of `environment`."""
        return Settings(
            home=self.home,
            registry_url=f"sqlite:///{self.home / 'registry.db'}",
            targets=self.targets,
            gates=self.gates,
            datasets=self.datasets,
            actor=self.actor,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "GATEWRIGHT_HOME": str(self.home),
            "GATEWRIGHT_TARGETS": str(self.targets),
            "GATEWRIGHT_GATES": str(self.gates),
            "GATEWRIGHT_DATASETS": str(self.datasets),
            "GATEWRIGHT_ACTOR": self.actor,
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "COLUMNS": "160",
            **self.more,
        }

    def write_target(self, name: str, content: str | Mapping[str, Any]) -> Path:
        """Write targets/<name>.yaml, from its text or from plain data; return its path."""
        return _write(self.targets / f"{name}.yaml", content)

    def write_gate(self, name: str, content: str | Mapping[str, Any]) -> Path:
        """Write gates/<name>.yaml, from its text or from plain data; return its path."""
        return _write(self.gates / f"{name}.yaml", content)

    def write_suite(
        self, name: str, content: str | Mapping[str, Any], cases: Iterable[Mapping[str, Any]]
    ) -> Path:
        """Write a suite's suite.yaml and cases.jsonl; return its folder."""
        folder = self.datasets / name
        _write(folder / "suite.yaml", content)
        rows = "".join(json.dumps(case) + "\n" for case in cases)
        (folder / "cases.jsonl").write_text(rows, "utf-8")
        return folder

    def command(self, *arguments: str, **environment: str) -> CommandResult:
        """Run the command line in this process, which is quicker than one of its own."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith(FOREIGN)]:
                patch.delenv(name)
            for name, value in {**self.environment, **environment}.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            code = run(list(arguments))
        return CommandResult(code, out.getvalue(), err.getvalue())

    def gatewright(self, *arguments: str, **environment: str) -> CommandResult:
        """Run the command line in a process of its own, in this project."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**clean, **self.environment, **environment},
            timeout=900,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def change(self, path: Path, old: str, new: str) -> None:
        """Replace the first `old` in a file, which has to be there."""
        text = path.read_text("utf-8")
        assert old in text, f"{old!r} is not in {path.name}"
        path.write_text(text.replace(old, new, 1), "utf-8")

    def change_line(self, path: Path, number: int, change: Callable[[str], str]) -> None:
        rows = path.read_text("utf-8").splitlines()
        rows[number - 1] = change(rows[number - 1])
        path.write_text("\n".join(rows) + "\n", "utf-8")

    # ---- of the copy of ours

    @property
    def cases(self) -> Path:
        return self.datasets / "support-triage" / "cases.jsonl"

    @property
    def gate(self) -> Path:
        return self.gates / "support-triage.yaml"

    @property
    def target(self) -> Path:
        return self.targets / "support-triage.yaml"


def copy_of_ours(folder: Path) -> Project:
    """Copy the targets, gates and suites that Gatewright comes with, free to be broken."""
    shutil.copytree(ROOT / "flows" / "targets", folder / "targets")
    shutil.copytree(ROOT / "evals" / "gates", folder / "gates")
    shutil.copytree(ROOT / "datasets", folder / "datasets")
    return Project(folder)


def adopt(
    registry: Registry,
    target: str,
    model: str,
    *,
    base_url: str = "http://127.0.0.1:1/v1",
    platform: str = "embedded",
    actor: str = "ana",
    reason: str = "runs already",
) -> None:
    """Make a model live for a target because a person says so."""
    endpoint = Endpoint(base_url=base_url, model=model, model_id=model, slot="production")
    registry.switch(
        NewPointer(target=target, model_id=model, platform=platform, endpoint=endpoint),
        expected_generation=registry.generation(target),
        actor=actor,
        reason=reason,
        kind="adopt",
    )


def _write(path: Path, content: str | Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else dump_yaml(content), "utf-8")
    return path
