"""One of several processes that switch the same target at the same moment: python switch_race.py URL NAME.

For every line on stdin, which holds the generation to expect, it tries once and answers `won` or `lost`.
"""

from __future__ import annotations

import sys

from evals.errors import StaleGenerationError
from evals.records import Endpoint
from flows.registry.records import NewPointer
from flows.registry.store import Registry


def race(url: str, name: str) -> None:
    with Registry.open(url) as registry:
        print("ready", flush=True)
        for line in sys.stdin:
            print(attempt(registry, name, int(line)), flush=True)


def attempt(registry: Registry, name: str, generation: int) -> str:
    endpoint = Endpoint(base_url="http://127.0.0.1:1", model=name, model_id=name)
    new = NewPointer(target="triage", model_id=name, platform="embedded", endpoint=endpoint)
    try:
        registry.switch(
            new, expected_generation=generation, actor=name, reason="race", kind="adopt"
        )
    except StaleGenerationError:
        return "lost"
    return "won"


if __name__ == "__main__":
    race(sys.argv[1], sys.argv[2])
