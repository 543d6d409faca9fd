"""What a person sees of a run while it goes on, in this process or another: from the registry and the run's folder."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest
from rich.console import Console
from support.waiting import PATIENCE_S, until

from evals.gate.look_store import LookStore
from evals.gate.looks import CheckLook, LookEvent
from evals.records import CheckResult
from evals.sampling.progress.snapshot import RoleProgress, Snapshot
from flows.evaluation.progress import PROGRESS_FILE, run_progress, waits_shown
from flows.platforms import deadlines
from flows.registry.opening import open_registry
from flows.registry.records import RunRecord, RunState
from flows.reporting import live_display
from flows.reporting.live_display import RunDisplay, follow
from flows.settings import Settings

RUN = "t-0123456789"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation in which one run is asking."""
    found = Settings(
        home=tmp_path,
        registry_url=f"sqlite:///{tmp_path / 'registry.db'}",
        targets=tmp_path,
        gates=tmp_path,
        datasets=tmp_path,
        actor="tester",
    )
    with open_registry(found) as registry:
        registry.start_run(
            RunRecord(
                run_id=RUN,
                target="t",
                kind="evaluation",
                requested_by="tester",
            )
        )
        registry.set_run_state(RUN, "evaluating")
    found.run_folder(RUN).mkdir(parents=True)
    return found


def asked(settings: Settings, done: int, elapsed_s: float) -> None:
    role = RoleProgress(
        model_id="m",
        done=done,
        planned=400,
        outcomes={"answered": done - 3, "server_error": 3},
        rate_per_s=40.0,
        eta_s=75.0,
        in_flight=8,
        limit=16,
    )
    shot = Snapshot(elapsed_s=elapsed_s, roles={"candidate": role}, spent_usd=1.25, ceiling_usd=25)
    run_progress(settings.run_folder(RUN), None).update(shot)


def looked(settings: Settings, number: int, **outcomes: str) -> None:
    checks = tuple(
        CheckLook(
            key=name,
            n=40 * number,
            counted=True,
            decided=outcome != "INCONCLUSIVE",
            result=CheckResult(
                check=name,
                metric=name,
                kind="at_least",
                threshold=0.5,
                outcome=outcome,
                reason="",
                decides=True,
                suite=None,
                slice={},
                n=40 * number,
            ),
        )
        for name, outcome in outcomes.items()
    )
    LookStore(settings.run_folder(RUN)).append(
        LookEvent(
            look=number,
            rounds=10,
            policy_digest="p",
            evidence_digest="e",
            checks=checks,
            needs=(),
            stop=False,
        )
    )


def test_a_log_gets_plain_lines_and_after_each_look_what_has_changed(settings: Settings) -> None:
    log = io.StringIO()
    with RunDisplay(settings, RUN, Console(file=log, width=60)) as display:
        asked(settings, 40, 1.0)
        looked(settings, 1, exact="INCONCLUSIVE", other="PASS")
        for _ in range(3):
            display.refresh()
        looked(settings, 2, exact="FAIL", other="PASS")
        display.refresh()
    assert [line.strip() for line in log.getvalue().splitlines()] == [
        f"{RUN}: asking; ends as soon as every check is decided",
        f"{RUN}: candidate: 40 of 400 (10%) done, 40.0/s, 1:15 left, 8/16 at once, 3 server error;"
        " 1.2500 USD of 25, 0 tokens",
        f"{RUN}: after look 1 of 10, 1 of 2 checks are decided",
        f"{RUN}:   undecided  exact, n 40",
        f"{RUN}:   PASS       other, n 40",
        f"{RUN}: after look 2 of 10, 2 of 2 checks are decided",
        f"{RUN}:   FAIL       exact, n 80",
    ]


async def test_a_state_that_is_left_at_once_is_told_all_the_same(settings: Settings) -> None:
    log = io.StringIO()

    async def work() -> None:
        with open_registry(settings) as registry:
            registry.set_run_state(RUN, "preflight")
        await until(lambda: "preflight" in log.getvalue())
        with open_registry(settings) as registry:
            registry.set_run_state(RUN, "deploying")
            registry.set_run_state(RUN, "failed", "no right")

    await follow(settings, RUN, work(), Console(file=log, width=60))
    told = [line.partition(": ")[2] for line in log.getvalue().splitlines()]
    passed = [line for line in told if line != "failed"]  # which it may be before it is over
    assert passed[-2:] == ["preflight", "deploying the candidate to a developer slot"]
    with RunDisplay(settings, RUN, Console(file=log, width=60)) as display:
        display.refresh()
    assert log.getvalue().count("preflight") == 1, "what an earlier process passed is no news"


