"""Progress of a run, written where another process can show it, and read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from evals.gate.looks import LookEvent
from evals.records import decode
from evals.sampling.progress.displays import JsonFileProgress
from evals.sampling.progress.snapshot import ManySinks, ProgressSink, Snapshot
from flows.platforms.deadlines import tell_of_wait, telling_of_waits

__all__ = [
    "PROGRESS_FILE",
    "WaitsOfAsking",
    "last_look",
    "newest_snapshot",
    "run_progress",
    "waits_shown",
]

PROGRESS_FILE = "progress.json"
_COARSE_S = 1.0
"""By so much the times of a file system may lie behind the clock."""


def run_progress(folder: Path, shown: ProgressSink | None) -> ProgressSink:
    """Return a sink that writes `<folder>/progress.json` and passes snapshots on to `shown`."""
    file = JsonFileProgress(folder / PROGRESS_FILE)
    return file if shown is None else ManySinks([file, shown])


@contextmanager
def waits_shown(folder: Path) -> Iterator[None]:
    """Have what is waited for within a block written to `<folder>/progress.json`, until the block ends."""
    file = JsonFileProgress(folder / PROGRESS_FILE)
    told = False

    def tell(note: str) -> None:
        nonlocal told
        told = True
        folder.mkdir(parents=True, exist_ok=True)  # a run that was just requested has none
        file.update(Snapshot(elapsed_s=0.0, roles={}, note=note))

    with telling_of_waits(tell):
        try:
            yield
        finally:
            if told:  # over: it must not stand there while something else is done
                file.update(Snapshot(elapsed_s=0.0, roles={}))


class WaitsOfAsking:
    """A sink for questions asked on the side: it shows what they wait for, and no progress."""

    def __init__(self) -> None:
        self._note = ""

    def update(self, snapshot: Snapshot) -> None:
        """Tell of a note that is new."""
        news, self._note = snapshot.note != self._note, snapshot.note
        if news and snapshot.note:
            tell_of_wait(snapshot.note)


def newest_snapshot(folder: Path, since: float) -> Snapshot | None:
    """Return the newest snapshot; None when none was written after `since` (seconds since 1970): older ones tell of a
    process that is gone.
    """
    path = folder / PROGRESS_FILE
    with suppress(OSError, msgspec.DecodeError):  # not there yet, or written by another version
        if path.stat().st_mtime >= since - _COARSE_S:
            return decode(path.read_bytes(), Snapshot)
    return None


def last_look(folder: Path) -> LookEvent | None:
    """Return the last look a run has made; None before the first, or when all its cases are asked at once."""
    from evals.gate.look_store import LookStore

    events = LookStore(folder).events()
    return events[-1] if events else None
