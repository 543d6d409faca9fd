"""Intervals, paired comparisons, sequential looks and power: the gate's arithmetic.

Pure functions on numpy arrays: no files, no clock, no randomness but a generator passed in.
The gate calls `checks`; everything else is there to be read, displayed and tested.

Names are loaded on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evals.stats.amounts import (
        mean_difference_interval,
        mean_interval,
        quantile_interval,
        quantile_ratio_interval,
        relative_mean_interval,
    )
    from evals.stats.betting import (
        betting_bounds,
        betting_capital,
        log_e_below,
        log_e_value,
        normal_mixture_boundary,
    )
    from evals.stats.bootstrap import bca_bounds, bootstrap_replicates, percentile_bounds
    from evals.stats.bounded import ScoreTest, bounded_score_bounds, bounded_score_test
    from evals.stats.checks import absolute_interval, paired_interval
    from evals.stats.clusters import ClusterErrors, cluster_errors, design_effect
    from evals.stats.confusion import LabelMetric, label_metric
    from evals.stats.decision import Outcome, decide, overall
    from evals.stats.futility import conditional_power, futility_boundaries, implied_z, is_futile
    from evals.stats.interval import Interval
    from evals.stats.jackknife import jackknife_spread
    from evals.stats.label_metrics import label_metric_interval
    from evals.stats.means import TTest, fieller_bounds, mean_t, paired_mean_ni, relative_mean_upper
    from evals.stats.merging import log_merged
    from evals.stats.multiplicity import holm
    from evals.stats.operating import Operating, classical_design, operating_characteristics
    from evals.stats.paired_binary import (
        McNemar,
        mcnemar,
        newcombe_paired_bounds,
        tango_bounds,
        tango_z,
    )
    from evals.stats.power import (
        check_correlation,
        detectable_margin,
        expected_share,
        min_clusters_paired,
        min_n_absolute,
        min_n_paired,
        overall_power,
        paired_power,
        paired_sample_size,
    )
    from evals.stats.ppi import ppi_bounded, ppi_difference, ppi_mean
    from evals.stats.proportions import (
        clopper_pearson_bounds,
        miettinen_nurminen_bounds,
        newcombe_unpaired_bounds,
        wilson_bounds,
    )
    from evals.stats.quantiles import (
        quantile_bounds,
        quantile_lower_rank,
        quantile_ratio_replicates,
        quantile_upper_rank,
    )
    from evals.stats.sequential import (
        Decision,
        Look,
        LookPlan,
        decide_at,
        decide_z,
        look_at,
        plan_looks,
    )
    from evals.stats.spending import Spending, alpha_spent, spending_boundaries

__all__ = [
    "ClusterErrors",
    "Decision",
    "Interval",
    "LabelMetric",
    "Look",
    "LookPlan",
    "McNemar",
    "Operating",
    "Outcome",
    "ScoreTest",
    "Spending",
    "TTest",
    "absolute_interval",
    "alpha_spent",
    "bca_bounds",
    "betting_bounds",
    "betting_capital",
    "bootstrap_replicates",
    "bounded_score_bounds",
    "bounded_score_test",
    "check_correlation",
    "classical_design",
    "clopper_pearson_bounds",
    "cluster_errors",
    "conditional_power",
    "decide",
    "decide_at",
    "decide_z",
    "design_effect",
    "detectable_margin",
    "expected_share",
    "fieller_bounds",
    "futility_boundaries",
    "holm",
    "implied_z",
    "is_futile",
    "jackknife_spread",
    "label_metric",
    "label_metric_interval",
    "log_e_below",
    "log_e_value",
    "log_merged",
    "look_at",
    "mcnemar",
    "mean_difference_interval",
    "mean_interval",
    "mean_t",
    "miettinen_nurminen_bounds",
    "min_clusters_paired",
    "min_n_absolute",
    "min_n_paired",
    "newcombe_paired_bounds",
    "newcombe_unpaired_bounds",
    "normal_mixture_boundary",
    "operating_characteristics",
    "overall",
    "overall_power",
    "paired_interval",
    "paired_mean_ni",
    "paired_power",
    "paired_sample_size",
    "percentile_bounds",
    "plan_looks",
    "ppi_bounded",
    "ppi_difference",
    "ppi_mean",
    "quantile_bounds",
    "quantile_interval",
    "quantile_lower_rank",
    "quantile_ratio_interval",
    "quantile_ratio_replicates",
    "quantile_upper_rank",
    "relative_mean_interval",
    "relative_mean_upper",
    "spending_boundaries",
    "tango_bounds",
    "tango_z",
    "wilson_bounds",
]

_MODULES = {
    "amounts": "mean_difference_interval mean_interval quantile_interval quantile_ratio_interval relative_mean_interval",
    "betting": "betting_bounds betting_capital log_e_below log_e_value normal_mixture_boundary",
    "bootstrap": "bca_bounds bootstrap_replicates percentile_bounds",
    "bounded": "ScoreTest bounded_score_bounds bounded_score_test",
    "checks": "absolute_interval paired_interval",
    "clusters": "ClusterErrors cluster_errors design_effect",
    "confusion": "LabelMetric label_metric",
    "decision": "Outcome decide overall",
    "futility": "conditional_power futility_boundaries implied_z is_futile",
    "interval": "Interval",
    "jackknife": "jackknife_spread",
    "label_metrics": "label_metric_interval",
    "means": "TTest fieller_bounds mean_t paired_mean_ni relative_mean_upper",
    "merging": "log_merged",
    "multiplicity": "holm",
    "operating": "Operating classical_design operating_characteristics",
    "paired_binary": "McNemar mcnemar newcombe_paired_bounds tango_bounds tango_z",
    "power": "check_correlation detectable_margin expected_share min_clusters_paired min_n_absolute min_n_paired overall_power paired_power paired_sample_size",
    "ppi": "ppi_bounded ppi_difference ppi_mean",
    "proportions": "clopper_pearson_bounds miettinen_nurminen_bounds newcombe_unpaired_bounds wilson_bounds",
    "quantiles": "quantile_bounds quantile_lower_rank quantile_ratio_replicates quantile_upper_rank",
    "sequential": "Decision Look LookPlan decide_at decide_z look_at plan_looks",
    "spending": "Spending alpha_spent spending_boundaries",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
