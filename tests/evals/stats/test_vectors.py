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
    bootstrap,
    bounded,
    clusters,
    confusion,
    decision,
    label_metrics,
    means,
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
            cases.append(case)
            ids.append(case["id"])
    if not cases:
        missing = pytest.mark.skip(reason="no ../shared/reference/stats-vectors.json beside here")
        cases, ids = [pytest.param({}, marks=missing)], ["absent"]
    metafunc.parametrize("case", cases, ids=ids)


def test_the_answer_is_the_reference_answer(case: Case) -> None:
    got = ADAPTERS[case["op"]](dict(case["input"]))
    for name, expected in case["expect"].items():
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
    if given["method"] == "tango":
        found = ends(paired_binary.tango_bounds(wins, losses, n, confidence=confidence))
    else:
        found = ends(
            paired_binary.newcombe_paired_bounds(both, wins, losses, neither, confidence=confidence)
        )
    return found | {"estimate": (wins - losses) / n}


def paired_binary_ni(given: Case) -> Case:
    z = paired_binary.tango_z(
        given["candidate_only"], given["baseline_only"], given["n"], -given["margin"]
    )
    return {"z": float(z), "p_value": math.erfc(float(z) / math.sqrt(2.0)) / 2.0}


def mcnemar(given: Case) -> Case:
    return paired_binary.mcnemar(given["candidate_only"], given["baseline_only"])._asdict()


def mean_t(given: Case) -> Case:
    return means.mean_t(
        given["values"],
        confidence=one_sided(given),
        null_mean=given.get("null_mean", 0.0),
        side=given["side"],
    )._asdict()


def paired_mean_ni(given: Case) -> Case:
    found = means.paired_mean_ni(**given)._asdict()
    return found | {"diff": found["mean"]}


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
    found = means.paired_mean_ni(candidate, baseline, margin=0.0, confidence=given["confidence"])
    return {"diff": found.mean, "se": found.se, "n": candidate.size, "lower_t": found.lower}


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


def gs_classical(given: Case) -> Case:
    found = operating_characteristics.classical_design(
        given["looks"], confidence=1.0 - given["alpha"] / given["sides"], shape=given["type"]
    )
    return {"z": found.boundaries, "inflation_power_0_9": found.inflation}


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


def normal_mixture_boundary(given: Case) -> Case:
    v = given.pop("v")
    return {
        "one_sided": betting.normal_mixture_boundary(v, **given),
        "two_sided": betting.normal_mixture_boundary(v, **given, two_sided=True),
    }


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
    found = means.relative_mean_upper(**given)._asdict()
    ratio = unbounded.relative_mean_interval(
        given["candidate"], given["baseline"], confidence=given["confidence"]
    )
    assert (ratio.upper < given["max_ratio"]) == (found["lower"] > 0.0)
    return found | {"contrast_mean": found["mean"]}


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


def bca_interval(given: Case) -> Case:
    found = bootstrap.bca_bounds(
        given["theta_hat"],
        given["replicates"],
        given["jackknife_values"],
        confidence=one_sided(given),
    )
    return found._asdict()


def bootstrap_interval(given: Case) -> Case:
    statistic = {"var_pop": lambda rows: rows.var(axis=-1), "mean": lambda rows: rows.mean(axis=-1)}
    chosen = statistic[given["statistic"]]
    values = np.array(given["values"], dtype=float)
    rng = np.random.default_rng(20261101)
    replicates = bootstrap.bootstrap_replicates(values, chosen, rng=rng, draws=100_000)
    theta = float(chosen(values))
    left_out = [float(chosen(np.delete(values, place))) for place in range(values.size)]
    confidence = one_sided(given)
    plain = bootstrap.percentile_bounds(replicates, confidence=confidence)
    bca = bootstrap.bca_bounds(theta, replicates, left_out, confidence=confidence)
    return {
        "theta": theta,
        "perc_lower": plain[0],
        "perc_upper": plain[1],
        "bca_lower": bca.lower,
        "bca_upper": bca.upper,
    }


def unpaired_diff(given: Case) -> Case:
    method = {
        "newcombe": proportions.newcombe_unpaired_bounds,
        "miettinen_nurminen": proportions.miettinen_nurminen_bounds,
    }[given["method"]]
    counts = (given["x1"], given["n1"], given["x2"], given["n2"])
    return ends(method(*counts, confidence=one_sided(given)))


def gate_decision(given: Case) -> Case:
    gates = [decision.decide(**gate) for gate in given["gates"]]
    return {"gates": gates, "overall": decision.overall(gates)}


ADAPTERS = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__annotations__", {}).get("given") == "Case"
}
