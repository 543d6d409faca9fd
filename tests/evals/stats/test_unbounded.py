"""Costs and latencies: t, Fieller, order statistics and the paired bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evals.stats.quantiles import (
    quantile_lower_rank,
    quantile_ratio_replicates,
    quantile_upper_rank,
)
from evals.stats.ratios import fieller_bounds
from evals.stats.unbounded import (
    mean_interval,
    quantile_interval,
    quantile_ratio_interval,
    relative_mean_interval,
)

amounts = st.lists(
    st.tuples(st.floats(0.01, 100.0), st.floats(0.01, 100.0)), min_size=3, max_size=40
)


@settings(deadline=None)
@given(amounts)
def test_fiellers_bounds_are_where_the_contrast_test_changes_its_mind(
    pairs: list[tuple[float, float]],
) -> None:
    new, old = (np.array(column) for column in zip(*pairs, strict=True))
    lower, upper = fieller_bounds(new, old)
    assert 0.0 <= lower <= new.mean() / old.mean() <= upper
    step = 1e-4 * max(1.0, new.mean() / old.mean())
    if math.isfinite(upper):
        assert mean_interval((upper + step) * old - new).lower >= -1e-9
        assert mean_interval((upper - step) * old - new).lower <= 1e-9
    if lower > step:
        assert mean_interval((lower - step) * old - new).upper <= 1e-9
        assert mean_interval((lower + step) * old - new).upper >= -1e-9


def test_the_mean_and_its_bounds_are_those_of_scipys_t_test() -> None:
    values = np.random.default_rng(1).normal(0.2, 1.0, size=25)
    central = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    found = mean_interval(values)
    assert (found.lower, found.upper) == pytest.approx((central.low, central.high))


def test_swapping_the_models_turns_the_cost_ratio_over() -> None:
    rng = np.random.default_rng(3)
    new, old = rng.lognormal(size=80), rng.lognormal(size=80)
    lower, upper = fieller_bounds(new, old)
    assert fieller_bounds(old, new) == pytest.approx((1.0 / upper, 1.0 / lower))


def test_a_baseline_that_may_be_free_has_no_upper_bound_on_the_ratio() -> None:
    found = relative_mean_interval([1.0, 2.0, 1.5], [0.0, 0.0, 9.0])
    assert found.upper == math.inf
    with pytest.raises(ValueError, match="0 everywhere"):
        relative_mean_interval([1.0, 2.0], [0.0, 0.0])


def test_clusters_widen_a_mean_and_a_ratio() -> None:
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(25), 8)
    shift = rng.lognormal(sigma=0.5, size=25)[clusters]
    new, old = shift * rng.lognormal(size=200), rng.lognormal(size=200)
    assert mean_interval(new, clusters=clusters).width > mean_interval(new).width
    together = relative_mean_interval(new, old, clusters=clusters)
    assert together.width > relative_mean_interval(new, old).width
    assert together.detail["clusters"] == 25.0


def test_a_single_amount_says_nothing() -> None:
    assert mean_interval([3.0]).width == math.inf
    ratio = relative_mean_interval([3.0], [2.0])
    assert (ratio.lower, ratio.upper) == (0.0, math.inf)
    assert quantile_interval([3.0]).upper == math.inf
    rng = np.random.default_rng(0)
    assert quantile_ratio_interval([3.0], [2.0], rng=rng).upper == math.inf


def test_the_same_cost_in_every_case_is_flagged() -> None:
    found = relative_mean_interval(np.full(50, 2.0), np.full(50, 2.0))
    assert found.detail["no_variance"] == 1.0


@pytest.mark.parametrize(("n", "q"), [(58, 0.95), (59, 0.95), (93, 0.95), (200, 0.5), (5000, 0.99)])
def test_ranks_are_the_binomials_quantiles(n: int, q: float) -> None:
    expected = int(stats.binom.ppf(0.95, n, q)) + 1
    assert quantile_upper_rank(n, q) == (expected if expected <= n else None)
    low = quantile_lower_rank(n, q)
    assert low is not None
    assert stats.binom.cdf(low - 1, n, q) <= 0.05 < stats.binom.cdf(low, n, q)


def test_the_p95_needs_59_cases() -> None:
    rng = np.random.default_rng(5)
    assert quantile_interval(rng.random(58)).upper == math.inf
    found = quantile_interval(rng.random(59))
    assert found.upper < 1.0
    assert found.lower <= found.estimate <= found.upper


def test_the_quick_bootstrap_is_the_plain_one() -> None:
    rng = np.random.default_rng(6)
    new, old = rng.lognormal(size=300), rng.lognormal(size=300)
    quick = quantile_ratio_replicates(new, old, 0.95, rng=rng, draws=8000)
    picks = rng.integers(0, 300, size=(8000, 300))
    plain = np.quantile(new[picks], 0.95, axis=1, method="inverted_cdf") / np.quantile(
        old[picks], 0.95, axis=1, method="inverted_cdf"
    )
    # Both are discrete: compare how likely each is to lie below a range of ratios.
    for ratio in np.quantile(plain, [0.05, 0.25, 0.5, 0.75, 0.95]):
        assert np.mean(quick <= ratio) == pytest.approx(np.mean(plain <= ratio), abs=0.03)


def test_the_same_seed_gives_the_same_latency_bounds() -> None:
    rng = np.random.default_rng(8)
    new, old = rng.lognormal(size=250), rng.lognormal(size=250)
    one, other = (quantile_ratio_interval(new, old, rng=np.random.default_rng(9)) for _ in range(2))
    assert one == other
    assert one.lower < one.estimate < one.upper


def test_the_order_of_tied_latencies_does_not_matter() -> None:
    rng = np.random.default_rng(10)
    for _ in range(20):
        new, old = np.round(rng.lognormal(2, 0.5, (2, 250)))
        mixed = rng.permutation(250)
        one, other = (
            quantile_ratio_interval(*pair, rng=np.random.default_rng(1), draws=400)
            for pair in ((new, old), (new[mixed], old[mixed]))
        )
        assert one == other


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_what_is_no_amount_is_refused(bad: float) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"candidate|amounts"):
        relative_mean_interval([1.0, bad], [1.0, 1.0])
    if math.isinf(bad):
        return  # a quantile only needs to know where a value lies among the others
    with pytest.raises(ValueError, match=r"candidate|amounts"):
        quantile_ratio_interval([1.0, bad], [1.0, 1.0], rng=rng)
    with pytest.raises(ValueError, match="values"):
        quantile_interval([1.0, bad])
