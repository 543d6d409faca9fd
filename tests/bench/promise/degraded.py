"""Evidence that looks like a good candidate and is none: a broken grader, a live model that is ill, and a hopeless candidate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from promise.cells import Cell, Setting
from promise.counts import MARGIN
from promise.models import ACCURACY, first_model, successor
from promise.rows import Row, share
from promise.verdicts import DROP

from evals.checks.check import Check
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.replay import replay
from evals.records import Verdict
from evals.selftest.simulated_models import Pair, simulated_evidence
from evals.stats.sequential import plan_looks

__all__ = ["CELLS"]

ILL = "the live model's own deployment fell, and the candidate is as bad"
HOPELESS = (
    "a candidate at .71 against .88, with the gate of a newcomer (at least .80, drop below .03)"
)
BROKEN = "evidence that proves nothing"
N = 1142
REFUSED_BEFORE = {240: 0.58, N: 1.0}
"""As it was when giving up never refused (62 runs each)."""


def _ill(fall: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    """The candidate equals what the live model has become, so that all that is relative passes."""
    gate, now, before = setting.gate(DROP), [], []
    for _ in range(setting.other):
        evidence = _three(rng, fall * MARGIN)
        now.append(judge(gate, evidence).outcome == "PASS")
        before.append(judge(gate, replace(evidence, kept_baseline=None)).outcome == "PASS")
    name = (
        "it did not fall, and the candidate is equal"
        if not fall
        else f"by {fall:g} margin{'s' if fall > 1 else ''}"
    )
    bound, at_most = (0.055, True) if fall >= 2.0 else (None, True)
    yield share(ILL, name, now, before=before, bound=bound, at_most=at_most)


def _three(rng: np.random.Generator, fall: float) -> Evidence:
    """The live model when it was promoted, the same now, and a candidate that is as good as that."""
    kept = first_model(rng, 1, N)
    live = successor(rng, kept, np.array([ACCURACY]), -fall)
    candidate = successor(rng, live, np.array([ACCURACY - fall]), 0.0)
    plain = simulated_evidence(_pair(candidate, live))
    then = simulated_evidence(_pair(live, kept)).baseline
    return replace(plain, kept_baseline=then)


def _pair(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> Pair:
    return {"ours": {"score": ours[0] * 1.0}, "theirs": {"score": theirs[0] * 1.0}}


def _hopeless(n: int, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    level = Check(metric="score", kind="at_least", threshold=0.8, field="b")
    gate, sizes = setting.gate(level, DROP), plan_looks(n).sizes
    verdicts: list[Verdict] = []
    for _ in range(max(1, setting.other // 4)):
        live = first_model(rng, 1, n)
        pair = _pair(successor(rng, live, np.array([ACCURACY]), 0.71 - ACCURACY), live)
        verdict, _ = replay(
            gate, lambda look, pair=pair: simulated_evidence(pair, sizes[look - 1]), len(sizes)
        )
        verdicts.append(verdict)
    refused = [verdict.outcome == "FAIL" for verdict in verdicts]
    yield share(
        HOPELESS, f"refused, n={n}", refused, before=REFUSED_BEFORE[n], bound=0.95, at_most=False
    )


def _silent(rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    """The candidate answered nothing: each request came to a server error."""
    live = first_model(rng, 1, N)[0] * 1.0
    pair: Pair = {"ours": {"score": np.full(N, np.nan)}, "theirs": {"score": live}}
    verdict = judge(setting.gate(DROP), simulated_evidence(pair))
    name = "no answer at all (server errors)"
    yield share(BROKEN, f"{name} is promoted", [verdict.outcome == "PASS"], before=0.0, bound=0.0)
    one_yes = [verdict.takes == "approve"]
    yield share(BROKEN, f"{name} can be approved", one_yes, before=1.0, bound=0.0)


def _worst(rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    del rng  # nothing is drawn
    zeros = np.zeros(N)
    evidence = simulated_evidence({"ours": {"score": zeros}, "theirs": {"score": zeros}})
    verdict = judge(setting.gate(DROP), evidence)
    yield share(
        BROKEN,
        "every score of both models is 0 (a broken grader) is promoted",
        [verdict.outcome == "PASS"],
        before=1.0,
        bound=0.0,
    )


CELLS = [
    *(Cell(name=f"degraded {fall:g}", rows=partial(_ill, fall)) for fall in (0.0, 1.0, 2.0)),
    *(Cell(name=f"degraded hopeless {n}", rows=partial(_hopeless, n)) for n in (240, N)),
    Cell(name="degraded worst", rows=_worst),
    Cell(name="degraded silent", rows=_silent),
]
