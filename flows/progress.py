"""Progress of a run, written where another process can show it."""

from __future__ import annotations

from pathlib import Path

from evals.sampling.displays import JsonFileProgress
from evals.sampling.progress import ManySinks, ProgressSink

__all__ = ["PROGRESS_FILE", "run_progress"]

PROGRESS_FILE = "progress.json"


def run_progress(folder: Path, shown: ProgressSink | None) -> ProgressSink:
    """Return a sink that writes `<folder>/progress.json` and passes snapshots on to `shown`."""
    file = JsonFileProgress(folder / PROGRESS_FILE)
    return file if shown is None else ManySinks([file, shown])
