"""Shows snapshots: live in a terminal, as plain lines in a log, as a JSON file for another process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from evals.sampling.progress import RoleProgress, Snapshot

__all__ = ["JsonFileProgress", "LinePrinter", "RichProgress"]

_NOT_TROUBLE = frozenset({"answered"})


class RichProgress:
    """A live table in a terminal. `notes` gives further lines, such as how each check stands. Use as a context manager."""

    def __init__(
        self, console: Console | None = None, notes: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._notes = notes
        self._live = Live(console=console or Console(stderr=True), refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw."""
        lines = [Text(line) for line in self._notes()]  # Text: notes are no markup
        if snapshot.stopping:
            lines.append(Text(snapshot.stopping, style="yellow"))
        self._live.update(Group(_table(snapshot), *lines))


def _table(snapshot: Snapshot) -> Table:
    table = Table(caption=_spend(snapshot), caption_justify="left")
    for heading in ("role", "model", "done", "rate", "left", "at once", "other outcomes"):
        table.add_column(heading)
    for role, seen in snapshot.roles.items():
        table.add_row(
            role,
            Text(seen.model_id),
            _done(seen),
            f"{seen.rate_per_s:.1f}/s",
            _clock(seen.eta_s),
            f"{seen.in_flight}/{seen.limit}",
            _trouble(seen),
        )
    return table


class LinePrinter:
    """Writes one line a role every `every_s` seconds and at the end; for logs."""

    def __init__(self, write: Callable[[str], object], *, every_s: float = 10.0) -> None:
        self._write = write
        self._every_s = every_s
        self._next_at = 0.0

    def update(self, snapshot: Snapshot) -> None:
        """Write when it is time."""
        if not snapshot.finished and snapshot.elapsed_s < self._next_at:
            return
        self._next_at = snapshot.elapsed_s + self._every_s
        for role, seen in snapshot.roles.items():
            self._write(
                f"{role}: {_done(seen)} done, {seen.rate_per_s:.1f}/s, {_clock(seen.eta_s)} left, "
                f"{seen.in_flight}/{seen.limit} at once, {_trouble(seen) or 'no trouble'}; {_spend(snapshot)}"
            )
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
    if seen.planned is None:
        return f"{seen.done:,}"
    share = f" ({seen.done / seen.planned:.0%})" if seen.planned else ""
    return f"{seen.done:,} of {seen.planned:,}{share}"


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