async def test_what_another_process_does_with_a_run_is_not_told_as_done_here(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    console = Console(file=log, width=60)
    words: list[str | None] = [None, "waiting for process 7", None]
    looks: list[str] = []

    def waits_here(run_id: str) -> str | None:
        looks.append(run_id)
        return words[0]

    monkeypatch.setattr(live_display, "POLL_S", 0.01)
    monkeypatch.setattr(live_display, "waits_here", waits_here)

    async def work() -> None:
        for _ in range(2):
            looks.clear()
            await until(lambda: looks[2:], "two whole looks")
            words.pop(0)

    await follow(settings, RUN, work(), console, here=True)
    assert log.getvalue().strip() == f"{RUN}: waiting for process 7"


def test_a_terminal_shows_bars_errors_spend_and_the_standing_of_each_check(
    settings: Settings,
) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=True, color_system=None)
    with RunDisplay(settings, RUN, console) as display:
        asked(settings, 40, 1.0)
        looked(settings, 1, exact="INCONCLUSIVE", other="PASS")
        display.refresh()
    shown = screen.getvalue()
    for words in (
        "asking; ends as soon as every check is decided",
        "40 of 400  40/s  1:15 left",
        "candidate: 3 server error",
        "1.2500 USD of 25, 0 tokens",
        "after look 1 of 10, 1 of 2 checks are decided",
        "undecided  exact",
        "PASS       other",
    ):
        assert words in shown


def test_what_an_earlier_process_said_last_is_not_shown_as_news(settings: Settings) -> None:
    asked(settings, 40, 1.0)
    path = settings.run_folder(RUN) / PROGRESS_FILE
    os.utime(path, (1.0, 1.0))
    log = io.StringIO()
    with RunDisplay(settings, RUN, Console(file=log)) as display:
        display.refresh()
        path.write_text('{"elapsed": "of another version"}')
        display.refresh()
    assert "candidate" not in log.getvalue()


async def test_following_returns_what_the_work_returns_and_raises_what_it_raises(
    settings: Settings,
) -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    async def trouble() -> int:
        raise LookupError("no such model")

    console = Console(file=io.StringIO())
    assert await follow(settings, RUN, work(), console) == 7
    assert await follow(settings, RUN, work(), console, shown=False) == 7
    with pytest.raises(LookupError, match="no such model"):
        await follow(settings, RUN, trouble(), console)


@pytest.mark.parametrize("terminal", [True, False])
def test_how_a_model_goes_live_is_said_before_it_does_and_stays_on_the_screen(
    settings: Settings, terminal: bool
) -> None:
    words = "router gets the new model now; it will not answer for about 4 to 10 min"
    with open_registry(settings) as registry:
        registry.set_run_state(RUN, "promoting", words)
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    with RunDisplay(settings, RUN, console) as display:
        display.refresh()
        display.refresh()
    assert out.getvalue().count(words) == 1


@pytest.mark.parametrize("state", ["requested", "preflight", "deploying", "promoting", "judged"])
@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_waited_for_is_shown_whole_whatever_is_done(
    settings: Settings, terminal: bool, state: RunState
) -> None:
    note = "waiting for candidate-slot-1 to answer, 20 s so far, given up after 1200 s: DeploymentNotFound: it is not through yet"
    with open_registry(settings) as registry:
        registry.set_run_state(RUN, state)
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, color_system=None)
    with RunDisplay(settings, RUN, console) as display:
        shot = Snapshot(elapsed_s=0.0, roles={}, note=note)
        run_progress(settings.run_folder(RUN), None).update(shot)
        display.refresh()
    assert note in " ".join(out.getvalue().split())


async def test_a_wait_is_told_on_stderr_where_nothing_else_is_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "TELL_EVERY_S", 0.01)

    async def work() -> None:
        with waits_shown(settings.run_folder(RUN)):
            async with deadlines.Deadline(PATIENCE_S, "slot-1 to answer") as deadline:
                while "HTTP 404" not in out.getvalue():
                    await deadline.pause(0.01, "HTTP 404")

    out = io.StringIO()
    await follow(settings, RUN, work(), Console(file=out, width=40), shown=False)
    assert out.getvalue().splitlines()[0].startswith("waiting for slot-1 to answer, ")
    assert "HTTP 404; given up at" in out.getvalue().splitlines()[-1]
