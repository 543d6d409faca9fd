"""Kills promotions and starts them again: run by test_crashes.py as a process of its own, which forks one for each life.

    python crash_story.py FOLDER [put-back]     SIGKILL at every boundary (of the way back), one story each

Prints one JSON object for each story: where it was killed and how the world stood after the restart.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.file_platform import TARGET, BrokenPublisher, World


def in_a_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked process and return its exit code, negative when a signal ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def open_world(folder: Path, broken: bool) -> World:
    world = World(folder)
    if broken:
        world.publishers.append(BrokenPublisher(refuses={"v2"}))
    return world


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True)
    world = World(folder)
    world.adopt("v1")
    world.judge("r2", "v2")
    world.close()


def keep(folder: Path) -> dict[str, Any]:
    """Stands for keeping the answers: a file whose name is on record afterwards."""
    (folder / "kept-v2").write_text("answers of v2")
    return {"digest": "kept-v2"}


def live_once(folder: Path, broken: bool, kill_at: int | None, names: Path | None = None) -> None:
    world = open_world(folder, broken)
    crossings = world.watched(kill_at)
    asyncio.run(world.promote("r2", "v2", keep=lambda: keep(folder)))
    if names is not None:
        names.write_text(json.dumps(crossings.names))
    world.close()


def how_it_stands(folder: Path, broken: bool, **known: Any) -> None:
    """Promote once more, to the end, and print everything that must agree."""
    world = open_world(folder, broken)
    outcome = asyncio.run(world.promote("r2", "v2", keep=lambda: keep(folder)))
    live = world.registry.live(TARGET)
    if broken:
        world.publishers.pop()
    facts = {
        **known,
        "state": outcome.state,
        "run_state": world.registry.run("r2").state,
        "live": live.model_id,
        "generation": live.generation,
        "served": world.platform.standing().get(live.deployment),
        "published": sorted(map(str, asyncio.run(world.read_by_applications()))),
        "standing": sorted(world.platform.standing().values()),
        "log": world.platform.log,
        "switches": [event.kind for event in world.registry.history(TARGET, 50)],
        "kept": [
            (one.digest, (folder / one.digest).exists())
            for one in world.registry.kept_answers(TARGET)
        ],
        "damage": world.registry.verify(),
    }
    print(json.dumps(facts), flush=True)


def boundaries(folder: Path, broken: bool) -> None:
    prepare(folder / "whole")
    names_file = folder / "names.json"
    in_a_child(lambda: live_once(folder / "whole", broken, None, names_file))
    names = json.loads(names_file.read_text())
    # Up to the switch, the story with a way back is the same as the one without.
    first = names.index("after Registry.switch ()") if broken else 0
    for number, name in enumerate(names[first:], start=first + 1):
        story = folder / str(number)
        prepare(story)
        code = in_a_child(lambda story=story, number=number: live_once(story, broken, number))
        known = {"killed": code == -signal.SIGKILL, "at": name}
        in_a_child(lambda story=story, known=known: how_it_stands(story, broken, **known))


if __name__ == "__main__":
    place, *rest = sys.argv[1:]
    boundaries(Path(place), rest == ["put-back"])
