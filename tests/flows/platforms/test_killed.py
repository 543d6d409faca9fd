"""A process killed at any moment of deploying, replacing or deleting: the next one ends in the same state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.platforms.base import SlotSpec

SLOT = SlotSpec(slot="production", sku="GlobalStandard", capacity=10)


def _kill_after(url: str, what: str, model: str, seconds: float) -> None:
    script = Path(__file__).with_name("slot_work.py")
    process = subprocess.Popen(
        [sys.executable, script, url, what, model], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "moment"),
    [("deploy", 0.1), ("replace", 0.01), ("replace", 0.15), ("replace", 0.35), ("delete", 0.1)],
)
async def test_a_killed_process_is_finished_by_the_next(
    embedded, models, emulator, what: str, moment: float
) -> None:
    emulator.set(provisioning_s=0.2, deleting_s=0.2)
    old, new = models.first.model_id, models.second.model_id
    previous = None
    if what != "deploy":
        previous = await embedded.deploy("live", old, SLOT, tags={"run": "before"})
    _kill_after(emulator.url, what, new, moment)
    if what == "deploy":
        await embedded.deploy("live", new, SLOT, tags={"run": "r"})
    elif what == "replace":
        await embedded.replace("live", new, SLOT, tags={"run": "r"}, previous=previous)
    else:
        await embedded.delete("live")
    standing = {one.name: one.model_id for one in await embedded.list_deployments()}
    assert standing == ({} if what == "delete" else {"live": new})
