"""Where Gatewright keeps and finds things: environment variables over defaults, read when asked, never at import.

GATEWRIGHT_HOME           state of this installation: registry, runs, reports       .gatewright
GATEWRIGHT_REGISTRY_URL   SQLAlchemy URL of the registry                            sqlite in the home
GATEWRIGHT_TARGETS        folder of target files                                    flows/targets
GATEWRIGHT_GATES          folder of gate policies                                   evals/gates
GATEWRIGHT_DATASETS       folder of suites                                          datasets
GATEWRIGHT_ACTOR          who is acting, for the record                             the login name
"""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path

from evals.report.sanitise import one_line

__all__ = ["Settings", "load_settings", "prefect_home"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Resolved locations; every path is absolute."""

    home: Path
    registry_url: str
    targets: Path
    gates: Path
    datasets: Path
    actor: str

    @property
    def runs(self) -> Path:
        """Folder with one folder for each run: journals, scores, verdict and report."""
        return self.home / "runs"

    def run_folder(self, run_id: str) -> Path:
        """Folder of one run (not created here)."""
        return self.runs / run_id


def load_settings() -> Settings:
    """Read the environment once and return the settings it asks for."""
    home = _path("GATEWRIGHT_HOME", ".gatewright")
    default_url = f"sqlite:///{home / 'registry.db'}"
    return Settings(
        home=home,
        registry_url=os.environ.get("GATEWRIGHT_REGISTRY_URL") or default_url,
        targets=_path("GATEWRIGHT_TARGETS", "flows/targets"),
        gates=_path("GATEWRIGHT_GATES", "evals/gates"),
        datasets=_path("GATEWRIGHT_DATASETS", "datasets"),
        actor=one_line(os.environ.get("GATEWRIGHT_ACTOR") or _login()),
    )


def prefect_home() -> Path:
    """Return the folder where Prefect on this machine keeps its database, and what else is its own."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def _path(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser().resolve()


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container user without a passwd entry
        return f"uid-{os.getuid()}"
