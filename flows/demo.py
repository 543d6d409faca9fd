"""The demo: three fine-tunes of one target, told as it happens, on the embedded platform and a local Prefect server.

Everything is real but the models' size: HTTP, webhooks, flows, deployments, judging. The story can be killed anywhere
and told again: what was answered, judged or promoted is found in the home and not done twice.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from evals.errors import ConfigurationError, InfrastructureError, Problem
from evals.records import Record
from flows.demo_data import VERSIONS, Version, training_file
from flows.following import RunDisplay
from flows.opening import load_plan, open_registry
from flows.platforms import jobs
from flows.platforms.job_records import Job
from flows.platforms.opening import open_platform
from flows.prefect_api import PrefectApi
from flows.processes import Processes, free_port
from flows.registry.records import RunRecord
from flows.requesting import run_id_of
from flows.run_folder import read_record, write_record
from flows.servers import Servers
from flows.settings import Settings
from flows.triggers import start_promotion

__all__ = ["TARGET", "tell"]

TARGET = "support-triage"
BASE_MODEL = "gpt-4.1-mini-2025-04-14"
OVER = frozenset({"promoted", "refused", "inconclusive", "failed", "waiting"})
RUN_PATIENCE_S = 240.0
NUDGE_S = 20.0


class Story(Record, frozen=True, kw_only=True):
    """What a demo remembers of itself, so that it can go on after a kill."""

    emulator_port: int
    prefect_port: int
    service_port: int
    webhook_secret: str
    finished: bool = False


def tell(settings: Settings, console: Console) -> tuple[RunRecord, ...]:
    """Tell the story from where it stands and return its three runs.

    Raises:
        ConfigurationError: the home belongs to a real installation, or target, gate or suites have problems.
        InfrastructureError: a server did not start, or a run did not end in time.
    """
    load_plan(settings, TARGET)
    story, resumed = _open_story(settings, console)
    processes = Processes(settings.home / "servers")
    left = processes.stop_leftovers()
    if resumed:
        console.print(
            f"[yellow]going on where the last demo stopped[/] ({left} of its servers stopped first)\n"
        )
    environment = _environment(settings, story)
    os.environ.update(environment)
    servers = Servers(processes, environment, settings.home, story)
    try:
        # Outside of any loop, so that Ctrl-C ends the waiting at once.
        _start(servers, console)
        runs = asyncio.run(_chapters(settings, story, console, resumed=resumed))
    except KeyboardInterrupt:
        console.print("stopping its servers …")
        raise
    finally:
        processes.stop()
    write_record(_marker(settings), _finished(story))
    return runs


async def _chapters(
    settings: Settings, story: Story, console: Console, *, resumed: bool
) -> tuple[RunRecord, ...]:
    return tuple(
        [await _chapter(settings, story, version, console, resumed=resumed) for version in VERSIONS]
    )


def _start(servers: Servers, console: Console) -> None:
    with console.status("starting") as status:
        for words, start in servers.steps():
            status.update(words)
            start()
            console.print(f"[green]✓[/] {words}")
    console.print()


async def _chapter(
    settings: Settings, story: Story, version: Version, console: Console, *, resumed: bool
) -> RunRecord:
    console.print(Panel.fit(f"[bold]{version.name}[/] — {version.story}", border_style="cyan"))
    job = await _fine_tune(settings, version, console)
    run_id = run_id_of(TARGET, "promotion", {"job_id": job.id})
    console.print(Text(f"  the platform's webhook starts the promotion flow: run {run_id}"))
    run = await _follow(settings, story, run_id, job.id, console, resumed=resumed)
    _tell_outcome(settings, run, console)
    return run


async def _fine_tune(settings: Settings, version: Version, console: Console) -> Job:
    platform = open_platform("embedded", {}, os.environ)
    try:
        known = [job async for job in jobs.walk_jobs(platform) if job.suffix == version.name]
        job = next((job for job in known if not job.ended or job.succeeded), None)
        if job is None:
            content = training_file(settings.datasets, version)
            file_id = await jobs.upload_file(platform, content, poll_s=0.1)
            job = await jobs.create_job(
                platform,
                model=BASE_MODEL,
                training_file=file_id,
                suffix=version.name,
                seed=7,
                metadata={"target": TARGET},
            )
        with console.status(f"fine-tuning {version.name} (job {job.id})"):
            job = await jobs.wait_finished(platform, job.id, poll_s=0.3)
    finally:
        await platform.aclose()
    if not job.succeeded:
        raise InfrastructureError(f"fine-tuning job {job.id} ended as {job.status}: {job.error}")
    console.print(Text(f"  fine-tuned {version.name}: {job.model_id}"))
    return job


async def _follow(
    settings: Settings, story: Story, run_id: str, job_id: str, console: Console, *, resumed: bool
) -> RunRecord:
    """Show the run until it is over. A run that an earlier demo left half-way is started again by hand."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    nudge_at = begin + (2.0 if resumed else NUDGE_S)
    with RunDisplay(settings, run_id, console) as display:
        while loop.time() - begin < RUN_PATIENCE_S:
            run = await asyncio.to_thread(display.refresh)
            if run is not None and run.state in OVER and run.report:
                return run
            if nudge_at < loop.time() and (resumed or run is None):
                nudge_at = float("inf")
                await _nudge(story, job_id)
            await asyncio.sleep(0.25)
    raise InfrastructureError(f"run {run_id} did not end within {RUN_PATIENCE_S:.0f} s")


