"""Forty fine-tune pairs of known quality on real utterances: what the gate makes of 500-case samples, and the naive one.

    python tests/bench/clinc_gate.py [--data FOLDER] [--samples 25] [--cases 500] [--margin 0.03]

Small models are trained on parts of the training file, some with spoilt labels; how good each really is is taken from
the whole test file. Then every pair is judged on seeded samples, looking early and at fixed n, beside the gate that
compares averages. Without the data it says so and exits 0; it exits 1 when too many wrong promotions were made.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import ComplementNB

from evals.checks.check import Check
from evals.evaluation.ordering import look_sizes
from evals.gate.judge import judge
from evals.gate.replay import replay
from evals.selftest.simulated_models import gate_of, simulated_evidence
from evals.stats.validation import normal_critical

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "clinc150"
SEEDS = 8
BASELINE = (0.5, 0.0)
RECIPES = {
    "all examples": (1.0, 0.0),
    "as many, others": (0.5, 0.0),
    "as many, a fifth spoilt": (0.5, 0.22),
    "a tenth fewer, a tenth spoilt": (0.45, 0.1),
    "a third, a quarter spoilt": (0.33, 0.25),
}


class Pair(NamedTuple):
    """Which of the test cases each model got right, and the true difference of their rates."""

    recipe: str
    ours: np.ndarray[Any, Any]
    theirs: np.ndarray[Any, Any]

    @property
    def difference(self) -> float:
        return float(self.ours.mean() - self.theirs.mean())


class Judged(NamedTuple):
    """One sample of one pair: outcomes by gate, and the share of calls that looking early used."""

    recipe: str
    difference: float
    early: str
    fixed: str
    naive: str
    used: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--samples", type=int, default=25, help="samples of each pair")
    parser.add_argument("--cases", type=int, default=500, help="cases of a sample")
    parser.add_argument("--margin", type=float, default=0.03)
    options = parser.parse_args()
    if not (options.data / "train.jsonl").exists():
        print(f"no data at {options.data}: nothing was run")
        return 0
    started = time.perf_counter()
    pairs = list(trained(options.data))
    print(f"{len(pairs)} pairs trained in {time.perf_counter() - started:.0f} s")
    show_pairs(pairs, options.margin)
    found = [
        one
        for number, pair in enumerate(pairs)
        for one in judged(pair, options, np.random.default_rng([7, number]))
    ]
    first = found[:: options.samples]
    report(f"one {options.cases}-case sample of each pair", first, options.margin)
    title = f"{options.samples} samples of each pair"
    return report(title, found, options.margin)


def trained(folder: Path) -> Iterator[Pair]:
    """Train a baseline and five candidates for each seed."""
    train, test = read(folder / "train.jsonl"), read(folder / "test.jsonl")
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    known = words.fit_transform([row["text"] for row in train])
    asked = words.transform([row["text"] for row in test])
    intents = np.array([row["intent"] for row in train])
    truth = np.array([row["intent"] for row in test])

    def right(share: float, spoilt: float, *, seed: int) -> np.ndarray[Any, Any]:
        """Train one model; returns which test cases it gets right."""
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(train))[: round(share * len(train))]
        labels = intents[chosen]
        mixed = rng.random(labels.size) < spoilt
        labels[mixed] = rng.permutation(labels[mixed])
        model = ComplementNB(alpha=0.3).fit(known[chosen], labels)
        return (model.predict(asked) == truth).astype(float)

    for seed in range(SEEDS):
        theirs = right(*BASELINE, seed=1000 + seed)
        for place, (recipe, how) in enumerate(RECIPES.items()):
            yield Pair(recipe, right(*how, seed=10 * seed + place), theirs)


def judged(pair: Pair, options: argparse.Namespace, rng: np.random.Generator) -> Iterator[Judged]:
    """Judge samples of a pair; their cases come in random order."""
    gate = gate_of(Check(metric="score", kind="max_drop", threshold=options.margin, field="a"))
    sizes = look_sizes(options.cases, 10)
    for _ in range(options.samples):
        rows = rng.permutation(pair.ours.size)[: options.cases]
        sample = {"ours": {"score": pair.ours[rows]}, "theirs": {"score": pair.theirs[rows]}}
        early, look = replay(
            gate,
            lambda step, sample=sample: simulated_evidence(sample, sizes[step - 1]),
            len(sizes),
        )
        fixed = judge(gate, simulated_evidence(sample))
        observed = pair.ours[rows].mean() - pair.theirs[rows].mean()
        yield Judged(
            recipe=pair.recipe,
            difference=pair.difference,
            early=early.outcome,
            fixed=fixed.outcome,
            naive="PASS" if observed >= -options.margin else "FAIL",
            used=sizes[look - 1] / options.cases,
        )


def show_pairs(pairs: list[Pair], margin: float) -> None:
    print(
        f"\n{'candidate trained on':32}{'pairs':>6}{'true difference':>34}{'differ on':>11}{'really worse':>14}"
    )
    for recipe in RECIPES:
        these = [pair for pair in pairs if pair.recipe == recipe]
        gaps = [pair.difference for pair in these]
        differ = np.mean([(pair.ours != pair.theirs).mean() for pair in these])
        spread = f"{np.mean(gaps):+.3f} ({min(gaps):+.3f} to {max(gaps):+.3f})"
        worse = sum(gap <= -margin for gap in gaps)
        print(f"{recipe:32}{len(these):>6}{spread:>34}{differ:>11.3f}{worse:>14}")
    base = np.mean([pair.theirs.mean() for pair in pairs])
    print(
        f"baseline right on {base:.3f}; 'really worse': by {margin:g} or more on the whole test file"
    )


def report(title: str, found: list[Judged], margin: float) -> int:
    """Print counts by gate. Returns 1 when this gate promoted more of the really worse than it promises."""
    worse = [one for one in found if one.difference <= -margin]
    fine = [one for one in found if one.difference > -margin]
    print(f"\n{title}: {len(found)} judged, {len(worse)} of them really worse, {len(fine)} not")
    print(
        f"{'':26}{'promoted wrongly':>18}{'rejected wrongly':>18}{'inconclusive':>14}{'promoted rightly':>18}{'calls used':>12}"
    )
    for name in ("naive", "fixed", "early"):
        outcomes = {
            "wrong": sum(getattr(one, name) == "PASS" for one in worse),
            "refused": sum(getattr(one, name) == "FAIL" for one in fine),
            "open": sum(getattr(one, name) in ("INCONCLUSIVE", "ERROR") for one in found),
            "right": sum(getattr(one, name) == "PASS" for one in fine),
        }
        used = np.mean([one.used for one in found]) if name == "early" else 1.0
        words = {
            "naive": "averages",
            "fixed": "this gate, fixed n",
            "early": "this gate, looking early",
        }
        print(
            f"{words[name]:26}"
            f"{share(outcomes['wrong'], len(worse)):>18}{share(outcomes['refused'], len(fine)):>18}"
            f"{share(outcomes['open'], len(found)):>14}{share(outcomes['right'], len(fine)):>18}{used:>12.0%}"
        )
    promoted = sum(one.early == "PASS" for one in worse)
    limit = 0.055 * len(worse) + normal_critical(0.99) * np.sqrt(0.05 * 0.95 * max(1, len(worse)))
    return int(promoted > limit)


def share(count: int, of: int) -> str:
    return f"{count} ({count / of:.1%})" if of else "-"


def read(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    raise SystemExit(main())
