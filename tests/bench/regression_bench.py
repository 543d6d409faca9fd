"""Half a year of weekly regression runs of one live model that falls in a known week: when it is found, and what alarms are false.

    python tests/bench/regression_bench.py [--years 200] [--cases 1142] [--checks 1 5] [--seed 1]

One suite, one comparison (`max_drop 0.03`), judged by the code that judges real runs: `evals.gate.judge` for the verdict of each week,
`evals.gate.regression_evidence` for the evidence of all weeks together. A tenth of the cases is always wrong, a fifth is answered
now so and now otherwise, and the rest always right. The drop breaks cases that were always right, for good. The recorded answers are a fresh
pass, with the answers that won the promotion as the second draw; `lucky` rows take the winning answers as the recorded ones, the best of five draws.
`before` is what merging as for absolute checks would find (weights 1 / (k (k + 1)) over weeks). Exits 1 when more alarms are false than promised.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, "tests")
from support.results import policy_of, results_of

from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.regression_evidence import CheckEvidence, accumulate, e_values_of_run
from evals.stats.merge_evalues import log_merged
from evals.stats.odd_one_out import level_of_look, odd_ones

WEEKS, FALLS, MARGIN = 26, 14, 0.03
Scores = NDArray[np.float64]


@dataclass
class Year:
    """When each way of looking found a drop, by its name: the week, None for never."""

    found: dict[str, int | None] = field(default_factory=dict)

    def note(self, name: str, week: int, *, seen: bool) -> None:
        if seen and self.found.get(name) is None:
            self.found[name] = week


def half_year(
    rng: np.random.Generator, cases: int, checks: int, drop: float, *, lucky: bool
) -> Year:
    before = _model(rng, cases)
    after = before.copy()
    solid = np.flatnonzero(before == 1.0)
    after[rng.choice(solid, round(drop * MARGIN * cases), replace=False)] = 0.0
    draws = [_draw(rng, before) for _ in range(5)]
    won = max(draws, key=lambda one: float(one.mean()))
    reference = won if lucky else _draw(rng, before)
    gate = policy_of({"metric": "exact", "kind": "max_drop", "threshold": MARGIN}, early_stop=False)
    said: list[tuple[CheckEvidence, ...]] = []
    flat: list[float | None] = []
    year = Year()
    for week in range(1, WEEKS + 1):
        now = _draw(rng, after if week >= FALLS else before)
        evidence = Evidence(
            candidate={"triage": results_of({"exact": now}, model="v1")},
            baseline={"triage": results_of({"exact": reference}, model="v1")},
            release=False,
            recorded=True,
        )
        year.note("week", week, seen=judge(gate, evidence).outcome == "FAIL")
        second = None if lucky else {"triage": results_of({"exact": won}, model="v1")}
        own = e_values_of_run(gate, evidence, lambda *_: np.arange(cases), second)
        padding = tuple(
            CheckEvidence(check=f"other {number}", log_e=-9.0, n=1) for number in range(checks - 1)
        )
        said.append((*own, *padding))
        flat.append(own[0].log_e)
        together = accumulate(said, confidence=0.95)[0]
        year.note("evidence", week, seen=together.alarmed)
        year.note("before", week, seen=log_merged(flat) >= math.log(checks / 0.05))
        if not lucky:
            triples = list(zip(reference.tolist(), won.tolist(), now.tolist(), strict=True))
            year.note("changed", week, seen=odd_ones(triples).p <= level_of_look(week, 0.05) / 2)
    return year


def _model(rng: np.random.Generator, cases: int) -> Scores:
    """How often the model is right on each case."""
    right = np.ones(cases)
    order = rng.permutation(cases)
    wrong, noisy = round(0.1 * cases), round(0.2 * cases)
    right[order[:wrong]] = 0.0
    right[order[wrong : wrong + noisy]] = rng.uniform(0.2, 0.9, noisy)
    return right


def _draw(rng: np.random.Generator, right: Scores) -> Scores:
    return (rng.random(right.size) < right).astype(np.float64)


def main() -> int:
    options = _options()
    rng, broken = np.random.default_rng(options.seed), 0
    print("| | false alarms before | found within 13 weeks | delay in weeks: half, nine in ten |")
    print("|---|---|---|---|")
    for checks in options.checks:
        for lucky in (False, True):
            for drop in (0.0, 1.0, 2.0, 3.0):
                years = [
                    half_year(rng, options.cases, checks, drop, lucky=lucky)
                    for _ in range(options.years)
                ]
                for name in ("week", "evidence", "before", "changed"):
                    if not (lucky and name == "changed"):
                        broken += _row(name, checks, lucky, drop, years)
    return 1 if broken else 0


_NAMES = {
    "week": "a single run fails",
    "evidence": "all runs together",
    "before": "all runs, merged as absolute checks are",
    "changed": "answers changed",
}


def _row(name: str, checks: int, lucky: bool, drop: float, years: list[Year]) -> bool:
    weeks = [year.found.get(name) for year in years]
    early = sum(week is not None and week < FALLS for week in weeks) / len(weeks)
    late = [week - FALLS + 1 for week in weeks if week is not None and week >= FALLS]
    share = len(late) / len(weeks)
    told = [f"{np.quantile(late, q, method='higher'):.0f}" for q in (0.5, 0.9)] if late else ["-"]
    against = ", the lucky draw as reference" if lucky else ""
    fell = f"drop of {drop:g} margin{'' if drop == 1 else 's'}" if drop else "no drop"
    print(
        f"| {fell}, {checks} check{'s' * (checks > 1)}{against}: {_NAMES[name]} | {early:.3f} | {share:.3f} | {', '.join(told)} |"
    )
    # A drop of at most one margin is allowed, so that an alarm of the comparison is false then, too.
    false = early + (share if drop <= 1.0 and name == "evidence" else 0.0)
    if drop == 0.0 and name == "changed":
        false = early + share
    return name in ("evidence", "changed") and false > 0.05 + 3 * math.sqrt(0.0475 / len(weeks))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--years", type=int, default=200, help="half-years of each row")
    parser.add_argument("--cases", type=int, default=1142)
    parser.add_argument("--checks", type=int, nargs="*", default=[1, 5])
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
