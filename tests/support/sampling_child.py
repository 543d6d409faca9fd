"""A sampling run in a process of its own, to be killed.

It is forked from a process that has imported everything already, since a hundred that import it all take minutes.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from evals.records import Endpoint, Message, Role
from evals.sampling.journal.journal import Journal
from evals.sampling.request_spec import ModelRequest, SamplingSettings, interleave
from evals.sampling.sampler import sample

__all__ = ["start"]

ROLES: tuple[Role, ...] = ("candidate", "baseline")


@dataclass
class StubConnection:
    endpoint: Endpoint
    auth: Any


async def auth() -> Mapping[str, str]:
    return {"api-key": "key-0123456789abcdef"}


def asks(role: Any, cases: int) -> Any:
    for number in range(cases):
        message = Message(role="user", content=f"case {number}")
        yield ModelRequest(
            role=role, suite="triage", case_id=f"c-{number}", repeat=0, messages=(message,)
        )


async def _sampled(base_url: str, folder: Path, cases: int) -> None:
    endpoints = {r: Endpoint(base_url=base_url, model=r, model_id=f"{r}-id") for r in ROLES}
    with Journal.open(folder) as journal:
        await sample(
            interleave(*(asks(role, cases) for role in ROLES)),
            connections={role: StubConnection(endpoints[role], auth) for role in ROLES},
            settings=dict.fromkeys(ROLES, SamplingSettings(concurrency=8)),
            journal=journal,
        )


def _work(base_url: str, folder: Path, cases: int) -> None:
    asyncio.run(_sampled(base_url, folder, cases))


def start(base_url: str, folder: Path, cases: int) -> BaseProcess:
    """Begin to ask so many cases; the process ends with exit code 0 when all have their answers."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([__name__])
    child = server.Process(target=_work, args=(base_url, folder, cases))
    child.start()
    return child
