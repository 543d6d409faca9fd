"""Responses and scores in, columns out. Every row is found by its case id, so that their order never matters."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from evals.metrics.grid import Grid
from evals.metrics.human_columns import HumanColumns
from evals.metrics.label_columns import LabelColumns
from evals.metrics.measured_columns import MeasuredColumns
from evals.metrics.results import ModelResults
from evals.records import INFRASTRUCTURE_OUTCOMES, MODEL_OUTCOMES, Price, Response, Score
from evals.suites.case_arrays import applicable_cases, cluster_codes, tag_texts
from evals.suites.opened import OpenedSuite

__all__ = ["tabulate", "tabulate_repeats"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def tabulate(
    opened: OpenedSuite,
    responses: Iterable[Response],
    scores: Iterable[Score],
    *,
    model_id: str,
    price: Price | None,
    asked: Mask | None = None,
    repeats: int | None = None,
    most_tokens: int | None = None,
) -> ModelResults:
    """Put one model's responses and scores in columns.

    Both streams are read once and in any order. What belongs to cases not asked is left out, so that a run that is
    resumed judges an early look on the same evidence as before.

    Args:
        opened: the suite.
        responses: answers to its cases.
        scores: scores of those answers.
        model_id: the pinned identity of the model.
        price: what its tokens cost; without one, cost is unknown.
        asked: which cases were put to the model, a mask of shape (cases,); None for all.
        repeats: how often each case was asked; None for as often as the answers show.
        most_tokens: how many tokens an answer may have; with them it is known what a missing one can cost at most.

    Raises:
        ValueError: for a case that the suite doesn't have, a score that no grader of it yields or of another version,
            and two responses or scores in one place.
    """
    table = _Table(opened, price, repeats, asked, most_tokens)
    for response in responses:
        table.add_response(response)
    for score in scores:
        table.add_score(score)
    return table.results(model_id)


def tabulate_repeats(
    opened: OpenedSuite, responses: Iterable[Response], scores: Iterable[Score], *, model_id: str
) -> list[ModelResults]:
    """Put responses and scores in columns for each repeat by itself, as if it were all that had been asked.

    Costs are left out. Raises as `tabulate`.
    """
    tables: dict[int, _Table] = {}
    for response in responses:
        if response.repeat not in tables:
            tables[response.repeat] = _Table(opened, None, None, None)
        tables[response.repeat].add_response(msgspec.structs.replace(response, repeat=0))
    for score in scores:
        if score.repeat in tables:
            tables[score.repeat].add_score(msgspec.structs.replace(score, repeat=0))
    return [tables[repeat].results(model_id) for repeat in sorted(tables)]


class _Table:
    """The columns while they are being filled."""

    def __init__(
        self,
        opened: OpenedSuite,
        price: Price | None,
        repeats: int | None,
        planned: Mask | None,
        most_tokens: int | None = None,
    ) -> None:
        self.opened = opened
        self.cases = opened.suite.cases
        self.planned = planned
        self.repeats = repeats or 1
        self.versions = {
            column.name: grader.version for grader in opened.graders for column in grader.columns()
        }
        self.measured = MeasuredColumns(len(self.cases), self.repeats, price, most_tokens)
        self.scores = {name: self._grid() for name in self.versions}
        self.labels = LabelColumns(opened)
        self.people = HumanColumns(opened, self.versions)
        self.asked = self._grid()
        self.outcomes: Counter[str] = Counter()
        self.evidence_sum = 0

    def add_response(self, response: Response) -> None:
        row, repeat = self._row(response.case_id), response.repeat
        if row is None:
            return
        self.repeats = max(self.repeats, repeat + 1)
        if not self.asked.put(row, repeat, 1.0):
            raise ValueError(f"two responses to case '{response.case_id}', repeat {repeat}")
        self.outcomes[response.outcome] += 1
        self._add_evidence(
            response.case_id,
            repeat,
            response.outcome,
            response.text,
            response.tool_calls,
            response.latency_ms,
            response.usage,
        )
        self.measured.add(row, response)
        if response.outcome not in MODEL_OUTCOMES:
            return
        for column, by_people in self.people.add(row, response):
            self._add_evidence(response.case_id, repeat, "people", column, by_people)

    def add_score(self, score: Score) -> None:
        row, repeat = self._row(score.case_id), score.repeat
        if row is None:
            return
        self.repeats = max(self.repeats, repeat + 1)
        self._check(score)
        value = math.nan if score.value is None else score.value
        if not self.scores[score.grader].put(row, repeat, value):
            raise ValueError(f"two scores '{score.grader}' of case '{score.case_id}'")
        self._add_evidence(
            score.case_id,
            repeat,
            score.grader,
            score.version,
            score.value,
            score.truth,
            score.predicted,
        )
        self.labels.add(row, score)

    def _check(self, score: Score) -> None:
        if score.grader not in self.versions:
            raise ValueError(f"no grader of the suite yields '{score.grader}'")
        version = self.versions[score.grader]
        if score.version != version:
            raise ValueError(
                f"a score '{score.grader}' of version {score.version}; its grader has version {version}"
            )
        if score.value is not None and not 0.0 <= score.value <= 1.0:
            raise ValueError(f"expected a score in [0, 1]; found {score.value} by '{score.grader}'")

    def _grid(self) -> Grid:
        return Grid(len(self.cases), self.repeats, np.nan, np.float64)

    def results(self, model_id: str) -> ModelResults:
        suite, planned = self.opened.suite, self.planned
        if planned is None:
            planned = np.ones(len(self.cases), dtype=np.bool_)
        return ModelResults(
            model_id=model_id,
            suite=suite.name,
            fingerprint=self.opened.fingerprint,
            grader_versions={grader.name: grader.version for grader in self.opened.graders},
            case_ids=self.cases.ids,
            planned=planned,
            columns=self._means(),
            labels=self.labels.columns(self.repeats, self.planned),
            tags=tag_texts(self.cases),
            clusters=cluster_codes(self.cases),
            outcomes=dict(self.outcomes),
            evidence_digest=self._digest(model_id),
            applicable={
                name: applicable_cases(self.opened, name) for name in self.opened.applicable
            },
            counts=self._counts(int(planned.sum())),
            people=self.people.columns(self.repeats),
            shares=self._shares(),
            most=self.measured.most(),
        )

    def _row(self, case_id: str) -> int | None:
        """Where a case stands; None when it was not asked, and so is left out."""
        row = self.cases.row(case_id)
        if self.planned is not None:
            return row if row is not None and self.planned[row] else None
        if row is None:
            raise ValueError(f"the suite has no case '{case_id}'")
        return row

    def _add_evidence(self, *facts: Any) -> None:
        """Add a fact to the evidence: a sum of hashes is the same in any order, and no fact cancels another."""
        hashed = hashlib.sha512(msgspec.json.encode(facts, order="deterministic")).digest()
        self.evidence_sum = (self.evidence_sum + int.from_bytes(hashed)) % (1 << 512)

    def _digest(self, model_id: str) -> str:
        whole = [self.opened.fingerprint, model_id, f"{self.evidence_sum:0128x}"]
        return "sha256:" + hashlib.sha256(msgspec.json.encode(whole)).hexdigest()

    def _means(self) -> dict[str, Floats]:
        found = {name: grid.means() for name, grid in self.measured.grids.items()}
        for name, grid in self.scores.items():
            found[self._column(name)] = grid.means()
        return found

    def _shares(self) -> dict[str, Floats]:
        grids = {
            **self.measured.grids,
            **{self._column(name): grid for name, grid in self.scores.items()},
        }
        shares = {name: grid.shares(self.repeats) for name, grid in grids.items()}
        return {name: share for name, share in shares.items() if share is not None}

    def _column(self, name: str) -> str:
        return f"{name}.accuracy" if name in self.labels else name

    def _counts(self, planned: int) -> dict[str, int]:
        return {
            "planned": planned * self.repeats,
            "answered": sum(self.outcomes[name] for name in MODEL_OUTCOMES),
            "scored": self._scored(),
            "errored": sum(self.outcomes[name] for name in INFRASTRUCTURE_OUTCOMES),
        }

    def _scored(self) -> int:
        """Count the questions for which every applicable score is there."""
        whole = np.ones((len(self.cases), self.repeats), dtype=np.bool_)
        for name, grid in self.scores.items():
            known = ~np.isnan(grid.values(self.repeats))
            known |= ~applicable_cases(self.opened, name)[:, None]
            whole &= known
        return int(whole.sum())
