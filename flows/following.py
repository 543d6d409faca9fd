"""Shows a run while it goes on, here or in another process: its state from the registry, its progress from its folder."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from evals.records import decode
from evals.sampling.progress import RoleProgress, Snapshot
from flows.progress import PROGRESS_FILE
from flows.registry.records import RunRecord
from flows.settings import Settings
from flows.stores import open_registry

__all__ = ["RunDisplay", "follow"]

POLL_S = 0.25

_WORDS = {
    "requested": "waiting for its turn",
    "preflight": "preflight",
    "deploying": "deploying the candidate to a developer slot",
    "evaluating": "asking; ends as soon as every check is decided",
    "judged": "judged",
    "promoting": "going live",
}


class RunDisplay:
    """Progress bars of one run on a console; plain lines where the console is no terminal."""

    def __init__(self, settings: Settings, run_id: str, console: Console) -> None:
        self._settings, self._run_id, self._console = settings, run_id, console
        self._phase = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
        )
        self._bars = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
        )
        self._live = Live(Group(self._phase, self._bars), console=console, transient=True)
        self._state = self._phase.add_task("waiting for a worker to start the flow", total=None)
        self._roles: dict[str, TaskID] = {}
        self._most: int | None = None
        self._said = ""

    def __enter__(self) -> RunDisplay:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def refresh(self) -> RunRecord | None:
        """Read registry and progress file once and show what they say. Returns the run."""
        with open_registry(self._settings) as registry:
            run = registry.run(self._run_id)
        if run is None:
            return None
        words = _WORDS.get(run.state, run.state)
        if words != self._said:
            self._said = words
            if not self._console.is_terminal:
                self._console.print(f"  {self._run_id}: {words}")
        self._phase.update(self._state, description=words)
        self._show_progress()
        return run

    def _show_progress(self) -> None:
        path = self._settings.run_folder(self._run_id) / PROGRESS_FILE
        with suppress(OSError, msgspec.DecodeError):
            for role, seen in decode(path.read_bytes(), Snapshot).roles.items():
                self._show_role(role, seen)

    def _show_role(self, role: str, seen: RoleProgress) -> None:
        if self._most is None:
            self._most = _most_answers(self._settings, self._run_id)
        if role not in self._roles:
            self._roles[role] = self._bars.add_task(f"{role:9}", total=self._most, note="")
        errors = seen.done - seen.outcomes.get("answered", 0) - seen.resumed
        parts = [f"{seen.rate_per_s:.0f}/s"] if seen.rate_per_s else []
        parts += [f"{errors} not answered"] if errors > 0 else []
        self._bars.update(self._roles[role], completed=seen.done, note=", ".join(parts))


def _most_answers(settings: Settings, run_id: str) -> int:
    """How many answers of one model a run wants at most; it may stop earlier."""
    from flows.opening import open_run  # with the statistics behind it: a second

    with open_run(settings, run_id) as run:
        contest = run.contest
        return sum(
            contest.repeats_of(opened) * contest.sizes[opened.suite.name][-1]
            for opened in contest.suites
        )


async def follow(
    settings: Settings, run_id: str, work: Awaitable[Any], console: Console, *, shown: bool = True
) -> Any:
    """Await `work` while the run it carries out is shown. Returns what `work` returns, raises what it raises."""
    task = asyncio.ensure_future(work)
    if not shown:
        return await task
    with RunDisplay(settings, run_id, console) as display:
        while not task.done():
            await asyncio.to_thread(display.refresh)
            await asyncio.wait([task], timeout=POLL_S)
    return task.result()
