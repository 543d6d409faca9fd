"""How often does the canary trigger, for a model that did not change and for one that did?

    python tests/bench/canary_bench.py [--years 100] [--seed 1]

Models are simulated whose answers to a case differ from the usual one at a rate of the case's own, which the canary does not
know. Cases are chosen as it chooses them (those that agreed six times), and looked at every hour with the statistics that judge
real looks (`evals.stats.steady_answers`). Exits 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.stats.steady_answers import (
    CHOICES_PER_FALSE_TRIGGER,
    LOOKS_A_YEAR,
    chance_of_order,
    p_of_differing,
)

Rates = Callable[[np.random.Generator, int], NDArray[np.float64]]

CASES, DRAWN, AGREED, AGAIN = 20, 40, 6, 3
CHANCE = chance_of_order(AGREED, AGAIN)
MODELS: dict[str, Rates] = {
    "hardly ever differs (1 %)": lambda _rng, n: np.full(n, 0.01),
    "differs now and then (10 %)": lambda _rng, n: np.full(n, 0.10),
    "is restless (30 %)": lambda _rng, n: np.full(n, 0.30),
    "mostly steady, some cases a coin toss": lambda rng, n: np.where(
        rng.random(n) < 0.15, 0.5, 0.002
    ),
    "every case its own rate": lambda rng, n: rng.beta(0.15, 1.5, size=n),
}


@dataclass(frozen=True)
class Row:
    """A line of the table. `promised` is the most that is allowed, None where nothing is promised."""

    name: str
    found: float
    promised: float | None = None
    naive: float | None = None

    @property
    def broken(self) -> bool:
        return self.promised is not None and self.found > self.promised


def chosen(rng: np.random.Generator, rates: Rates) -> tuple[NDArray[np.float64], int]:
    """The rates of the cases that are chosen, and how many of those that were drawn are passed over."""
    drawn = rates(rng, DRAWN)
    steady = (rng.random((DRAWN, AGREED)) >= drawn[:, None]).all(axis=1)
    return drawn[steady][:CASES], int((~steady).sum())


def triggers_of_a_year(
    rng: np.random.Generator, rates: Rates, noisy_hours: float = 0.0
) -> tuple[int, int]:
    """How many of a year's looks trigger, and how many would where two cases that differ were enough.

    After a trigger the cases are chosen anew, as after a regression run that was steady.
    """
    triggers = naive = done = 0
    while done < LOOKS_A_YEAR:
        own, passed_over = chosen(rng, rates)
        at = np.broadcast_to(own, (LOOKS_A_YEAR - done, own.size)).copy()
        if noisy_hours:
            hours = rng.random(len(at)) < noisy_hours
            at[hours] = np.maximum(at[hours], np.minimum(0.3, 10 * at[hours] + 0.02))
        first = rng.random(at.shape) < at
        differing = (first & (rng.random(at.shape) < at**2)).sum(axis=1)
        small = [
            p_of_differing(number, passed_over, CHANCE) <= 1 / LOOKS_A_YEAR
            for number in range(own.size + 1)
        ]
        hits = np.flatnonzero(np.asarray(small)[differing])
        end = int(hits[0]) + 1 if hits.size else len(at)
        triggers += hits.size > 0
        naive += int((first[:end].sum(axis=1) >= 2).sum())
        done += end
    return triggers, naive


def caught(rng: np.random.Generator, share: float, rates: Rates) -> bool:
    """Whether a model that answers a share of the cases otherwise is found at the first look."""
    own, passed_over = chosen(rng, rates)
    differs = (rng.random(own.size) < share) | (rng.random(own.size) < own**AGAIN)
    return p_of_differing(int(differs.sum()), passed_over, CHANCE) <= 1 / LOOKS_A_YEAR


def turned(rng: np.random.Generator, kept: int, share: float, rates: Rates) -> bool:
    """Whether choosing takes the answers for another model's. Of 40 cases a share is answered otherwise than was kept."""
    own, again = rates(rng, DRAWN), 5
    before = rng.random((own.size, kept)) < own[:, None]
    now = (rng.random((own.size, again)) < own[:, None]) ^ (rng.random(own.size) < share)[:, None]
    turns = (before.all(axis=1) & ~now.any(axis=1)) | (~before.any(axis=1) & now.all(axis=1))
    alike = (before.all(axis=1) & now.all(axis=1)) | ~(before.any(axis=1) | now.any(axis=1))
    unsteady = int((~turns & ~alike).sum())
    p = p_of_differing(int(turns.sum()), unsteady, chance_of_order(kept, again))
    return p <= 1 / CHOICES_PER_FALSE_TRIGGER


def rows(years: int, seed: int) -> Iterator[tuple[str, list[Row]]]:
    rng = np.random.default_rng(seed)
    most = 1.0 + 3.0 / math.sqrt(years)
    false = []
    for name, rates in MODELS.items():
        found = [triggers_of_a_year(rng, rates) for _ in range(years)]
        ours, naive = np.mean(found, axis=0)
        false.append(Row(name, float(ours), most, float(naive)))
    yield "false triggers a year, of a model that did not change and", false
    shaky = []
    for name in ("hardly ever differs (1 %)", "every case its own rate"):
        found = [triggers_of_a_year(rng, MODELS[name], 0.01) for _ in range(years)]
        ours, naive = np.mean(found, axis=0)
        shaky.append(Row(name, float(ours), None, float(naive)))
    yield "the same, one hour in a hundred ten times as noisy for all cases at once", shaky
    usual = MODELS["every case its own rate"]
    yield (
        "found at the first look after the change",
        [
            Row(
                f"{share:.0%} of the answers changed",
                float(np.mean([caught(rng, share, usual) for _ in range(4000)])),
            )
            for share in (0.1, 0.2, 0.3, 0.4, 0.6)
        ],
    )
    for kept in (1, 2):
        again = "answer" if kept == 1 else "answers"
        yield (
            f"concluded to be another model when cases are chosen, {kept} kept {again}",
            [
                Row(
                    f"{share:.0%} of the answers changed",
                    float(np.mean([turned(rng, kept, share, usual) for _ in range(4000)])),
                    2.5 / CHOICES_PER_FALSE_TRIGGER if share == 0 else None,
                )
                for share in (0.0, 0.2, 0.4, 0.6)
            ],
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--years", type=int, default=100, help="years of hourly looks for each model"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    broken = []
    print("| | two that differ | the canary | promised |\n|---|---|---|---|")
    for title, found in rows(options.years, options.seed):
        print(f"| **{title}** | | | |")
        for row in found:
            naive = "" if row.naive is None else f"{row.naive:,.0f}"
            promised = (
                "" if row.promised is None else f"at most {1 if row.promised > 0.5 else 0.001:g}"
            )
            print(f"| {row.name} | {naive} | {row.found:.3f} | {promised} |")
            broken += [row.name] if row.broken else []
    for name in broken:
        print(f"broken: {name}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
