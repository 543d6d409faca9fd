"""Looking after a suite: what is in it, cutting it in two, taking out what stands in it twice."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import msgspec

from evals.cases.suite_file import Suite
from evals.config.documents import shown_path
from evals.errors import ConfigurationError, Problem
from evals.files import room_for
from evals.graders.parsing import same_text
from evals.records import Case
from evals.stats.clusters import cluster_sizes
from evals.suites.opened import OpenedSuite
from evals.suites.overlap import NEAR, normalised, question, similar_pairs
from evals.suites.prompt_frame import frame_of

__all__ = ["Duplicate", "SuiteStats", "duplicates", "split_cases", "suite_stats", "write_cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteStats:
    """A suite in figures. `effective_clusters` of one size say as much as its clusters do. `labels` counts truths by label grader, `tags` values by tag; lengths are in characters."""

    name: str
    cases: int
    clusters: int | None
    largest_cluster: int | None
    effective_clusters: float | None
    tags: Mapping[str, Mapping[str, int]]
    labels: Mapping[str, Mapping[str, int]]
    metrics: tuple[str, ...]
    mean_length: float
    median_length: float
    longest: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A case that asks what an earlier one asks. `contradicts` when another answer is expected of it."""

    case_id: str
    same_as: str
    similarity: float
    contradicts: bool


def suite_stats(opened: OpenedSuite) -> SuiteStats:
    """Count what a suite holds."""
    suite = opened.suite
    lengths = [len(question(case)) for case in suite.cases]
    clusters = Counter(code for code in suite.cases.clusters if code >= 0)
    return SuiteStats(
        name=suite.name,
        cases=len(suite.cases),
        clusters=len(clusters) or None,
        largest_cluster=max(clusters.values(), default=None),
        effective_clusters=cluster_sizes([*clusters.values()]).effective if clusters else None,
        tags={name: _counted(tag.each()) for name, tag in suite.cases.tags.items()},
        labels={
            grader.name: _counted(_truth(grader, case) for case in suite.cases)
            for grader in opened.graders
            if any(column.kind == "label" for column in grader.columns())
        },
        metrics=tuple(name for grader in opened.graders for name in grader.metrics()),
        mean_length=fmean(lengths),
        median_length=median(lengths),
        longest=max(lengths),
        fingerprint=opened.fingerprint,
    )


def duplicates(suite: Suite, *, near: float = NEAR) -> tuple[Duplicate, ...]:
    """Return the cases that ask the same as an earlier one, or nearly so, each with the most alike of those."""
    asked = [normalised(question(case)) for case in suite.cases]
    texts = frame_of(asked).cores(asked)
    best: dict[int, tuple[float, int]] = {}
    for row, column, share in similar_pairs(texts, texts, near):
        if column < row and share > best.get(row, (0.0, 0))[0]:
            best[row] = (share, column)
    return tuple(
        Duplicate(
            case_id=suite.cases.ids[row],
            same_as=suite.cases.ids[column],
            similarity=share,
            contradicts=suite.cases[row].expected != suite.cases[column].expected,
        )
        for row, (share, column) in sorted(best.items())
    )


def split_cases(
    suite: Suite, share: float, *, seed: int = 0, by: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cut a suite in two; return the ids of both parts, the first with about `share` of the cases.

    Clusters stay whole: answers of one customer must not be on both sides. Strata are the values of the tags `by`, or
    the expected answers. Raises ValueError unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError("expected a share between 0 and 1")
    strata: dict[Hashable, list[list[str]]] = defaultdict(list)
    clusters: dict[int, list[str]] = {}
    for case, cluster in zip(suite.cases, suite.cases.clusters, strict=True):
        members = clusters.get(cluster, []) if cluster >= 0 else []
        if not members:
            strata[_stratum(case, by)].append(members)
            clusters[cluster] = members
        members.append(case.id)
    chosen: set[str] = set()
    owed = 0.0
    for key in sorted(strata, key=str):
        parts = sorted(strata[key], key=lambda members: members[0])
        random.Random(f"{seed}/{key}").shuffle(parts)  # noqa: S311 - a fair cut, no secret
        owed += share * sum(map(len, parts))
        for members in parts:
            # Owed cases are carried from stratum to stratum, so that small strata don't all round the same way.
            if len(members) / 2 <= owed:
                chosen.update(members)
                owed -= len(members)
    ids = suite.cases.ids
    return tuple(i for i in ids if i in chosen), tuple(i for i in ids if i not in chosen)


def write_cases(suite: Suite, ids: tuple[str, ...], path: Path) -> int:
    """Copy the lines of these cases, as they were written, to a new JSONL file; return how many there are.

    Raises:
        ConfigurationError: the suite's cases aren't JSON lines, or the file exists.
    """
    if suite.case_file.suffix.lower() not in (".jsonl", ".json", ".ndjson"):
        message = "expected a suite of JSON lines; tables are cut with their own tools"
        raise ConfigurationError(Problem(where=shown_path(suite.case_file), message=message))
    wanted = {suite.cases.line(case_id) for case_id in ids}
    try:
        with room_for(path), suite.case_file.open("rb") as source, path.open("xb") as target:
            for number, line in enumerate(source, start=1):
                if number in wanted:
                    target.write(line.rstrip(b"\r\n") + b"\n")
    except FileExistsError:
        message = "expected a file that doesn't exist yet"
        raise ConfigurationError(Problem(where=shown_path(path), message=message)) from None
    return len(wanted)


def _stratum(case: Case, by: tuple[str, ...]) -> str:
    if by:
        return "/".join(case.tags.get(name, "") for name in by)
    return msgspec.json.encode(case.expected, order="sorted").decode()


def _truth(grader: Any, case: Case) -> str:
    path = grader.options.field
    truth = case.expected
    if path is not None and isinstance(truth, dict):
        truth = truth.get(path)
    return same_text(truth)


def _counted(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())
