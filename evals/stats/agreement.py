"""How far a judge agrees with people: Cohen's kappa and Krippendorff's alpha.

A judge whose agreement isn't known is an opinion; these figures belong in the report beside its scores.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evals.records import Score

__all__ = ["Agreement", "agreement", "krippendorff_alpha"]

Level = Literal["nominal", "interval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement of a judge with people on `n` answers. None where it is undefined (nobody ever differs in anything)."""

    n: int
    exact: float
    kappa: float | None
    alpha: float | None
    level: Level


def agreement(
    scores: Iterable[Score], human: Mapping[str, float | str], *, level: Level = "nominal"
) -> Agreement:
    """Compare a judge's scores with people's, by case id; unscored ones and cases nobody judged are left out.

    Labels are compared with a label grader's prediction, numbers with the value. Kappa is weighted by squared distance
    for `interval`, plain for `nominal`. Raises ValueError when no case was judged by both.
    """
    pairs = [
        (
            score.predicted if isinstance(human[score.case_id], str) else score.value,
            human[score.case_id],
        )
        for score in scores
        if score.value is not None and score.case_id in human
    ]
    if not pairs:
        raise ValueError("expected at least one case judged by the judge and by people; found none")
    judged, said = [left for left, _ in pairs], [right for _, right in pairs]
    return Agreement(
        n=len(pairs),
        exact=sum(left == right for left, right in pairs) / len(pairs),
        kappa=_kappa(judged, said, level),
        alpha=krippendorff_alpha([list(pair) for pair in pairs], level=level),
        level=level,
    )


def krippendorff_alpha(
    units: Sequence[Sequence[Hashable | None]], *, level: Level = "nominal"
) -> float | None:
    """Return Krippendorff's alpha: 1 - observed / expected disagreement, from the coincidence matrix.

    Args:
        units: for each unit what the raters said, None for no rating; units with one rating say nothing.
        level: `nominal` (differ or not) or `interval` (squared difference of numbers).

    Returns:
        alpha, at most 1; None when fewer than two ratings can be paired or all of them are the same.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011).
    """
    paired = [[value for value in unit if value is not None] for unit in units]
    paired = [unit for unit in paired if len(unit) > 1]
    values = sorted({value for unit in paired for value in unit}, key=str)
    if len(values) < 2:
        return None
    place = {value: index for index, value in enumerate(values)}
    coincidences = np.zeros((len(values), len(values)))
    for unit in paired:
        counts = np.bincount([place[value] for value in unit], minlength=len(values)).astype(float)
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    totals = coincidences.sum(axis=1)
    distance = _distances(values, level)
    observed = float((coincidences * distance).sum())
    expected = float((np.outer(totals, totals) * distance).sum()) / float(totals.sum() - 1)
    return 1.0 - observed / expected if expected > 0 else None


def _distances(values: Sequence[Hashable], level: Level) -> NDArray[np.float64]:
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    numbers = np.array([float(str(value)) for value in values])
    return np.asarray((numbers[:, None] - numbers[None, :]) ** 2)


def _kappa(judged: Sequence[Hashable], said: Sequence[Hashable], level: Level) -> float | None:
    from sklearn.metrics import cohen_kappa_score  # a second to import

    labels = sorted({*judged, *said}, key=lambda value: (isinstance(value, str), value))
    if len(labels) < 2:
        return None
    if level == "interval":
        return _weighted_kappa(judged, said)
    codes = {label: index for index, label in enumerate(labels)}
    left, right = [codes[value] for value in judged], [codes[value] for value in said]
    value = float(cohen_kappa_score(left, right))
    return value if math.isfinite(value) else None


def _weighted_kappa(judged: Sequence[Hashable], said: Sequence[Hashable]) -> float | None:
    """Kappa with squared distances of the numbers themselves, which scikit-learn's takes of their ranks."""
    left = np.array([float(str(value)) for value in judged])
    right = np.array([float(str(value)) for value in said])
    observed = float(((left - right) ** 2).mean())
    expected = float(((left[:, None] - right[None, :]) ** 2).mean())
    return 1.0 - observed / expected if expected > 0 else None
