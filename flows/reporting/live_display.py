"""Shows a run while it goes on, here or in another process: its state from the registry, its progress from its folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from evals.gate.looks import LookEvent
from evals.report.look_view import look_heading, look_lines, look_view
from evals.sampling.progress.displays import LinePrinter, progress_view
from evals.sampling.progress.snapshot import Snapshot
from flows.evaluation.progress import last_look, newest_snapshot
from flows.orchestration.target_lease import held_here, waits_here
from flows.platforms.deadlines import logging_waits
from flows.registry.opening import open_registry
from flows.registry.records import RunRecord
from flows.registry.run_states import Move
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["RunDisplay", "follow"]

POLL_S = 0.25

_WORDS = {
    "requested": "getting ready",
    "preflight": "preflight",
    "deploying": "deploying the candidate to a developer slot",
    "evaluating": "asking; ends as soon as every check is decided",
    "judged": "judged",
    "promoting": "going live",
}


_RESTING = ("waiting",)
"""States in which nothing is done that could be waited for."""


class RunDisplay:
    """A run on a console: bars, spend and how the checks stand; plain lines now and then where it is no terminal."""

    def __init__(
        self, settings: Settings, run_id: str, console: Console, *, here: bool = False
    ) -> None:
        self._settings, self._run_id, self._console, self._here = settings, run_id, console, here
        self._phase = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=Column(overflow="fold")),
            TimeElapsedColumn(),
            console=console,
        )
        self._live = Live(self._phase, console=console, transient=True)
        self._state = self._phase.add_task("waiting for a worker to start the flow", total=None)
        self._lines = LinePrinter(self._print)
        self._began = time.time()
        self._snapshot: Snapshot | None = None
        self._look: LookEvent | None = None
        self._last_line = self._last_detail = ""
        self._at: tuple[str, str, str] | None = None
        self._seen, self._shown = self._newest(), False

    def __enter__(self) -> RunDisplay:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def _newest(self) -> int:
        """The event with which the run came to where it is: what it passed before is no news."""
        with open_registry(self._settings) as registry:
            return max((one.seq for one in registry.moves_since(self._run_id)), default=0)

    def _moves(self, registry: Registry, run: RunRecord) -> tuple[Move, ...]:
        """What the run came to since the last look; asked for only where it is elsewhere than it was."""
        at = (run.run_id, run.state, run.detail)
        if at == self._at:
            return ()
        moves = registry.moves_since(run.run_id, self._seen)
        self._at, self._seen = at, max((one.seq for one in moves), default=self._seen)
        return moves

    def finish(self) -> None:
        """Tell what the run passed since the last look, now that the work on it is over."""
        with open_registry(self._settings) as registry:
            self._pass(registry.moves_since(self._run_id, self._seen))

    def _pass(self, moves: Sequence[Move]) -> None:
        """Say the states that a run came to and left again between two looks."""
        for move in moves if self._shown else ():
            words = _WORDS.get(move.state, "")
            if words and words != self._last_line:
                self._last_line = words
                self._print(words)

    def refresh(self) -> RunRecord | None:
        """Read the registry and the run's folder once and show what they say. Returns the run.

        With `here`, a run that this process neither carries out nor waits for is not shown.
        """
        with open_registry(self._settings) as registry:
            run = registry.run(self._run_id)
            if run is None:
                return None
            judging = _run_of_chosen(registry, run)
            if judging is not None:  # what is left to see is how the chosen one is judged
                self._print(run.detail)
                self._run_id, self._snapshot, self._look = judging.run_id, None, None
                self._last_line = self._last_detail = ""
                self._seen, run = 0, judging
            moves = self._moves(registry, run)
        waiting = waits_here(run.run_id)
        if self._here and not waiting and not held_here(run.run_id):
            self._pass(moves)  # what it passed while it was still ours
            self._shown = False
            return run
        self._shown = run.kind != "selection"
        self._pass(moves[:-1])
        words = waiting or _WORDS.get(run.state, run.state)
        if run.kind == "selection" and run.state == "evaluating" and not waiting:
            words = f"choosing among the candidates, {run.detail}"
        if words != self._last_line:
            self._last_line = words
            self._print(words)
        if run.state == "promoting" and run.detail and run.detail != self._last_detail:
            # How it goes live: what will not answer, and for how long.
            self._last_detail = run.detail
            self._say(run.detail)
        at_work = run.state not in _RESTING and not waiting
        if at_work:
            self._read(self._settings.run_folder(self._run_id), run.state == "evaluating")
        if self._console.is_terminal:
            self._phase.update(self._state, description=words)
            self._live.update(Group(self._phase, *(self._details() if at_work else ())))
        return run

    def _read(self, folder: Path, asking: bool) -> None:
        found = newest_snapshot(folder, self._began)
        if not asking:  # what is waited for; what was asked before is over
            self._look = None
            self._snapshot = None if found is None or found.roles else self._told(found)
            return
        if found is not None and found != self._snapshot:
            self._snapshot = found
            if found.stopping or not found.finished:  # how a round ended, its look says
                self._lines.update(found)
        look = last_look(folder)
        if look is not None and (self._look is None or look.look != self._look.look):
            self._print(look_heading(look))
            for line in look_lines(look, self._look):
                self._print(f"  {line}")
            self._look = look

    def _told(self, snapshot: Snapshot) -> Snapshot:
        if snapshot != self._snapshot:
            self._lines.update(snapshot)
        return snapshot

    def _details(self) -> Iterator[RenderableType]:
        if self._snapshot is not None:
            yield progress_view(self._snapshot)
        if self._look is not None:
            yield look_view(self._look)

    def _say(self, line: str) -> None:
        """A line that stays, above what moves where there is a terminal."""
        if self._console.is_terminal:
            self._console.print(Text(f"  {line}"))
        else:
            self._print(line)

    def _print(self, line: str) -> None:
        if not self._console.is_terminal:
            # A log is for machines too: a line is never broken at the width of a terminal there isn't.
            self._console.print(Text(f"  {self._run_id}: {line}"), soft_wrap=True)


def _run_of_chosen(registry: Registry, run: RunRecord) -> RunRecord | None:
    """The latest run that judges the candidate a selection has chosen, None before there is one."""
    if run.kind != "selection" or run.state != "judged":
        return None
    later = registry.runs(run.target, 50)
    return next((one for one in later if one.trigger.get("selection") == run.run_id), None)


async def follow(
    settings: Settings,
    run_id: str,
    work: Awaitable[Any],
    console: Console,
    *,
    shown: bool = True,
    here: bool = False,
) -> Any:
    """Await `work` while the run it carries out is shown. Returns what `work` returns, raises what it raises.

    Where it is not `shown`, what is waited for still is: a line on the console every half minute.

    When this process carries the run out itself (`here`), it is shown from when it does, or waits for it: what another
    process does is not told as done here.
    """
    if not shown:
        with logging_waits(lambda line: console.print(Text(line), soft_wrap=True)):
            return await work
    task = asyncio.ensure_future(work)
    with RunDisplay(settings, run_id, console, here=here) as display:
        while not task.done():
            await asyncio.to_thread(display.refresh)
            await asyncio.wait([task], timeout=POLL_S)
        await asyncio.to_thread(display.finish)
    return task.result()
