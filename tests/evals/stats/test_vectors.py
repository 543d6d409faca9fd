"""Every reference vector is met: answers of independent implementations and printed figures.

Vector files are named by `--vectors PATH` (may be repeated); without it the sibling folder
`../shared/reference` is looked at, and the test says so when it isn't there.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from evals.stats import (
    betting,
    bounded,
    clusters,
    confusion,
    decision,
    label_metrics,
    multiplicity,
    operating_characteristics,
    paired_binary,
    power,
    ppi,
    proportions,
    quantiles,
    score_intervals,
    sequential,
    spending,
    unbounded,
)
from evals.stats.confusion import count, encode
from evals.stats.jackknife import Answers, delete_one

ROOT = Path(__file__).resolve().parents[3]
DEFAULT = ROOT.parent / "shared" / "reference" / "stats-vectors.json"

Case = dict[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    named = metafunc.config.getoption("--vectors", default=None) or []
    paths = [Path(path) for path in named] or [DEFAULT]
    cases, ids = [], []
    for path in paths:
        if path == DEFAULT and not path.exists():
            continue
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
            if family(case) not in LEFT_OUT:
                cases.append(case)
                ids.append(case["id"])
    if not cases:
        missing = pytest.mark.skip(reason="no ../shared/reference/stats-vectors.json beside here")
        cases, ids = [pytest.param({}, marks=missing)], ["absent"]
    metafunc.parametrize("case", cases, ids=ids)


LEFT_OUT = {
    "bca_interval": "no interval is by BCa: it promotes wrongly too often at 50 cases",
    "bootstrap_interval": "only the ratio of two quantiles is resampled, by its own method",
    "gs_classical": "boundaries come from alpha spending, never from a fixed number of looks",
    "normal_mixture_boundary": "bounds at all times are by betting",
    "paired_binary_diff newcombe": "two pass rates are compared by Tango's bounds",
    "unpaired_diff newcombe": "both models always answer the same cases",
    "unpaired_diff miettinen_nurminen": "both models always answer the same cases",
}
"""Families of vectors, with the method where a family has several, that nothing here computes any more."""

FIGURES_LEFT_OUT = {
    "mean_t": {"sd", "t", "p_value"},  # an amount is judged by the bounds of its mean
    "paired_mean_ni": {"t", "p_value"},
    "relative_mean_upper": {"t", "p_value"},
    "gate_decision": {"overall"},  # checks are joined by the gate, see tests/evals/gate
}


def compared(case: Case) -> set[str]:
    """The figures of a vector that are held against ours."""
    names = case["expect"].keys() - FIGURES_LEFT_OUT.get(case["op"], set())
    down = case["expect"].get("capital_down")
    # A product of 1 - b (x - m) is not 0 from the first value on: there the reference placed no bet on that side.
    return names - {"capital_down"} if down is not None and not any(down) else names


def family(case: Case) -> str:
    method = case["input"].get("method")
    return f"{case['op']} {method}" if f"{case['op']} {method}" in LEFT_OUT else case["op"]


def test_the_answer_is_the_reference_answer(case: Case) -> None:
    got = ADAPTERS[case["op"]](dict(case["input"]))
    for name in compared(case):
        expected = case["expect"][name]
        assert agrees(got[name], expected, case["tol"]), f"{name}: {got[name]} for {expected}"


def agrees(got: Any, expected: Any, tol: float) -> bool:
    if isinstance(expected, list):
        return len(got) == len(expected) and all(
            agrees(one, other, tol) for one, other in zip(got, expected, strict=True)
        )
    if expected is None or isinstance(expected, bool | str):
        return bool(got == expected) and type(got) is type(expected)
    return abs(float(got) - expected) <= tol


def one_sided(given: Case) -> float:
    """Confidence of each bound: a central interval leaves half of alpha in each tail."""
    alpha = 1.0 - given["confidence"]
    return 1.0 - (alpha / 2.0 if given.get("side", "two") == "two" else alpha)


def ends(bounds: Any) -> Case:
    return {"lower": float(bounds[0]), "upper": float(bounds[1])}


def proportion_ci(given: Case) -> Case:
    method = {
        "wilson": proportions.wilson_bounds,
        "clopper_pearson": proportions.clopper_pearson_bounds,
    }
    bounds = method[given["method"]]
    return ends(bounds(given["successes"], given["n"], confidence=one_sided(given)))


def paired_binary_diff(given: Case) -> Case:
    both, neither = given["both_pass"], given["both_fail"]
    wins, losses = given["candidate_only"], given["baseline_only"]
    n = both + neither + wins + losses
    confidence = one_sided(given)
    found = ends(paired_binary.tango_bounds(wins, losses, n, confidence=confidence))
    return found | {"estimate": (wins - losses) / n}


def paired_binary_ni(given: Case) -> Case:
    z = paired_binary.tango_z(
        given["candidate_only"], given["baseline_only"], given["n"], -given["margin"]
    )
    return {"z": float(z), "p_value": math.erfc(float(z) / math.sqrt(2.0)) / 2.0}


def mcnemar(given: Case) -> Case:
    return paired_binary.mcnemar(given["candidate_only"], given["baseline_only"])._asdict()


def amount(values: Any, confidence: float) -> Case:
    """The gate's interval for the mean of amounts, under the names the vectors give its figures."""
    found = unbounded.mean_interval(values, confidence=confidence)
    names = dict.fromkeys(("mean", "diff", "contrast_mean"), found.estimate)
    bounds = {"lower": found.lower, "lower_t": found.lower, "upper": found.upper}
    return names | bounds | {"n": found.n} | found.detail


