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

from evals.sampling.progress.snapshot import RoleProgress, Snapshot

__all__ = ["JsonFileProgress", "LinePrinter", "progress_lines", "progress_view"]

_NOT_TROUBLE = frozenset({"answered"})


def progress_view(snapshot: Snapshot) -> RenderableType:
    """Return a snapshot for a terminal of 80 columns or more: a bar for each role, what went wrong, and the spend."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for _ in ("count", "rate", "left"):
        table.add_column(justify="right", no_wrap=True)
    for role, seen in snapshot.roles.items():
        bar = ProgressBar(total=seen.planned, completed=seen.done, width=20)
        rate = "" if snapshot.finished else f"{seen.rate_per_s:,.0f}/s"
        left = "" if snapshot.finished or seen.eta_s is None else f"{_clock(seen.eta_s)} left"
        table.add_row(f"  {role}", bar, _count(seen), rate, Text(left, style="dim"))
    troubles = [
        Text(f"  {role}: {trouble}", style="yellow")
        for role, seen in snapshot.roles.items()
        if (trouble := _trouble(seen))
    ]
    stopping = [Text(f"  {snapshot.stopping}", style="yellow")] if snapshot.stopping else []
    return Group(table, *troubles, Text(f"  {_spend(snapshot)}", style="dim"), *stopping)


def progress_lines(snapshot: Snapshot) -> list[str]:
    """Return a snapshot as one line a role, for a log or a page."""
    return [
        f"{role}: {_done(seen)} done, {seen.rate_per_s:.1f}/s, {_clock(seen.eta_s)} left, "
        f"{seen.in_flight}/{seen.limit} at once, {_trouble(seen) or 'no trouble'}; {_spend(snapshot)}"
        for role, seen in snapshot.roles.items()
    ]


class LinePrinter:
    """Writes one line a role every `every_s` seconds and at the end; for logs."""

    def __init__(self, write: Callable[[str], object], *, every_s: float = 10.0) -> None:
        self._write = write
        self._every_s = every_s
        self._next_at = 0.0

    def update(self, snapshot: Snapshot) -> None:
        """Write when it is time."""
        self._next_at = min(self._next_at, snapshot.elapsed_s + self._every_s)  # a new round began
        if not snapshot.finished and snapshot.elapsed_s < self._next_at:
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

    def update(self, snapshot: Snapshot) -> None:
        """Write unless the last write is too recent; the last snapshot is always written."""
        now = self._clock()
        if not snapshot.finished and now - self._written_at < self._every_s:
            return
        self._written_at = now
        self._draft.write_bytes(msgspec.json.encode(snapshot))
        self._draft.replace(self._path)


def _done(seen: RoleProgress) -> str:
    share = f" ({seen.done / seen.planned:.0%})" if seen.planned else ""
    return f"{_count(seen)}{share}"


def _count(seen: RoleProgress) -> str:
    return f"{seen.done:,}" if seen.planned is None else f"{seen.done:,} of {seen.planned:,}"


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _trouble(seen: RoleProgress) -> str:
    parts = [f"{n} {name}" for name, n in sorted(seen.outcomes.items()) if name not in _NOT_TROUBLE]
    parts += [f"{seen.waiting} waiting for a retry"] if seen.waiting else []
    return ", ".join(parts).replace("_", " ")


def _spend(snapshot: Snapshot) -> str:
    usd = f"{snapshot.spent_usd:.4f} USD"
    if snapshot.ceiling_usd is not None:
        usd += f" of {snapshot.ceiling_usd:g}"
    tokens = f"{snapshot.spent_tokens:,} tokens"
    if snapshot.ceiling_tokens is not None:
        tokens += f" of {snapshot.ceiling_tokens:,}"
    return f"{usd}, {tokens}"
