"""A sampling run in a process of its own, to be killed: `sampling_child.py BASE_URL FOLDER CASES`. Prints 'done' at the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.records import Endpoint, Message
from evals.sampling.journal.journal import Journal
from evals.sampling.request_spec import ModelRequest, SamplingSettings, interleave
from evals.sampling.sampler import sample

ROLES = ("candidate", "baseline")


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


async def main(base_url: str, folder: Path, cases: int) -> None:
    endpoints = {r: Endpoint(base_url=base_url, model=r, model_id=f"{r}-id") for r in ROLES}
    with Journal.open(folder) as journal:
        await sample(
            interleave(*(asks(role, cases) for role in ROLES)),
            connections={role: StubConnection(endpoints[role], auth) for role in ROLES},
            settings=dict.fromkeys(ROLES, SamplingSettings(concurrency=8)),
            journal=journal,
        )
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
