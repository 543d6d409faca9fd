"""What the gate calls fails closed, and never is certain."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evals.stats.bounded import bounded_score_bounds
from evals.stats.interval import Interval
from evals.stats.paired_binary import tango_bounds
from evals.stats.proportions import clopper_pearson_bounds
from evals.stats.score_intervals import absolute_interval, paired_interval
from evals.stats.unbounded import mean_interval

columns = hnp.arrays(float, st.integers(1, 50), elements=st.sampled_from([0.0, 0.5, 0.75, 1.0]))


def test_pass_fail_scores_are_judged_exactly() -> None:
    found = absolute_interval(np.repeat([1.0, 0.0], [47, 3]))
    expected = clopper_pearson_bounds(47, 50)
    assert found.method == "clopper-pearson"
    assert (found.lower, found.upper) == (expected[0], expected[1])


def test_graded_scores_are_judged_by_the_bounded_score() -> None:
    values = np.array([0.5, 1.0, 0.25, 1.0, 0.75])
    found = absolute_interval(values)
    assert found.method == "bounded-score"
    assert (found.lower, found.upper) == bounded_score_bounds(values)


def test_paired_pass_fail_scores_are_judged_by_tango() -> None:
    new = np.repeat([1.0, 1.0, 0.0, 0.0], [40, 5, 3, 2])
    old = np.repeat([1.0, 0.0, 1.0, 0.0], [40, 5, 3, 2])
    found = paired_interval(new, old)
    expected = tango_bounds(5, 3, 50)
    assert found.method == "tango"
    assert (found.lower, found.upper) == (expected[0], expected[1])
    assert found.estimate == pytest.approx(0.04)


def test_scores_on_another_scale_are_stretched() -> None:
    new, old = np.array([1.0, 5.0, 5.0, 1.0]), np.array([1.0, 1.0, 5.0, 1.0])
    one = paired_interval((new - 1) / 4, (old - 1) / 4)
    found = paired_interval(new, old, lo=1.0, hi=5.0)
    assert (found.lower, found.upper) == pytest.approx((4 * one.lower, 4 * one.upper))


def test_clusters_are_reported_with_the_interval() -> None:
    rng = np.random.default_rng(1)
    new, old = rng.random(72), rng.random(72)
    for groups in (9, 12, 24):
        found = paired_interval(new, old, clusters=np.arange(72) % groups)
        assert found.detail["clusters"] == groups
        assert found.detail["effective_clusters"] == pytest.approx(groups)
        assert found.detail["design_effect"] >= 1.0


def test_a_single_case_says_nothing() -> None:
    for values in ([1.0], [0.5]):
        found = absolute_interval(values)
        assert (found.lower, found.upper) == (0.0, 1.0)
        paired = paired_interval(values, [1.0])
        assert (paired.lower, paired.upper) == (-1.0, 1.0)


def test_a_single_cluster_says_nothing() -> None:
    found = absolute_interval([1.0, 0.0, 1.0], clusters=["a"] * 3)
    assert (found.lower, found.upper) == (0.0, 1.0)
    assert mean_interval([1.0, 2.0], clusters=["a", "a"]).width == math.inf


@settings(deadline=None)
@given(columns, st.floats(0.6, 0.9999))
def test_the_same_answers_are_never_certain_to_be_equal(
    values: np.ndarray, confidence: float
) -> None:
    found = paired_interval(values, values, confidence=confidence)
    assert found.estimate == 0.0
    assert found.lower < 0.0 < found.upper
    assert absolute_interval(values, confidence=confidence).width > 0.0


@settings(deadline=None)
@given(st.data())
def test_swapping_the_models_mirrors_the_interval(data: st.DataObject) -> None:
    new = data.draw(columns)
    old = data.draw(hnp.arrays(float, new.size, elements=st.sampled_from([0.0, 0.5, 1.0])))
    groups = data.draw(hnp.arrays(np.int64, new.size, elements=st.integers(0, 5)))
    for clusters in (None, groups):
        one = paired_interval(new, old, clusters=clusters)
        other = paired_interval(old, new, clusters=clusters)
        assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower), abs=1e-9)
        assert one.lower <= one.estimate <= one.upper


@settings(deadline=None)
@given(st.data())
def test_the_order_of_the_cases_does_not_matter(data: st.DataObject) -> None:
    values = data.draw(columns)
    groups = data.draw(hnp.arrays(np.int64, values.size, elements=st.integers(0, 5)))
    order = np.array(data.draw(st.permutations(range(values.size))))
    one = absolute_interval(values, clusters=groups)
    other = absolute_interval(values[order], clusters=groups[order])
    assert (one.lower, one.upper) == pytest.approx((other.lower, other.upper), abs=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1.5])
def test_what_is_no_score_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="values"):
        absolute_interval([1.0, bad])
    with pytest.raises(ValueError, match="candidate"):
        paired_interval([1.0, bad], [1.0, 1.0])
    with pytest.raises(ValueError, match="baseline"):
        paired_interval([1.0, 1.0], [1.0, bad])


def test_nothing_is_refused_as_evidence() -> None:
    with pytest.raises(ValueError, match="values is empty"):
        absolute_interval([])
    with pytest.raises(ValueError, match="candidate is empty"):
        paired_interval([], [])
    with pytest.raises(ValueError, match="values is empty"):
        mean_interval([])


def test_unmatched_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="candidate has 2 entries but baseline has 1"):
        paired_interval([1.0, 0.0], [1.0])


@pytest.mark.parametrize("confidence", [0.5, 1.0, 0.05, math.nan])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        absolute_interval([1.0, 0.0, 0.5], confidence=confidence)


def test_an_interval_that_cannot_be_trusted_cannot_exist() -> None:
    whole = {"estimate": 0.5, "n": 3, "method": "made up", "confidence": 0.95}
    with pytest.raises(ValueError, match="lower of a made up interval is NaN"):
        Interval(lower=math.nan, upper=1.0, **whole)
    with pytest.raises(ValueError, match="above upper"):
        Interval(lower=0.9, upper=0.1, **whole)
    with pytest.raises(ValueError, match="rests on 0 cases"):
        Interval(lower=0.0, upper=1.0, **(whole | {"n": 0}))


def test_importing_the_package_loads_neither_numpy_nor_scipy() -> None:
    code = "import evals.stats, sys; sys.exit('scipy' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
