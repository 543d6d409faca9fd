"""Which checks can be judged against kept answers: the cases that did not change have to be as many as the check needs.

Kept answers are laid out on the rows of the suite as it is now, with `planned` False wherever a case was changed or added
since. What is left is compared like any two models, pair by pair; this module says when too little is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.feasibility import least_cases, least_clusters
from evals.checks.floors import clusters_said
from evals.checks.rows import due_rows
from evals.metrics.estimates import metric_spec
from evals.metrics.results import ModelResults
from evals.stats.clusters import cluster_sizes

__all__ = ["comparable_rows", "too_few_comparable"]


def comparable_rows(check: Check, kept: ModelResults) -> NDArray[np.bool_]:
    """Return the cases of a check that kept answers can be compared on, shape (cases,). Raises IncomparableError for none."""
    return due_rows(check, kept) & kept.planned


def too_few_comparable(check: Check, kept: ModelResults, confidence: float) -> str | None:
    """Return why a check can't be judged against kept answers, None when enough of its cases did not change.

    Enough is what the check needs at all at this confidence: its `min_cases`, its method's floor, and the smallest
    number at which flawless answers pass.
    """
    spec = metric_spec(check.metric, kept)
    assert spec is not None  # `due_rows` found its column
    rows = comparable_rows(check, kept)
    grouped = kept.clusters is not None and spec.family != "quantile"
    cases, needed = int(rows.sum()), least_cases(check, spec, confidence, clustered=grouped)
    counts = [("cases", f"{cases} cases", float(cases), needed)]
    if kept.clusters is not None and grouped:
        sizes = cluster_sizes(np.bincount(kept.clusters[rows]))
        needed = least_clusters(check, spec, confidence)
        counts.append(("clusters", clusters_said(sizes, needed), sizes.effective, needed))
    for noun, said, count, least in counts:
        if count < least:
            asked = int(due_rows(check, kept).sum())
            return (
                f"only {said} are the same as when {kept.model_id} answered them"
                f" (the check has {asked} cases), and at least {least} {noun} are needed"
            )
    return None