async def _nudge(story: Story, job_id: str) -> None:
    """Start the flow as the webhook would; under the same key, so that it is never started twice."""
    async with PrefectApi(f"http://127.0.0.1:{story.prefect_port}/api") as api:
        await start_promotion(api, TARGET, job_id, requested_by="webhook")


def _tell_outcome(settings: Settings, run: RunRecord, console: Console) -> None:
    with open_registry(settings) as registry:
        verdict, live = registry.verdict(run.run_id), registry.live(TARGET)
    colour = {"promoted": "green", "refused": "red"}.get(run.state, "yellow")
    console.print(
        f"  verdict [bold]{verdict.outcome if verdict else 'none'}[/] → [{colour}]{run.state}[/]"
    )
    for reason in (verdict.reasons if verdict else (run.detail,))[:4]:
        console.print(Text(f"    · {reason}"))
    if live is not None:
        console.print(Text(f"  live now: {live.model_id} (generation {live.generation})"))
    console.print(Text(f"  report: {run.report}\n"))


def _open_story(settings: Settings, console: Console) -> tuple[Story, bool]:
    marker = _marker(settings)
    story = read_record(marker, Story)
    if story is None and _in_use(settings):
        raise ConfigurationError(
            Problem(
                where=str(settings.home),
                message="this folder holds the state of an installation that is not the demo's",
                fix="set GATEWRIGHT_HOME to another folder for the demo",
            )
        )
    if story is not None and not story.finished:
        # Prefect's own record of half-done flows would keep the finished-with ones from starting again.
        shutil.rmtree(settings.home / "prefect", ignore_errors=True)
        return story, True
    if (settings.home / "servers").exists():
        Processes(settings.home / "servers").stop_leftovers()
    _set_aside(settings.home, console)
    story = Story(
        emulator_port=free_port(),
        prefect_port=free_port(),
        service_port=free_port(),
        webhook_secret=f"whsec_{secrets.token_urlsafe(24).replace('-', 'a').replace('_', 'b')}",
    )
    write_record(marker, story)
    return story, False


def _in_use(settings: Settings) -> bool:
    """Whether somebody works with this home; an empty registry, left by a look around, is nobody's."""
    if not settings.home.exists() or not any(settings.home.iterdir()):
        return False
    if not (settings.home / "registry.db").exists():
        return True
    with open_registry(settings) as registry:
        return bool(registry.runs(None, 1) or registry.targets())


def _set_aside(home: Path, console: Console) -> None:
    """Keep what an earlier demo left, and what was done with it since, out of the way of the new one."""
    if not home.exists() or not any(home.iterdir()):
        return
    kept = home.with_name(f"{home.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    home.rename(kept)
    console.print(Text(f"the state of the last demo is kept in {kept}\n", style="yellow"))


def _environment(settings: Settings, story: Story) -> dict[str, str]:
    return {
        "GATEWRIGHT_HOME": str(settings.home),
        "GATEWRIGHT_TARGETS": str(settings.targets),
        "GATEWRIGHT_GATES": str(settings.gates),
        "GATEWRIGHT_DATASETS": str(settings.datasets),
        "GATEWRIGHT_ACTOR": "demo",
        "GATEWRIGHT_EMBEDDED_URL": f"http://127.0.0.1:{story.emulator_port}",
        "GATEWRIGHT_WEBHOOK_SECRETS": story.webhook_secret,
        "PREFECT_API_URL": f"http://127.0.0.1:{story.prefect_port}/api",
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def _marker(settings: Settings) -> Path:
    return settings.home / "demo.json"


def _finished(story: Story) -> Story:
    return Story(
        emulator_port=story.emulator_port,
        prefect_port=story.prefect_port,
        service_port=story.service_port,
        webhook_secret="",
        finished=True,
    )
