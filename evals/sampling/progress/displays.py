"""Shows snapshots: as bars in a terminal, as plain lines in a log, as a JSON file for another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evals.files import room_for
from evals.sampling.progress.snapshot import RoleProgress, Snapshot

__all__ = ["JsonFileProgress", "LinePrinter", "progress_lines", "progress_view"]

_NOT_FAILURES = frozenset({"answered"})


def progress_view(snapshot: Snapshot) -> RenderableType:
    """Return a snapshot for a terminal of 80 columns or more: a bar for each role, what went wrong, and the spend."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for _ in ("count", "rate", "left"):
        table.add_column(justify="right", no_wrap=True)
    for role, progress in snapshot.roles.items():
        bar = ProgressBar(total=progress.planned, completed=progress.done, width=20)
        rate = "" if snapshot.finished else f"{progress.rate_per_s:,.0f}/s"
        left = (
            "" if snapshot.finished or progress.eta_s is None else f"{_clock(progress.eta_s)} left"
        )
        table.add_row(f"  {role}", bar, _count(progress), rate, Text(left, style="dim"))
    warnings = [
        Text(f"  {role}: {failures}", style="yellow")
        for role, progress in snapshot.roles.items()
        if (failures := _failures(progress))
    ]
    stopping = [Text(f"  {snapshot.stopping}", style="yellow")] if snapshot.stopping else []
    note = [Text(f"  {snapshot.note}", style="yellow")] if snapshot.note else []
    spend = [Text(f"  {_spend(snapshot)}", style="dim")] if snapshot.roles else []
    return Group(table, *warnings, *note, *spend, *stopping)


def progress_lines(snapshot: Snapshot) -> list[str]:
    """Return a snapshot as one line a role, for a log or a page, and one for its note."""
    note = [snapshot.note] if snapshot.note else []
    return note + [
        f"{role}: {_done(progress)} done, {progress.rate_per_s:.1f}/s, {_clock(progress.eta_s)} left, "
        f"{progress.in_flight}/{progress.limit} at once, {_failures(progress) or 'no failures'}; {_spend(snapshot)}"
        for role, progress in snapshot.roles.items()
    ]


class LinePrinter:
    """Writes one line a role every `every_s` seconds and at the end; for logs."""

    def __init__(self, write: Callable[[str], object], *, every_s: float = 10.0) -> None:
        self._write = write
        self._every_s = every_s
        self._next_at = 0.0
        self._note = ""

    def update(self, snapshot: Snapshot) -> None:
        """Write when it is time, or something out of the ordinary begins."""
        news, self._note = snapshot.note != self._note, snapshot.note
        self._next_at = min(self._next_at, snapshot.elapsed_s + self._every_s)  # a new round began
        if not news and not snapshot.finished and snapshot.elapsed_s < self._next_at:
            return
        self._next_at = snapshot.elapsed_s + self._every_s
        for line in progress_lines(snapshot):
            self._write(line)
        if snapshot.finished and snapshot.stopping:
            self._write(snapshot.stopping)


class JsonFileProgress:
    """Keeps the newest snapshot in a file, replaced as a whole, so that another process can show it."""

    def __init__(
        self,
        path: Path,
        *,
        every_s: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._draft = path.with_name(path.name + ".draft")
        self._every_s = every_s
        self._clock = clock
        self._written_at = float("-inf")
        self._note = ""

    def update(self, snapshot: Snapshot) -> None:
        """Write unless the last write is too recent; the last snapshot and a new note are always written."""
        now = self._clock()
        news, self._note = snapshot.note != self._note, snapshot.note
        if not news and not snapshot.finished and now - self._written_at < self._every_s:
            return
        self._written_at = now
        with room_for(self._path):
            self._draft.write_bytes(msgspec.json.encode(snapshot))
            self._draft.replace(self._path)


def _done(progress: RoleProgress) -> str:
    share = f" ({progress.done / progress.planned:.0%})" if progress.planned else ""
    return f"{_count(progress)}{share}"


def _count(progress: RoleProgress) -> str:
    return (
        f"{progress.done:,}"
        if progress.planned is None
        else f"{progress.done:,} of {progress.planned:,}"
    )


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _failures(progress: RoleProgress) -> str:
    parts = [
        f"{n} {name}" for name, n in sorted(progress.outcomes.items()) if name not in _NOT_FAILURES
    ]
    if progress.waiting:
        parts.append(f"{progress.waiting} waiting for a retry{_held_up(progress)}")
    return ", ".join(parts).replace("_", " ")


def _held_up(progress: RoleProgress) -> str:
    again = "" if progress.next_try_s is None else f"the next in {progress.next_try_s:.0f} s"
    why = ", ".join(part for part in (progress.held_up_by, again) if part)
    return f" ({why})" if why else ""


def _spend(snapshot: Snapshot) -> str:
    usd = f"{snapshot.spent_usd:.4f} USD"
    if snapshot.ceiling_usd is not None:
        usd += f" of {snapshot.ceiling_usd:g}"
    tokens = f"{snapshot.spent_tokens:,} tokens"
    if snapshot.ceiling_tokens is not None:
        tokens += f" of {snapshot.ceiling_tokens:,}"
    return f"{usd}, {tokens}"
