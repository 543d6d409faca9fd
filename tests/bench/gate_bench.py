"""The gate's promises, measured on the code that judges real runs, and where the world departs from the model of them.

    python tests/bench/gate_bench.py [--rows missing tries ...] [--quick] [--replicates 20000] [--seed 1] [--markdown]

The first table sets the gate beside the one that compares averages (evals/selftest/simulation.py; `gatewright gate --self-test`
runs the same with fewer replicates). The second one is of answers that are missing not at random, of second tries, sweeps, slow
decline and the rest that a year brings (tests/bench/promise), beside what each would be without the rule that is there for it.
Exits 1 when a promise is broken. `--confidence 0.7` judges by a worse gate than is promised, to see that it does.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from promise import clusters, decline, degraded, families, looking, missing, sweeps, tries, year
from promise.cells import Cell, Setting, run
from promise.rows import Row
from promise.rows import markdown as promise_table
from rich.console import Console

from evals.report.selftest_view import selftest_view
from evals.selftest.rates import SAVED, MeasuredRate, SelfTest
from evals.selftest.simulation import self_test

CELLS = [
    *missing.CELLS,
    *tries.CELLS,
    *sweeps.CELLS,
    *decline.CELLS,
    *degraded.CELLS,
    *year.CELLS,
    *families.CELLS,
    *clusters.CELLS,
    *looking.CELLS,
]


def main() -> int:
    options = _options()
    broken: list[str] = []
    if not options.rows or "averages" in options.rows:
        broken += _averages(options)
    wanted = tuple(options.rows) or ("",)
    cells = [cell for cell in CELLS if cell.name.startswith(wanted)]
    if not cells and "averages" not in options.rows:
        broken.append(f"no row of this name: {' '.join(options.rows)}")
    if cells:
        broken += _promises(cells, options)
    for name in broken:
        print(f"broken: {name}", file=sys.stderr)
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rows", nargs="*", default=[], help="averages, missing, tries, 'missing fixed 0.99' ..."
    )
    parser.add_argument("--quick", action="store_true", help="a twentieth of the replicates")
    parser.add_argument(
        "--replicates", type=int, default=20_000, help="of pass/fail rows; others get a quarter"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--confidence", type=float, default=0.95, help="of the gate that judges")
    parser.add_argument("--markdown", action="store_true")
    return parser.parse_args()


def _averages(options: argparse.Namespace) -> list[str]:
    found = self_test(
        replicates=max(1, options.replicates // (200 if options.quick else 10)),
        seed=options.seed,
        progress=lambda name: print(f"  {name}", file=sys.stderr),
    )
    if options.markdown:
        print(markdown(found))
    else:
        Console(width=110).print(selftest_view(found))
    return [f"{row.group}: {row.name}" for row in found.missed]


def _promises(cells: list[Cell], options: argparse.Namespace) -> list[str]:
    replicates = max(1, options.replicates // (20 if options.quick else 1))
    setting = Setting(
        binary=replicates,
        other=max(1, replicates // 4),
        seed=options.seed,
        confidence=options.confidence,
    )
    began = time.perf_counter()
    rows: list[Row] = list(run(cells, setting, options.processes))
    print(promise_table(rows))
    print(f"seed {setting.seed}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return [f"{row.group}: {row.name} ({row.now:.4f})" for row in rows if row.met is False]


def markdown(found: SelfTest) -> str:
    lines = ["| | averages | this gate | promised |", "|---|---|---|---|"]
    for group in dict.fromkeys(row.group for row in found.rows):
        lines.append(f"| **{group}** | | | |")
        lines += [_line(row) for row in found.rows if row.group == group]
    return "\n".join(lines)


def _line(row: MeasuredRate) -> str:
    share = row.group == SAVED or row.name.endswith(": saved")
    gate = f"{row.gate:.0%}" if share else f"{row.gate:.3f}"
    naive = "" if row.naive is None else f"{row.naive:.3f}"
    limit = ""
    if row.target is not None:
        amount = f"{row.target:.0%}" if share else f"{row.target:.3f}"
        limit = f"{'at most' if row.at_most else 'at least'} {amount}"
        limit += "" if row.met else " (missed)"
    return f"| {row.name} | {naive} | {gate} | {limit} |"


if __name__ == "__main__":
    raise SystemExit(main())
