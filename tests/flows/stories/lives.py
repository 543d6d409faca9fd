"""Lives that can be cut short: run by test_azure_kills.py as a process of its own, which forks one for each order.

Reads one JSON object a line, {"do": "deploy" | "clean up" | "go live" | "sweep", "run": id, "kill_after": seconds or null},
and prints the exit code of that life: 0, 1 for an error, -9 when it was killed.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sys
import time
import traceback
from typing import Any

import openai  # noqa: F401 - loaded once, before the first fork

from flows.evaluation import steps
from flows.housekeeping import sweep_target
from flows.platforms.azure import azure_openai
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.deadlines import PollingPace
from flows.release import go_live
from flows.settings import load_settings

QUICK = PollingPace(
    request=300, poll=0.05, probe=0.05, deploy=900, delete=900, ready=900, first_pause=0.05
)


async def work(order: dict[str, Any]) -> None:
    settings, run_id = load_settings(), order["run"]
    if order["do"] == "deploy":
        await steps.deploy_candidate(settings, run_id)
    elif order["do"] == "clean up":
        await steps.clean_up(settings, run_id)
    elif order["do"] == "go live":
        outcome = await go_live.go_live(settings, run_id)
        assert outcome.state in ("live", "superseded"), outcome
    else:
        for swept in await sweep_target.sweep_all(settings):
            assert swept.problems == (), swept


def live(order: dict[str, Any]) -> int:
    """Fork, let the child work, kill it in time, and return how it ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(work(order))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if order["kill_after"] is not None:
        time.sleep(order["kill_after"])
        os.kill(child, signal.SIGKILL)  # a child that is done but not waited for takes no harm
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    azure_openai.AzureOpenAIPlatform = functools.partial(AzureOpenAIPlatform, pace=QUICK)  # type: ignore[misc,assignment]
    for line in sys.stdin:
        print(live(json.loads(line)), flush=True)
