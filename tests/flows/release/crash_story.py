"""Kills promotions and starts them again: run by test_crashes.py as a process of its own, which forks one for each life.

    python crash_story.py FOLDER boundaries [put-back]     SIGKILL at every boundary (of the way back), one story each
    python crash_story.py FOLDER moments COUNT SEED        SIGKILL at COUNT random moments, several lives a story

Prints one JSON object for each story: where it was killed and how the world stood after the restart.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.file_platform import TARGET, BrokenPublisher, World


def in_a_child(work: Callable[[], None], *, kill_after_s: float | None = None) -> int:
    """Run `work` in a forked process and return its exit code, negative when a signal ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)  # a child that is done but not waited for takes no harm
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


def moments(folder: Path, count: int, seed: int) -> None:
    chance = random.Random(seed)
    prepare(folder / "whole")
    began = time.monotonic()
    in_a_child(lambda: live_once(folder / "whole", False, None))
    span = time.monotonic() - began
    killed, story = 0, 0
    while killed < count:
        story += 1
        place = folder / str(story)
        prepare(place)
        for _ in range(chance.randint(1, 4)):
            after = chance.uniform(0, span)
            code = in_a_child(lambda place=place: live_once(place, False, None), kill_after_s=after)
            killed += code == -signal.SIGKILL
        in_a_child(
            lambda place=place, story=story: how_it_stands(place, False, at=f"story {story}")
        )


if __name__ == "__main__":
    place, kind, *rest = sys.argv[1:]
    if kind == "boundaries":
        boundaries(Path(place), rest == ["put-back"])
    else:
        moments(Path(place), int(rest[0]), int(rest[1]))