def mean_t(given: Case) -> Case:
    return amount(given["values"], one_sided(given))


def paired_mean_ni(given: Case) -> Case:
    return amount(np.subtract(given["candidate"], given["baseline"]), given["confidence"])


def bounded_score_test(given: Case) -> Case:
    return bounded.bounded_score_test(**given)._asdict()


def bounded_score_bound(given: Case) -> Case:
    given["confidence"] = one_sided(given)
    given.pop("side")
    return ends(bounded.bounded_score_bounds(**given))


def repeats_mean_diff(given: Case) -> Case:
    candidate, baseline = (
        np.array([np.mean(repeats) for repeats in given[side]])
        for side in ("candidate", "baseline")
    )
    return amount(candidate - baseline, given["confidence"])


def cluster_mean(given: Case) -> Case:
    errors = clusters.cluster_errors(given["values"], given["clusters"])
    critical = float(special.stdtrit(errors.n_clusters - 1, given["confidence"]))
    return errors._asdict() | {"lower_cr1_t": errors.mean - critical * errors.se_cr1}


def clustered_paired_ni(given: Case) -> Case:
    differences = np.array(given["differences"])
    effect = clusters.design_effect(differences, given["clusters"])
    found = bounded.bounded_score_test(
        differences, -given["margin"], lo=-1.0, hi=1.0, design_effect=effect
    )
    groups = len(set(given["clusters"]))
    critical = float(special.stdtrit(groups - 1, given["confidence"]))
    interval = score_intervals.paired_interval(
        np.maximum(differences, 0.0),
        np.maximum(-differences, 0.0),
        confidence=given["confidence"],
        clusters=given["clusters"],
    )
    passes = found.z > critical
    assert (interval.lower > -given["margin"]) == passes, "the gate's interval decides otherwise"
    return {"design_effect": effect, "z": found.z, "critical": critical, "passes": passes}


def holm(given: Case) -> Case:
    found = multiplicity.holm(**given)
    return {"adjusted": found.adjusted.tolist(), "reject": found.reject.tolist()}


def gs_boundaries(given: Case) -> Case:
    return {
        "z": spending.spending_boundaries(**given),
        "alpha_spent": spending.alpha_spent(**given),
    }


