"""One measured run in a process of its own: `sampling_load.py {ours,bare} BASE_URL FOLDER CASES CONCURRENCY`.

Both ask `CASES` cases of candidate and of baseline, compare each answer with the expected text, and keep a line for each on disk.
`bare` is what anybody would write in twenty lines: a fixed set of tasks over aiohttp, without retries, journal or limits. Prints one line of
JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROLES = ("candidate", "baseline")


async def bare(base_url: str, folder: Path, cases: int, concurrency: int) -> dict[str, Any]:
    """Ask with aiohttp alone."""
    import aiohttp
    import msgspec

    todo = iter([(role, number) for number in range(cases) for role in ROLES])
    correct = 0
    folder.mkdir(parents=True, exist_ok=True)
    headers = {"Content-Type": "application/json", "api-key": "key-0123456789abcdef"}
    with (folder / "answers.jsonl").open("wb") as file:

        async def work(session: aiohttp.ClientSession) -> None:
            nonlocal correct
            for role, number in todo:
                message = {"role": "user", "content": f"case {number}"}
                body = {"model": role, "messages": [message], "temperature": 0}
                url = f"{base_url}/chat/completions"
                async with session.post(
                    url, data=msgspec.json.encode(body), headers=headers
                ) as response:
                    answer = msgspec.json.decode(await response.read())
                text = answer["choices"][0]["message"]["content"]
                correct += text == f"case {number}"
                file.write(
                    msgspec.json.encode({"case": number, "role": role, "text": text}) + b"\n"
                )

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            await asyncio.gather(*(work(session) for _ in range(concurrency)))
    return {"correct": correct}


async def ours(base_url: str, folder: Path, cases: int, concurrency: int) -> dict[str, Any]:
    """Ask with the sampler, half of the concurrency for each role."""
    from evals.records import Endpoint, Message
    from evals.sampling.journal.journal import Journal
    from evals.sampling.request_spec import ModelRequest, SamplingSettings, interleave
    from evals.sampling.sampler import sample

    @dataclass
    class StubConnection:
        endpoint: Endpoint
        auth: Any

    async def auth() -> Mapping[str, str]:
        return {"api-key": "key-0123456789abcdef"}

    def asks(role: Any) -> Iterator[ModelRequest]:
        for number in range(cases):
            message = Message(role="user", content=f"case {number}")
            yield ModelRequest(
                role=role, suite="s", case_id=f"c-{number}", repeat=0, messages=(message,)
            )

    correct = 0

    def grade(ask: ModelRequest, response: Any) -> None:
        nonlocal correct
        correct += response.text == ask.messages[-1].content

    model_ids = {"candidate": "gpt-4.1-mini-2025-04-14.ft-5d1e0c9a7b2f4c0f9e3a6d8b1c2e4f70", "baseline": "gpt-4.1-mini-2025-04-14"}  # fmt: skip
    connections = {
        role: StubConnection(
            Endpoint(base_url=base_url, model=role, model_id=model_ids[role]), auth
        )
        for role in ROLES
    }
    settings = SamplingSettings(temperature=0, concurrency=max(1, concurrency // 2))
    journal = Journal.open(folder)
    summary = await sample(
        interleave(*(asks(role) for role in ROLES)),
        connections=connections,
        settings=dict.fromkeys(ROLES, settings),
        journal=journal,
        on_response=grade,
        seed=7,
    )
    journal.close(compress=False)
    outcomes: dict[str, int] = {}
    for role in summary.roles.values():
        for name, count in role.outcomes.items():
            outcomes[name] = outcomes.get(name, 0) + count
    return {
        "correct": correct,
        "outcomes": outcomes,
        "requests": sum(role.requests for role in summary.roles.values()),
        "first_request_s": summary.first_request_s,
        "journal_bytes": sum(path.stat().st_size for path in folder.glob("*.jsonl")),
    }


def main() -> None:
    """Run and print what was measured."""
    name, base_url, folder, cases, concurrency = sys.argv[1:6]
    load = {"ours": ours, "bare": bare}[name]
    began = time.perf_counter()
    result = asyncio.run(load(base_url, Path(folder), int(cases), int(concurrency)))
    result["run_s"] = time.perf_counter() - began
    print(json.dumps(result))


if __name__ == "__main__":
    main()
