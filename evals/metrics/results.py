"""One model's answers to one suite as columns, one row a case: the form in which everything is judged.

Column names are the graders' own, "<label grader>.accuracy" for whether a label was right, and the built-in
"latency_ms", "cost_usd", "prompt_tokens", "completion_tokens", "answered", "refused", "truncated", "content_filtered".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.cases.ids import Ids
from evals.records import digest

__all__ = ["INVALID", "UNSCORED", "LabelColumn", "ModelResults", "pooled"]

INVALID = -1
"""Code of a prediction that is none of the labels."""
UNSCORED = -2
"""Code of a prediction that isn't there."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelColumn:
    """Truth and prediction as codes into `labels`, both of shape (cases, repeats)."""

    labels: tuple[str, ...]
    truth: Codes
    predicted: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResults:
    """What one model made of one suite.

    `case_ids` are all cases of the suite in its order. `planned` is False where a case was deliberately not asked.
    `columns` holds the mean over the repeats of a case, shape (cases,), NaN where nothing was scored; `applicable`
    (all True when a column is absent) says which cases a column is about at all. `tags` holds texts, "" where a case has
    none. `clusters` are codes, None without clusters. `outcomes` counts responses; `counts` holds planned, answered,
    scored and errored questions (cases times repeats). `people` holds, for columns of judges whose grader names human
    labels, what people said of these very answers: the mean over the repeats of a case, shape (cases,), NaN unless all
    of its answers were labelled. `shares` says, for columns of which single repeats are missing, which share of a case's
    repeats is there, shape (cases,); a column without an entry has all of them, or none where it is NaN. `most` is the
    highest that a missing value of a column can be, shape (cases,), NaN where nobody knows.
    """

    model_id: str
    suite: str
    fingerprint: str
    grader_versions: Mapping[str, str]
    case_ids: Sequence[str]
    planned: Bools
    columns: Mapping[str, Floats]
    labels: Mapping[str, LabelColumn]
    tags: Mapping[str, NDArray[Any]]
    clusters: Codes | None
    outcomes: Mapping[str, int]
    evidence_digest: str
    applicable: Mapping[str, Bools] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, Floats] = field(default_factory=dict)
    shares: Mapping[str, Floats] = field(default_factory=dict)
    most: Mapping[str, Floats] = field(default_factory=dict)

    def applicable_to(self, column: str) -> Bools:
        """Return which cases a column is about, shape (cases,)."""
        found = self.applicable.get(column, self.applicable.get(column.removesuffix(".accuracy")))
        return found if found is not None else np.ones(len(self.case_ids), dtype=np.bool_)

    def share_of(self, column: str) -> Floats:
        """Return which share of a case's repeats a column has a value of, shape (cases,); 0 where nothing was scored."""
        there = np.isfinite(self.columns[column])
        return np.where(there, self.shares.get(column, 1.0), 0.0)


def pooled(results: Sequence[ModelResults]) -> ModelResults:
    """Put one model's results on several suites under one another. Case ids become "<suite>/<id>".

    Columns that some suite lacks are NaN and not applicable there; label columns are kept where all suites that have
    them declare the same labels. Raises ValueError for no results, or for those of different models.
    """
    if len({part.model_id for part in results}) != 1:
        raise ValueError("expected results of exactly one model to pool")
    sizes = [len(part.case_ids) for part in results]
    names = dict.fromkeys(name for part in results for name in part.columns)
    return ModelResults(
        model_id=results[0].model_id,
        suite="+".join(part.suite for part in results),
        fingerprint=digest([part.fingerprint for part in results]),
        grader_versions={
            f"{part.suite}/{name}": version
            for part in results
            for name, version in part.grader_versions.items()
        },
        case_ids=_pooled_ids(results),
        planned=np.concatenate([part.planned for part in results]),
        columns={name: _stacked(results, name) for name in names},
        labels=_pooled_labels(results),
        tags=_pooled_tags(results),
        clusters=_pooled_clusters(results, sizes),
        outcomes=dict(sum((Counter(part.outcomes) for part in results), Counter[str]())),
        evidence_digest=digest([part.evidence_digest for part in results]),
        applicable={name: _applicable(results, name) for name in names},
        counts=dict(sum((Counter(part.counts) for part in results), Counter[str]())),
        shares={
            name: np.concatenate([_share(part, name) for part in results])
            for name in dict.fromkeys(name for part in results for name in part.shares)
        },
        most={
            name: np.concatenate([_most(part, name) for part in results])
            for name in dict.fromkeys(name for part in results for name in part.most)
        },
    )


def _pooled_ids(results: Sequence[ModelResults]) -> Sequence[str]:
    whole = (f"{part.suite}/{case_id}" for part in results for case_id in part.case_ids)
    # Where no part has an id twice, the pool has none either.
    return Ids(whole) if all(isinstance(part.case_ids, Ids) for part in results) else tuple(whole)


def _stacked(results: Sequence[ModelResults], name: str) -> Floats:
    return np.concatenate(
        [part.columns.get(name, np.full(len(part.case_ids), np.nan)) for part in results]
    )


def _share(part: ModelResults, name: str) -> Floats:
    return part.shares.get(name, np.ones(len(part.case_ids)))


def _most(part: ModelResults, name: str) -> Floats:
    return part.most.get(name, np.full(len(part.case_ids), np.nan))


def _applicable(results: Sequence[ModelResults], name: str) -> Bools:
    return np.concatenate(
        [
            part.applicable_to(name)
            if name in part.columns
            else np.zeros(len(part.case_ids), dtype=np.bool_)
            for part in results
        ]
    )


def _pooled_labels(results: Sequence[ModelResults]) -> dict[str, LabelColumn]:
    shared = set.intersection(*(set(part.labels) for part in results))
    found = {}
    for name in sorted(shared):
        columns = [part.labels[name] for part in results]
        if len({column.labels for column in columns}) == 1:
            width = max(column.truth.shape[1] for column in columns)
            found[name] = LabelColumn(
                labels=columns[0].labels,
                truth=np.concatenate([_widened(column.truth, width) for column in columns]),
                predicted=np.concatenate([_widened(column.predicted, width) for column in columns]),
            )
    return found


def _widened(codes: Codes, width: int) -> Codes:
    missing = width - codes.shape[1]
    return np.pad(codes, ((0, 0), (0, missing)), constant_values=UNSCORED)


def _pooled_tags(results: Sequence[ModelResults]) -> dict[str, NDArray[Any]]:
    names = dict.fromkeys(name for part in results for name in part.tags)
    return {
        name: np.concatenate(
            [part.tags.get(name, np.full(len(part.case_ids), "")) for part in results]
        )
        for name in names
    }


def _pooled_clusters(results: Sequence[ModelResults], sizes: Sequence[int]) -> Codes | None:
    """Number clusters on from suite to suite; in a suite without clusters every case is its own."""
    if all(part.clusters is None for part in results):
        return None
    found, start = [], 0
    for part, size in zip(results, sizes, strict=True):
        codes = np.arange(size, dtype=np.int64) if part.clusters is None else part.clusters
        found.append(codes + start)
        start += int(codes.max(initial=-1)) + 1
    return np.concatenate(found)
