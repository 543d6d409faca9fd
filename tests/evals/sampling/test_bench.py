"""The benchmark runs and its own books balance; its figures are for quiet machines and not judged here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "sampling_bench.py"


@pytest.mark.slow
def test_the_benchmark_measures_everything() -> None:
    options = ["--small", "100", "--memory", "200", "--faults", "100", "--latency-ms", "10"]
    done = subprocess.run(
        [sys.executable, str(BENCH), *options], capture_output=True, text=True, timeout=900
    )
    assert done.stderr == ""
    for figure in ("wall / limit", "CPU ms a call", "peak RSS", "journal bytes", "asked again"):
        assert figure in done.stdout
    for figure in ("cases lost", "asked before their time", "did not count"):
        row = next(line for line in done.stdout.splitlines() if figure in line)
        assert row.endswith("ok")
