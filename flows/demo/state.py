"""What the demo remembers of itself between a kill and the next try, and the home it has for itself."""

from __future__ import annotations

import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from evals.errors import ConfigurationError, Problem
from evals.records import Record
from flows.files import read_record, write_record
from flows.orchestration.processes import Processes, free_port
from flows.registry.opening import open_registry
from flows.settings import Settings

__all__ = ["MARKER", "DemoState", "close_demo", "open_demo"]

MARKER = "demo.json"


class DemoState(Record, frozen=True, kw_only=True):
    """What a demo remembers of itself, so that it can go on after a kill."""

    emulator_port: int
    prefect_port: int
    service_port: int
    webhook_secret: str
    finished: bool = False

    def environment(self, settings: Settings) -> dict[str, str]:
        """Return the variables that its servers and the demo itself go by."""
        return {
            "GATEWRIGHT_HOME": str(settings.home),
            "GATEWRIGHT_TARGETS": str(settings.targets),
            "GATEWRIGHT_GATES": str(settings.gates),
            "GATEWRIGHT_DATASETS": str(settings.datasets),
            "GATEWRIGHT_ACTOR": "demo",
            "GATEWRIGHT_EMBEDDED_URL": f"http://127.0.0.1:{self.emulator_port}",
            "GATEWRIGHT_WEBHOOK_SECRETS": self.webhook_secret,
            "PREFECT_API_URL": f"http://127.0.0.1:{self.prefect_port}/api",
            "PREFECT_HOME": str(settings.home / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }


def open_demo(settings: Settings, console: Console) -> tuple[DemoState, bool]:
    """Return the story to tell, and whether it is one that was broken off.

    Raises ConfigurationError when the home is that of a real installation.
    """
    marker = settings.home / MARKER
    story = read_record(marker, DemoState)
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
    story = DemoState(
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


def close_demo(settings: Settings, story: DemoState) -> None:
    """Note that a story was told to its end; its secret is forgotten."""
    finished = msgspec.structs.replace(story, webhook_secret="", finished=True)
    write_record(settings.home / MARKER, finished)