def gs_operating(given: Case) -> Case:
    drift = given.pop("drift")
    found = operating_characteristics.operating_characteristics(
        given["fractions"], spending.spending_boundaries(**given), drift=drift
    )
    return found._asdict()


def gs_paired_binary_run(given: Case) -> Case:
    sizes, decision = [], "CONTINUE"
    z, boundary = [], []
    for seen in given["looks"]:
        sizes.append(seen["n"])
        look = sequential.look_at(
            sizes,
            given["n_max"],
            final=seen["n"] == given["n_max"],
            alpha=given["alpha"],
            spending=given["spending"],
            rho=given["rho"],
        )
        counts = (seen["candidate_only"], seen["baseline_only"], seen["n"])
        z.append(float(paired_binary.tango_z(*counts, -given["margin"])))
        boundary.append(look.boundary)
        decision = sequential.decide_z(z[-1], look)
        if decision != "CONTINUE":
            break
    return {"decision": decision, "look": len(z), "z": z, "boundary": boundary}


def betting_capital(given: Case) -> Case:
    found = betting.betting_capital(given.pop("x"), given.pop("m"), **given)
    return {"capital_up": found.up.tolist(), "capital_down": found.down.tolist()}


def betting_cs(given: Case) -> Case:
    found = betting.betting_bounds(given["x"], confidence=1.0 - given["alpha"] / 2.0)
    return {"lower": found.lower, "upper": found.upper}


def ppi_mean(given: Case) -> Case:
    found = ppi.ppi_mean(
        given["labels"],
        given["judge_on_labeled"],
        given["judge_on_unlabeled"],
        confidence=one_sided(given),
        power_tuning=given["lambda"],
        reference="normal",
    )
    return {
        "estimate": found.estimate,
        "lambda_used": found.detail["lambda"],
        "lower": found.lower,
        "upper": found.upper,
    }


def quantile_upper_rank(given: Case) -> Case:
    return {"rank": quantiles.quantile_upper_rank(**given)}


def min_n(given: Case) -> Case:
    if given["kind"] == "paired_margin":
        return {"n": power.min_n_paired(given["margin"], confidence=given["confidence"])}
    return {
        "n": power.min_n_absolute(
            given["threshold"], confidence=given["confidence"], method=given["method"]
        )
    }


def paired_sample_size(given: Case) -> Case:
    confidence = 1.0 - given.pop("alpha")
    return {"n": power.paired_sample_size(**given, confidence=confidence)}


def relative_mean_upper(given: Case) -> Case:
    new, old = np.array(given["candidate"]), np.array(given["baseline"])
    found = amount(given["max_ratio"] * old - new, given["confidence"])
    ratio = unbounded.relative_mean_interval(new, old, confidence=given["confidence"])
    assert (ratio.upper < given["max_ratio"]) == (found["lower"] > 0.0)
    return found


def macro_f1_diff_jackknife(given: Case) -> Case:
    labels = given["labels"]
    truth, new, old = (
        encode(labels, given[column]) for column in ("y_true", "candidate", "baseline")
    )
    size = len(labels) + 1
    score = {
        name: float(confusion.label_metric(count(truth, codes, size), "macro_f1"))
        for name, codes in (("f1_candidate", new), ("f1_baseline", old))
    }
    interval = label_metrics.label_metric_interval(
        given["y_true"],
        given["candidate"],
        baseline=given["baseline"],
        labels=labels,
        metric="macro_f1",
        confidence=given["confidence"],
    )
    spread = delete_one(Answers(truth, new, old, size), "macro_f1")
    return score | {
        "diff": interval.estimate,
        "se_jackknife": spread.se,
        "lower": interval.lower,
    }


def gate_decision(given: Case) -> Case:
    return {"gates": [decision.decide(**gate) for gate in given["gates"]]}


ADAPTERS = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__annotations__", {}).get("given") == "Case"
}
