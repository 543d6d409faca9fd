"""The gate and the suites that a target names: where they are, or which name comes nearest."""

from __future__ import annotations

from pathlib import Path

from evals.config.documents import load_yaml
from evals.errors import ConfigurationError, Problem, nearest
from flows.config.target import Target
from flows.settings import Settings

__all__ = ["gate_file", "require_suites", "suite_folder"]


def gate_file(settings: Settings, target: Target) -> Path:
    """Return the file of a target's gate. Raises ConfigurationError when there is none."""
    return _named(settings.gates, f"{target.gate}.yaml", "gate", target)


def suite_folder(settings: Settings, target: Target, name: str) -> Path:
    """Return the folder of one of a target's suites. Raises ConfigurationError when there is none."""
    return _named(settings.datasets, name, "suite", target)


def require_suites(settings: Settings, target: Target) -> None:
    """Check that the suites of a target are there and can be read, all but the cases, which may be many.

    Raises ConfigurationError with what is wrong with the first that has a problem.
    """
    for name in target.suites:
        load_yaml(suite_folder(settings, target, name) / "suite.yaml")


def _named(folder: Path, name: str, what: str, target: Target) -> Path:
    path = folder / name
    if path.exists():
        return path
    known = [entry.stem if what == "gate" else entry.name for entry in sorted(folder.glob("*"))]
    raise ConfigurationError(
        Problem(
            where=target.path,
            field=what if what == "gate" else "suites",
            message=f"there is no {what} '{path.stem if what == 'gate' else name}' in {folder}",
            fix=nearest(path.stem, known),
        )
    )
