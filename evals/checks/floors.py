"""Below which numbers of cases, or clusters of them, nothing may be decided, and what a reader should know above them."""

from __future__ import annotations

import math

from evals.checks.methods import DRAWS
from evals.metrics.estimates import MetricSpec
from evals.stats.clusters import ClusterSizes
from evals.stats.interval import Interval
from evals.stats.power import min_n_absolute

__all__ = [
    "MIN_CLUSTERS",
    "MIN_LABEL_CASES",
    "MIN_QUANTILE_CASES",
    "MIN_RATIO_QUANTILE_CASES",
    "clusters_said",
    "too_few_for_method",
    "warnings",
]

MIN_CLUSTERS = 10
FEW_CLUSTERS = 20
MIN_LABEL_CASES = 100
MIN_RATIO_QUANTILE_CASES = 200
MIN_QUANTILE_CASES = 59
# A bootstrap of so many draws says nothing about tails thinner than ten of its draws.
FINEST_BOOTSTRAP = 10 / DRAWS
# Without any spread among n cases, at most this share of all cases may still be different.
UNSEEN_SHARE = 0.05


def too_few_for_method(
    spec: MetricSpec,
    found: Interval,
    cases: int,
    *,
    ratio: bool,
    whole: ClusterSizes | None = None,
) -> str | None:
    """Name the floor below which a method's error rate is not known, so that nothing may be decided; None above it.

    `whole` are the clusters of all cases of the check, those not asked yet with them.
    """
    if spec.family == "label" and cases < MIN_LABEL_CASES:
        return f"only {cases} cases; {spec.statistic} needs at least {MIN_LABEL_CASES} to decide"
    clusters = _clusters(found)
    if clusters is not None and whole is not None:
        clusters = min(clusters, whole, key=lambda sizes: sizes.effective)
    if clusters is not None and clusters.effective < MIN_CLUSTERS:
        said = clusters_said(clusters, MIN_CLUSTERS)
        return f"only {said}; at least {MIN_CLUSTERS} are needed to decide"
    if spec.family == "quantile":
        least = MIN_RATIO_QUANTILE_CASES if ratio else MIN_QUANTILE_CASES
        if cases < least:
            return f"only {cases} cases; this quantile needs at least {least} to decide"
        if ratio and 1 - found.confidence < FINEST_BOOTSTRAP:
            return "too early a look for a ratio of quantiles to be decided"
    if found.detail.get("no_variance"):
        least = min_n_absolute(1 - UNSEEN_SHARE, confidence=found.confidence)
        if (cases if clusters is None else clusters.effective) < least:
            return (
                f"all {cases} cases are the same; at least {least} are needed to rely on that"
                f" at {found.confidence:.4g}"
            )
    return None


def warnings(found: Interval) -> tuple[str, ...]:
    """What a reader should know although it does not forbid deciding."""
    remarks = []
    clusters = _clusters(found)
    if clusters is not None and MIN_CLUSTERS <= clusters.effective < FEW_CLUSTERS:
        said = clusters_said(clusters, FEW_CLUSTERS)
        remarks.append(f"{said} are few: below {FEW_CLUSTERS} the error rate is less certain")
    if found.detail.get("no_variance"):
        remarks.append("all cases are the same, so that the interval has no width")
    return tuple(remarks)


def clusters_said(sizes: ClusterSizes, least: float = 0.0) -> str:
    """Say how many clusters there are: *12.9 effective clusters (of 200; the largest holds 30 % of the cases)*.

    The effective number is left out where they are worth about as many as there are, unless it alone is below `least`.
    """
    if not (sizes.uneven or sizes.effective < least <= sizes.groups):
        return f"{sizes.groups:,} {'cluster' if sizes.groups == 1 else 'clusters'}"
    # Cut, not rounded: 9.96 must not be shown as 10, nor a share just below all as all.
    digits = 1.0 if sizes.effective >= 100.0 else 10.0
    effective = math.floor(digits * sizes.effective) / digits
    share = math.floor(1000.0 * sizes.largest) / 10.0
    return (
        f"{effective:,g} effective {'cluster' if effective == 1 else 'clusters'} (of {sizes.groups:,}; the largest holds"
        f" {f'{share:g}' if share else '< 0.1'} % of the cases)"
    )


def _clusters(found: Interval) -> ClusterSizes | None:
    detail = found.detail
    if "clusters" not in detail:
        return None
    names = "effective_clusters", "largest_cluster"
    return ClusterSizes(int(detail["clusters"]), *(detail[name] for name in names))
