"""The gate's promises, measured on the code that judges real runs, beside the gate that compares averages.

    python tests/bench/gate_bench.py [--replicates 2000] [--seed 1] [--markdown] [--check]

Everything goes through results, policy, looks and verdict (evals/selftest/simulation.py; `gatewright gate --self-test` runs the same
with fewer replicates). `--markdown` prints the table of docs/statistics.md; `--check` exits 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from evals.report.selftest_view import selftest_view
from evals.selftest.rates import SAVED, MeasuredRate, SelfTest
from evals.selftest.simulation import self_test


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a promise is broken")
    options = parser.parse_args()
    found = self_test(
        replicates=options.replicates,
        seed=options.seed,
        progress=lambda name: print(f"  {name}", file=sys.stderr),
    )
    if options.markdown:
        print(markdown(found))
    else:
        Console(width=110).print(selftest_view(found))
    return 1 if options.check and found.missed else 0


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
