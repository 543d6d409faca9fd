"""The bench of the gate's promises runs, finds a gate that breaks them, and judges as real runs do. Its figures are not judged here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.gate.replay import replay
from evals.stats.sequential import plan_looks

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    tiny = ["--replicates", "40", "--processes", "1", "--rows", "missing"]
    command = [sys.executable, str(BENCH / "gate_bench.py"), *tiny, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
def test_a_kept_promise_is_a_table_and_a_broken_one_an_exit_code() -> None:
    kept = bench()
    assert kept.returncode == 0, kept.stderr
    assert "| 1% lost, ten looks |" in kept.stdout
    broken = bench("--confidence", "0.6")
    assert broken.returncode == 1
    assert "BROKEN" in broken.stdout
    assert "broken: " in broken.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("bench_path")
def test_judging_each_table_once_gives_what_runs_one_by_one_give() -> None:
    from promise.cells import Setting
    from promise.counts import MARGIN, lose, paths
    from promise.verdicts import DROP, evidence_of, looking_early

    sizes, gate = plan_looks(600).sizes, Setting().gate(DROP)
    drawn = paths(np.random.default_rng(1), 20, sizes, -MARGIN)
    found = lose(drawn, np.asarray(sizes), 0.01)
    together = looking_early(gate, found)
    for number, path in enumerate(found):

        def evidence_at(look: int, path: Any = path) -> Any:
            return evidence_of(path[look - 1], 600)

        verdict, look = replay(gate, evidence_at, len(sizes))
        one = together.verdicts[together.of[number]]
        assert (one.outcome, together.cases[number]) == (verdict.outcome, sizes[look - 1])
        assert one.checks[0].lower == verdict.checks[0].lower


@pytest.mark.usefixtures("bench_path")
def test_a_rate_is_held_against_its_bound_and_no_number_keeps_none() -> None:
    from promise.rows import Row, share

    strict = Row(group="g", name="n", now=0.056, bound=0.055, replicates=20_000)
    assert strict.met is False
    assert Row(group="g", name="n", now=0.056, bound=0.055, replicates=200).met is True
    assert share("g", "n", [], bound=0.055).met is False
    assert share("g", "n", [True] * 9, bound=0.99, at_most=False).met is True


@pytest.mark.usefixtures("bench_path")
def test_what_is_drawn_is_as_bad_as_it_says() -> None:
    from promise.counts import LOST, WON, lose, paths, shuffled, tables

    rng = np.random.default_rng(2)
    drawn = tables(rng, 4000, 500, -0.03)
    assert float(np.mean((drawn[:, WON] - drawn[:, LOST]) / 500)) == pytest.approx(-0.03, abs=0.001)
    again = shuffled(rng, drawn, (100, 500))
    assert (again[:, -1] == drawn).all()
    assert (again[:, 0].sum(axis=1) == 100).all()
    path = paths(rng, 50, (100, 500), -0.03)
    assert (
        lose(path, np.array([100, 500]), 0.02)[..., LOST]
        == np.maximum(path[..., LOST] - [2, 10], 0)
    ).all()
