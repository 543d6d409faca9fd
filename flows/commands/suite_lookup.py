"""From what a person calls a suite or a gate to the thing itself, with the nearest name when there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from evals.errors import ConfigurationError, Problem, nearest
from evals.suites.leakage import DEFAULT_POLICY
from flows.settings import Settings

if TYPE_CHECKING:
    from evals.suites.opened import OpenedSuite

__all__ = ["folders_of", "open_all", "overlap_policy", "refuse_all"]


def open_all(folders: list[Path]) -> list[OpenedSuite]:
    """Open suites. Raises ConfigurationError with the problems of all of them together."""
    from evals.suites.opened import open_suite

    opened, problems = [], list[Problem]()
    for folder in folders:
        try:
            opened.append(open_suite(folder))
        except ConfigurationError as error:
            problems.extend(error.problems)
    refuse_all(problems)
    return opened


def folders_of(settings: Settings, suite: str | None) -> list[Path]:
    """Return the folder of a suite, by name or path; of all suites without one. Raises ConfigurationError."""
    known = sorted(path.parent for path in settings.datasets.glob("*/suite.yaml"))
    if suite is None:
        if not known:
            message = f"expected suites in {settings.datasets}; found none"
            refuse_all([Problem(where="datasets", message=message, fix="set GATEWRIGHT_DATASETS")])
        return known
    for folder in (settings.datasets / suite, Path(suite)):
        if (folder / "suite.yaml").is_file():
            return [folder]
    names = [path.name for path in known]
    message = f"there is no suite '{suite}' in {settings.datasets}"
    raise ConfigurationError(Problem(where="suite", message=message, fix=nearest(suite, names)))


def overlap_policy(settings: Settings, gate: str | None) -> Mapping[str, str]:
    """Return what a gate says of cases that were trained on; the default without a gate. Raises ConfigurationError."""
    if gate is None:
        return DEFAULT_POLICY
    from evals.gate.policy import load_policy

    path = settings.gates / f"{gate}.yaml"
    if not path.is_file():
        names = [found.stem for found in settings.gates.glob("*.yaml")]
        message = f"there is no gate '{gate}' in {settings.gates}"
        raise ConfigurationError(Problem(where="--gate", message=message, fix=nearest(gate, names)))
    return load_policy(path).training_overlap


def refuse_all(problems: Iterable[Problem]) -> None:
    """Raise ConfigurationError with these problems; return when there are none."""
    found = list(problems)
    if found:
        raise ConfigurationError(found)
