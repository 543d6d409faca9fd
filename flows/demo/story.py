"""The demo: three fine-tunes of one target, told as it happens, on the embedded platform and a local Prefect server.

Everything is real but the models' size: HTTP, webhooks, flows, deployments, judging. The story can be killed anywhere
and told again: what was answered, judged or promoted is found in the home and not done twice.
"""

from __future__ import annotations

import asyncio
import os
import signal

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from evals.errors import ConfigurationError, InfrastructureError, Problem
from flows.demo.servers import Servers
from flows.demo.state import DemoState, close_demo, open_demo
from flows.demo.training_data import VERSIONS, Version, training_file
from flows.evaluation.open_run import load_plan
from flows.evaluation.request import run_id_of
from flows.orchestration.processes import Processes
from flows.platforms.fine_tuning import jobs
from flows.platforms.fine_tuning.records import Job
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry
from flows.registry.records import RunRecord
from flows.reporting.live_display import RunDisplay
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.starting import job_order, start
from flows.settings import Settings

__all__ = ["TARGET", "run_story"]

TARGET = "support-triage"
BASE_MODEL = "gpt-4.1-mini-2025-04-14"
RUN_PATIENCE_S = 600.0
NUDGE_S = 20.0


def run_story(settings: Settings, console: Console) -> tuple[RunRecord, ...]:
    """Tell the story from where it stands and return its three runs.

    Raises:
        ConfigurationError: this is not the project's folder, the home belongs to a real installation, or target, gate or suites have problems.
        InfrastructureError: a server did not start, or a run did not end in time.
    """
    _require_project(settings)
    load_plan(settings, TARGET)
    story, resumed = open_demo(settings, console)
    processes = Processes(settings.home / "servers")
    left = processes.stop_leftovers()
    if resumed:
        console.print(
            f"[yellow]going on where the last demo stopped[/] ({left} of its servers stopped first)\n"
        )
    environment = story.environment(settings)
    os.environ.update(environment)
    servers = Servers(processes, environment, settings.home, story)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        # Outside of any loop, so that Ctrl-C ends the waiting at once.
        _start(servers, console)
        runs = asyncio.run(_chapters(settings, story, console, resumed=resumed))
    except KeyboardInterrupt:
        console.print("stopping its servers …")
        raise
    finally:
        processes.stop()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    close_demo(settings, story)
    return runs


def _require_project(settings: Settings) -> None:
    """Raise ConfigurationError where the demo's own target is not there: the command was given somewhere else."""
    path = settings.targets / f"{TARGET}.yaml"
    if not path.exists():
        message = f"expected the demo's own target, {path}; found none"
        fix = "give the command in the project's folder, where flows/targets and datasets are"
        raise ConfigurationError(Problem(where="gatewright demo", message=message, fix=fix))


async def _chapters(
    settings: Settings, story: DemoState, console: Console, *, resumed: bool
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
    settings: Settings, story: DemoState, version: Version, console: Console, *, resumed: bool
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
    settings: Settings,
    story: DemoState,
    run_id: str,
    job_id: str,
    console: Console,
    *,
    resumed: bool,
) -> RunRecord:
    """Show the run until it is over. A run that an earlier demo left half-way is started again by hand."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    nudge_at = begin + (2.0 if resumed else NUDGE_S)
    with RunDisplay(settings, run_id, console) as display:
        while loop.time() - begin < RUN_PATIENCE_S:
            run = await asyncio.to_thread(display.refresh)
            if run is not None and not run.under_way and run.report:
                return run
            if nudge_at < loop.time() and (resumed or run is None):
                nudge_at = float("inf")
                await _nudge(settings, story, job_id)
            await asyncio.sleep(0.25)
    raise InfrastructureError(f"run {run_id} did not end within {RUN_PATIENCE_S:.0f} s")


async def _nudge(settings: Settings, story: DemoState, job_id: str) -> None:
    """Start the flow as the webhook would; under the same key, so that it is never started twice."""
    async with PrefectRuns(f"http://127.0.0.1:{story.prefect_port}/api") as api:
        with open_registry(settings) as registry:
            await start(api, registry, settings, job_order(TARGET, job_id))


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
