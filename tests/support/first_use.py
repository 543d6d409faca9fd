"""A program: threads use the product's records for the first time at once, as many times over as it is told.

    python tests/support/first_use.py 1000

A type is new only once, so the records are defined anew each time. Threads are switched as often as Python can, so that
they meet half-way through a type.
"""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Barrier, Thread
from types import ModuleType
from typing import Any

import evals.records
from evals.codec import convert, decode

THREADS = 4
CASE = b'{"id":"c","messages":[{"role":"user","content":"?"}],"tags":{"topic":"t"}}'
PLAIN = decode(CASE)
SOURCE = compile(Path(evals.records.__file__).read_bytes(), evals.records.__file__, "exec")


def define_anew() -> Any:
    module = sys.modules["records_anew"] = ModuleType("records_anew")
    exec(SOURCE, module.__dict__)
    return module.Case


def main(times: int) -> None:
    together, kinds, right = Barrier(THREADS + 1), list[Any](), list[bool]()

    def use() -> None:
        for _ in range(times):
            together.wait()
            right.append(decode(CASE, kinds[-1]) == convert(PLAIN, kinds[-1]))
            together.wait()

    for _ in range(THREADS):
        Thread(target=use, daemon=True).start()
    for _ in range(times):
        kinds.append(define_anew())
        together.wait()
        together.wait()
    print(f"{sum(right)} times right")


if __name__ == "__main__":
    sys.setswitchinterval(1e-6)
    main(int(sys.argv[1]))
