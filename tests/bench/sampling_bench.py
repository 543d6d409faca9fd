"""Measures the sampler against a bare aiohttp loop in the same run, and prints a table with the targets.

    python tests/bench/sampling_bench.py                        the quick figures, about a minute
    python tests/bench/sampling_bench.py --large 20000 --memory 2000,20000,200000 --faults 20000 --runs 3

Every run is a process of its own, so that memory, CPU and start-up are its own. The wall time includes the start of Python. The limit is calls x
latency / concurrency: no client can be faster. Ratios of medians; on a shared machine compare with the bare loop, not with the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MIB = 1024


@dataclass
class Figures:
    """One run."""

    wall_s: float
    cpu_s: float
    rss_mib: float
    result: dict[str, Any]


class Server:
    """The small server in its own process."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, str(HERE / "sampling_server.py"), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.root = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def stats(self) -> dict[str, Any]:
        """What the server counted."""
        with urllib.request.urlopen(f"{self.root}/_stats") as answer:
            return json.loads(answer.read())


def start(name: str, server: Server, folder: Path, cases: int, at_once: int) -> subprocess.Popen:
    command = [sys.executable, str(HERE / "sampling_load.py"), name, f"{server.root}/v1"]
    command += [str(folder), str(cases), str(at_once)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run(name: str, server: Server, cases: int, at_once: int, folder: Path | None = None) -> Figures:
    """Run one load to its end."""
    with tempfile.TemporaryDirectory() as temporary:
        began = time.perf_counter()
        process = start(name, server, folder or Path(temporary) / "run", cases, at_once)
        assert process.stdout
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
    if status:
        raise SystemExit(f"{name} failed with {status}")
    process.returncode = 0
    cpu_s = usage.ru_utime + usage.ru_stime
    return Figures(wall_s, cpu_s, usage.ru_maxrss / MIB, json.loads(output))


class Table:
    """Rows of figure, ours, bare, target and whether it is met."""

    def __init__(self) -> None:
        self.missed = 0
        print(f"{'figure':58} {'ours':>9} {'bare':>9} {'target':>9}")

    def row(
        self, figure: str, ours: float, bare: float | None = None, target: float | None = None
    ) -> None:
        met = "" if target is None else ("ok" if ours <= target else "MISSED")
        self.missed += met == "MISSED"
        cells = ["" if cell is None else f"{cell:.2f}" for cell in (ours, bare, target)]
        print(f"{figure:58} {cells[0]:>9} {cells[1]:>9} {cells[2]:>9} {met}", flush=True)


def measure_speed(table: Table, options: argparse.Namespace) -> None:
    """Wall over the limit, CPU a call, start-up, journal bytes."""
    sizes = [options.small] + ([options.large] if options.large else [])
    with Server("--latency-ms", str(options.latency_ms)) as server:
        one = {
            name: median([run(name, server, 1, 2) for _ in range(3)]) for name in ("ours", "bare")
        }
        for size, target in zip(sizes, (1.25, 1.10), strict=False):
            seen: dict[str, list[Figures]] = {"ours": [], "bare": []}
            for _ in range(options.runs):
                for name in ("bare", "ours"):
                    seen[name].append(run(name, server, size, options.at_once))
            ours, bare = median(seen["ours"]), median(seen["bare"])
            limit_s = 2 * size * options.latency_ms / 1000 / options.at_once
            title = f"N = {size:,}"
            table.row(
                f"wall / limit, {title}", ours.wall_s / limit_s, bare.wall_s / limit_s, target
            )
            calls = 2 * size
            cpu = [
                (f.cpu_s - one[n].cpu_s) / calls * 1000 for n, f in (("ours", ours), ("bare", bare))
            ]
            table.row(f"CPU ms a call net of start-up, {title}", cpu[0], cpu[1])
            table.row(f"  over the bare loop's, {title}", cpu[0] / cpu[1], 1.0, 1.5)
            table.row(f"calls/s, {title}", calls / ours.wall_s, calls / bare.wall_s)
        table.row("start-up and one case, s", one["ours"].wall_s, one["bare"].wall_s, 1.0)
        table.row("time to first request after imports, s", one["ours"].result["first_request_s"])
        table.row("journal bytes a response", ours.result["journal_bytes"] / calls, None, 600)


def median(runs: list[Figures]) -> Figures:
    """The medians of wall and CPU; memory and results of the last run."""
    wall_s = statistics.median(figures.wall_s for figures in runs)
    cpu_s = statistics.median(figures.cpu_s for figures in runs)
    return Figures(wall_s, cpu_s, runs[-1].rss_mib, runs[-1].result)


def measure_memory(table: Table, options: argparse.Namespace) -> None:
    """Peak memory at several sizes, without latency."""
    targets = {2_000: 110, 20_000: 120, 200_000: 140}
    with Server("--latency-ms", "0") as server:
        for size in options.memory:
            figures = run("ours", server, size, options.at_once)
            table.row(f"peak RSS MiB, N = {size:,}", figures.rss_mib, None, targets.get(size))
            table.row(f"  calls/s without latency, N = {size:,}", 2 * size / figures.wall_s)


def measure_faults(table: Table, options: argparse.Namespace) -> None:
    """5 % 429 with Retry-After: 1 and 2 % 500."""
    size = options.faults
    faults = ("--rate-limited", "0.05", "--broken", "0.02")
    with Server("--latency-ms", str(options.latency_ms), *faults) as server:
        figures = run("ours", server, size, options.at_once)
        stats = server.stats()
    limit_s = 2 * size * options.latency_ms / 1000 / options.at_once
    lost = 2 * size - figures.result["outcomes"].get("answered", 0)
    table.row(f"5 % 429 + 2 % 500, N = {size:,}: wall / limit", figures.wall_s / limit_s, None, 1.6)
    table.row("  cases lost", lost, None, 0)
    table.row("  asked before their time", stats["early"], None, 0)
    uncounted = stats["requests"] - figures.result["requests"]
    table.row("  requests the sampler did not count", uncounted, None, 0)


def measure_resume(table: Table, options: argparse.Namespace) -> None:
    """SIGKILL half-way, then the same run again."""
    size = options.small
    with (
        Server("--latency-ms", str(options.latency_ms)) as server,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name) / "run"
        process = start("ours", server, folder, size, options.at_once)
        while server.stats()["requests"] < size:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        asked = server.stats()["requests"]
        resumed = run("ours", server, size, options.at_once, folder)
        again = server.stats()["asked_again"]
        one = run("ours", server, 1, 2)
    remaining_s = (2 * size - asked) * options.latency_ms / 1000 / options.at_once
    # In flight is what was asked and is not durable yet: at most a quarter more than are at the server.
    table.row("SIGKILL half-way: asked again", again, None, options.at_once * 5 / 4)
    over = resumed.wall_s / (remaining_s * 1.25 + one.wall_s)
    table.row("  resumed wall / (1.25 x remaining share + start-up)", over, None, 1.0)


def main() -> None:
    """Read the options, measure, and fail when a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", type=int, default=2_000, help="cases of the small run")
    parser.add_argument(
        "--large", type=int, default=0, help="cases of the large run; 0 leaves it out"
    )
    parser.add_argument("--memory", default="2000,20000", help="sizes for the peak memory")
    parser.add_argument("--faults", type=int, default=10_000, help="cases of the faulty run")
    parser.add_argument("--runs", type=int, default=1, help="interleaved runs to take medians of")
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--only", choices=["speed", "memory", "faults", "resume"])
    options = parser.parse_args()
    options.memory = [int(size) for size in options.memory.split(",") if size]
    table = Table()
    measures = {
        "speed": measure_speed,
        "memory": measure_memory,
        "faults": measure_faults,
        "resume": measure_resume,
    }
    for name, measure in measures.items():
        if options.only in (None, name):
            measure(table, options)
    sys.exit(1 if table.missed else 0)


if __name__ == "__main__":
    main()
