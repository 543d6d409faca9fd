"""Where the project stands, and the environment in which a test starts a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment with a search path on which the project and `support` are found."""
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), *([before] if before else [])])
    return {**os.environ, "PYTHONPATH": path, **more}
