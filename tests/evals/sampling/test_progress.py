"""Progress: what a run says of itself while it runs, and the ways to show it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from support.waiting import until

from evals.sampling.budget import Budget
from evals.sampling.progress import waits
from evals.sampling.progress.displays import (
    JsonFileProgress,
    LinePrinter,
    progress_lines,
    progress_view,
)
from evals.sampling.progress.snapshot import ManySinks, ResumedProgress, RoleProgress, Snapshot
from evals.sampling.request_spec import SamplingSettings


class Recorder:
    def __init__(self) -> None:
        self.seen: list[Snapshot] = []

    def update(self, snapshot: Snapshot) -> None:
        self.seen.append(snapshot)


def snapshot(elapsed_s: float = 1.0, *, finished: bool = False, stopping: str = "") -> Snapshot:
    candidate = RoleProgress(
        model_id="ft:[bold]m",
        done=40,
        planned=100,
        outcomes={"answered": 38, "rate_limited": 2},
        rate_per_s=2.5,
        eta_s=3725.0,
        in_flight=7,
        waiting=3,
        limit=16,
    )
    return Snapshot(
        elapsed_s=elapsed_s,
        roles={"candidate": candidate},
        spent_usd=1.5,
        spent_tokens=12_000,
        ceiling_usd=25.0,
        stopping=stopping,
        finished=finished,
    )


async def test_a_run_reports_several_times_a_second_and_once_at_the_end(studio: Any) -> None:
    recorder = Recorder()

    async def shown_half_way(exchange: Any) -> None:
        if exchange.request.nth == 1 and exchange.request.text == "case 30":
            seen = len(recorder.seen)
            await until(lambda: len(recorder.seen) >= seen + 2, "two snapshots of the middle")
        await studio.ok("yes")(exchange)

    studio.server.script = lambda request: shown_half_way
    await studio.run(
        studio.asks(60),
        concurrency=4,
        progress=recorder,
        planned={"candidate": 60},
        budget=Budget(tokens=10**6),
    )
    middle, last = recorder.seen[-2], recorder.seen[-1]
    assert last.finished and not middle.finished
    assert last.roles["candidate"].done == 60
    assert last.roles["candidate"].outcomes == {"answered": 60}
    assert last.spent_tokens == 2 * 60 * 24
    assert middle.roles["candidate"].rate_per_s > 0
    assert middle.roles["candidate"].eta_s is not None
    assert middle.roles["baseline"].eta_s is None
    assert middle.roles["candidate"].in_flight <= 4


async def test_a_resumed_run_starts_where_it_stopped(studio: Any) -> None:
    await studio.run(studio.asks(10))
    recorder = Recorder()
    await studio.run(studio.asks(12), progress=recorder, planned={"candidate": 12})
    assert recorder.seen[-1].roles["candidate"].done == 12
    assert recorder.seen[-1].roles["candidate"].resumed == 10


def test_lines_for_a_log_come_now_and_then() -> None:
    lines: list[str] = []
    printer = LinePrinter(lines.append, every_s=10)
    for second in range(25):
        printer.update(snapshot(float(second)))
    assert len(lines) == 3
    printer.update(snapshot(25.0, finished=True, stopping="the budget is used up"))
    assert lines[-1] == "the budget is used up"
    assert lines[0] == (
        "candidate: 40 of 100 (40%) done, 2.5/s, 1:02:05 left, 7/16 at once, 2 rate limited, "
        "3 waiting for a retry; 1.5000 USD of 25, 12,000 tokens"
    )


def test_a_new_round_starts_its_own_clock_for_the_log() -> None:
    lines: list[str] = []
    printer = LinePrinter(lines.append, every_s=10)
    for second in (0.0, 40.0, 0.3, 10.2, 10.4):
        printer.update(snapshot(second))
    assert len(lines) == 3


def test_the_terminal_shows_rate_time_left_errors_and_spend_in_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(progress_view(snapshot(stopping="the budget of [red]25 USD is used up")))
    shown = console.export_text().splitlines()
    assert max(map(len, shown)) <= 80
    assert re.fullmatch(r"  candidate  .{20}  40 of 100  2/s  1:02:05 left\s*", shown[0])
    assert [line.strip() for line in shown[1:]] == [
        "candidate: 2 rate limited, 3 waiting for a retry",
        "1.5000 USD of 25, 12,000 tokens",
        "the budget of [red]25 USD is used up",
    ]


def test_a_snapshot_is_carried_on_from_what_was_asked_elsewhere() -> None:
    recorder = Recorder()
    ResumedProgress(recorder, {"candidate": 60}).update(snapshot())
    seen = recorder.seen[0].roles["candidate"]
    assert (seen.done, seen.planned, seen.eta_s) == (100, 160, 3725.0)


def test_the_file_is_replaced_as_a_whole_and_not_too_often(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "progress.json"
    sink = JsonFileProgress(path, clock=lambda: now)
    sink.update(snapshot(1.0))
    now = 0.1
    sink.update(snapshot(2.0))
    assert json.loads(path.read_text())["elapsed_s"] == 1.0
    now = 0.3
    sink.update(snapshot(3.0))
    sink.update(snapshot(4.0, finished=True))
    assert json.loads(path.read_text())["elapsed_s"] == 4.0
    assert [file.name for file in tmp_path.iterdir()] == ["progress.json"]


def test_several_displays_at_once() -> None:
    first, second = Recorder(), Recorder()
    ManySinks([first, second]).update(snapshot())
    assert first.seen == second.seen != []


async def test_requests_that_wait_for_the_service_are_told_of(
    studio: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waits, "TELL_EVERY_S", 0.0)
    busy = studio.failing(429, "rate_limit_exceeded", "slow down", headers={"Retry-After": "1"})
    studio.roles, recorder = ("candidate",), Recorder()

    def told() -> list[Snapshot]:
        return [one for one in recorder.seen if "3 requests" in one.note]

    # Busy for as long as there is too little to see, however slow the machine is.
    enough = lambda: len({one.note for one in told()}) > 1 and any(map(next_try, told()))  # noqa: E731
    studio.server.script = lambda request: studio.ok("yes") if enough() else busy
    with caplog.at_level("INFO", "evals.sampling.progress.waits"):
        patient = SamplingSettings(max_attempts=1000)
        await studio.run(studio.asks(3), settings=patient, progress=recorder)
    assert re.match(
        r"waiting for candidate \(candidate\), \d+ s so far: 3 requests met 429 rate_limit_exceeded; the next try is at"
        r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, and a request is given up after 1000 tries$",
        told()[0].note,
    )
    notes = list(dict.fromkeys(one.note for one in recorder.seen if one.note))
    assert list(dict.fromkeys(caplog.messages)) == notes
    assert recorder.seen[-1].note == ""
    assert {one.roles["candidate"].held_up_by for one in told()} == {"429 rate_limit_exceeded"}
    assert all(0 <= next_try(one) <= 1.0 for one in told()), "as the service asked to wait"


def next_try(snapshot: Snapshot) -> float:
    return snapshot.roles["candidate"].next_try_s or 0.0


def test_only_a_wait_of_half_a_minute_is_told_of_and_again_after_another() -> None:
    state: Any = SimpleNamespace(
        waiting_retries=2,
        held_up_by="429 rate_limited",
        next_retry_in=lambda now: 5.0,
        endpoint=SimpleNamespace(model="m"),
        settings=SimpleNamespace(max_attempts=8),
    )
    held_up = waits.HeldUp()
    told = [held_up.look({"candidate": state}, now) for now in (5.0, 34.9, 35.0, 64.9, 65.0)]
    assert told[:2] == ["", ""]
    assert [note.partition(":")[0] for note in told[2:]] == [
        f"waiting for m (candidate), {seconds} s so far" for seconds in (30, 30, 60)
    ]
    state.waiting_retries = 0
    assert held_up.look({"candidate": state}, 66.0) == ""


def test_a_line_says_why_requests_wait() -> None:
    role = RoleProgress(
        model_id="m", done=1, waiting=2, held_up_by="429 rate_limited", next_try_s=4.2
    )
    line = progress_lines(Snapshot(elapsed_s=1.0, roles={"candidate": role}))[0]
    assert "2 waiting for a retry (429 rate limited, the next in 4 s)" in line


async def test_a_long_wait_is_told_of_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(waits, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(waits, "asyncio", SimpleNamespace(sleep=sleep))
    left: list[float] = []
    await waits.wait_telling(2.5 * waits.TELL_EVERY_S, left.append)
    assert left == [75.0, 45.0, 15.0]
    assert now == 175.0
