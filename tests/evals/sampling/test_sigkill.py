"""SIGKILL at random moments of a real process: of the answered none is asked again, at most those in flight are."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from support import sampling_child

from evals.sampling.accounting import read_usage

CASES = 400
IN_FLIGHT = 8 + 2  # the child's concurrency for each role, and what it may be writing


def start(studio: Any) -> BaseProcess:
    return sampling_child.start(studio.server.base_url, studio.folder, CASES)


async def ended(child: BaseProcess) -> int | None:
    """Wait for the end of a child, while the server goes on answering, and return its exit code."""
    while child.is_alive():
        await asyncio.sleep(0.002)
    child.join()
    code = child.exitcode
    child.close()
    return code


async def kill_after(studio: Any, requests: int, pause_s: float) -> bool:
    """Start the child and kill it once it has made so many requests; True when it had ended before."""
    child = start(studio)
    goal = studio.server.asked.total() + requests
    while studio.server.asked.total() < goal and child.is_alive():
        await asyncio.sleep(0.001)
    await asyncio.sleep(pause_s)
    child.kill()
    return await ended(child) == 0


def durable(studio: Any) -> set[tuple[str, str]]:
    folder_there = studio.folder.exists()
    return {
        (role, f"case {case_id[2:]}")
        for role in studio.roles
        if folder_there
        for case_id, _ in studio.responses(role)
    }


async def kill_often(studio: Any, times: int, seed: int) -> None:
    rng = random.Random(seed)
    studio.server.keep = False
    studio.server.latency_s = 0.004
    answered_before: dict[tuple[str, str], int] = {}
    for _ in range(times):
        asked_before = Counter(studio.server.asked)
        if await kill_after(studio, rng.randint(0, 50), rng.random() * 0.03):
            break
        answered = durable(studio)
        for key, count in answered_before.items():
            assert studio.server.asked[key] == count, f"{key} was asked again"
        again = [
            k
            for k, n in asked_before.items()
            if k not in answered_before and studio.server.asked[k] > n
        ]
        assert len(again) <= IN_FLIGHT * len(studio.roles)
        answered_before = {key: studio.server.asked[key] for key in answered}
    assert await ended(start(studio)) == 0
    for key, count in answered_before.items():
        assert studio.server.asked[key] == count
    for role in studio.roles:
        responses = studio.responses(role)
        assert len(responses) == CASES
        assert all(
            response.text == f"case {case_id[2:]}" for (case_id, _), response in responses.items()
        )


@pytest.mark.slow
async def test_the_account_agrees_with_the_server_whatever_was_killed(studio: Any) -> None:
    rejected = 0

    def script(request: Any) -> Any:
        nonlocal rejected
        if request.total % 5:
            return studio.ok(request.text)
        rejected += 1
        return studio.failing(429, headers={"retry-after-ms": "5"})

    studio.server.script = script
    studio.server.keep = False
    studio.server.latency_s = 0.004
    rng = random.Random(4)
    for number in range(1, 6):
        await kill_after(studio, rng.randint(60, 120), rng.random() * 0.03)
        calls = read_usage(studio.folder)
        assert [call.call for call in calls] == list(range(1, number + 1))
        check_account(studio, calls, rejected)
    assert await ended(start(studio)) == 0
    calls = read_usage(studio.folder)
    check_account(studio, calls, rejected)
    assert [call.ended for call in calls] == [False] * 5 + [True]
    assert (calls[-1].uncounted, calls[-1].roles["candidate"].unfinished) == (0, 0)
    for call in calls:  # the change of the limit each began with, and those of a torn history
        for role in call.roles.values():
            assert role.limits[0].cause == "start"
            assert [change.at_s for change in role.limits] == sorted(c.at_s for c in role.limits)
    assert any(c.cause == "growth" for call in calls for c in call.roles["baseline"].limits)


def check_account(studio: Any, calls: Any, rejected: int) -> None:
    """The server's counts and the account's differ by no more than what the account says it can't know."""
    roles = [role for call in calls for role in call.roles.values()]
    killed = sum(not call.ended for call in calls)
    doubt = sum(call.uncounted for call in calls)
    assert doubt == killed * 8 * len(studio.roles)
    counted, asked = sum(role.requests for role in roles), studio.server.asked.total()
    assert counted - doubt <= asked <= counted + doubt
    retries = sum(role.retries.get("rate_limited", 0) for role in roles)
    assert rejected - 2 * doubt <= retries <= rejected


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_killed_five_times_and_nothing_answered_is_asked_again(
    studio: Any, seed: int
) -> None:
    await kill_often(studio, 5, seed)
