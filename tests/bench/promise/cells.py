"""What the bench runs: cells, each with its own seed, spread over processes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from zlib import crc32

import numpy as np
from promise.rows import Row, line
from promise.verdicts import forget

from evals.checks.check import Check
from evals.gate.policy import GatePolicy
from evals.selftest.simulated_models import gate_of

__all__ = ["Cell", "Setting", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How much is simulated, and the gate's confidence: another one than promised shows that the bench would notice."""

    binary: int = 20_000
    other: int = 5_000
    seed: int = 1
    confidence: float = 0.95

    def gate(self, *checks: Check, **options: object) -> GatePolicy:
        """A gate of these checks, at the setting's confidence."""
        return gate_of(*checks, **({"confidence": self.confidence} | options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A few rows that are simulated together. `name` begins with the part of the bench it belongs to."""

    name: str
    rows: Callable[[np.random.Generator, Setting], Iterable[Row]]


def run(cells: list[Cell], setting: Setting, processes: int) -> Iterator[Row]:
    """Measure all cells; rows come in the order of the cells, whatever is ready first."""
    global _CELLS, _SETTING
    _CELLS, _SETTING = cells, setting
    if processes <= 1:
        for number in range(len(cells)):
            yield from _measured(number)
        return
    # Forked, so that functions need not be sent.
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        for rows in pool.map(_measured, range(len(cells))):
            yield from rows


_CELLS: list[Cell] = []
_SETTING = Setting()


def _measured(number: int) -> list[Row]:
    cell, began = _CELLS[number], time.perf_counter()
    # A seed of its own name: a cell gives the same rows whichever others run.
    rng = np.random.default_rng([_SETTING.seed, crc32(cell.name.encode())])
    rows = list(cell.rows(rng, _SETTING))
    forget()
    # A cell may take minutes: what it found is seen as soon as it is known.
    lines = [f"  {cell.name}: {time.perf_counter() - began:.0f} s", *map(line, rows)]
    print("\n".join(lines), file=sys.stderr, flush=True)
    return rows
