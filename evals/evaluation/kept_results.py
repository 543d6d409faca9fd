"""Kept answers as columns beside today's: which of them may be compared, graded by today's graders, on today's rows.

The one rule of comparability: a case that did not change, asked in the same way, equally often. Whether enough such cases
are left for a check is the affair of `evals.checks.kept_comparison`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.evaluation.grading import grade_answers
from evals.evaluation.kept_answers import KeptAnswers, KeptSuite, case_digest
from evals.evaluation.score_store import ScoreStore
from evals.gate.examiner import Evidence
from evals.graders.judges.pairwise import pairwise
from evals.graders.table import graders_digest
from evals.metrics.results import ModelResults
from evals.metrics.tabulation import tabulate
from evals.records import Response
from evals.sampling.endpoint.request_body import PASSED_ON
from evals.sampling.request_spec import SamplingSettings
from evals.suites.opened import OpenedSuite

__all__ = [
    "AskedSuite",
    "KeptEvidence",
    "all_repeats",
    "asked_with",
    "cut_labels",
    "deployments_changed",
    "grade_kept",
    "kept_results",
    "kept_scores",
    "unchanged",
    "why_incomparable",
]

_SAYS_SOMETHING = (*PASSED_ON, "extra")
"""Parameters with a say in the answer. A seed is none: another one draws again from the same answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSuite:
    """A suite as it is asked today: `asked_with` as `asked_with` gives it, each case `repeats` times."""

    opened: OpenedSuite
    asked_with: Mapping[str, Any]
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvidence:
    """What of kept answers takes part in judging; see the fields of `evals.gate.examiner.Evidence`.

    Where they are `recorded` in place of a model that is asked, `baseline` is what the run is compared with, not what the
    live model's answers are held against besides.
    """

    anchor: Mapping[str, ModelResults] | None = None
    anchor_problem: str = ""
    baseline: Mapping[str, ModelResults] | None = None
    baseline_problem: str = ""
    baseline_changed: str = ""
    recorded: bool = False
    recorded_problem: str = ""
    recorded_model: str = ""
    recorded_note: str = ""
    recorded_as: str = ""

    def beside(self, evidence: Evidence) -> Evidence:
        """Return the evidence of a run with the kept answers."""
        anchored = replace(evidence, anchor=self.anchor, anchor_problem=self.anchor_problem)
        if self.recorded:
            return replace(
                anchored,
                baseline=self.baseline,
                recorded=True,
                recorded_problem=self.recorded_problem,
                recorded_model=self.recorded_model,
                recorded_note=self.recorded_note,
                recorded_as=self.recorded_as,
            )
        return replace(
            anchored,
            kept_baseline=self.baseline,
            kept_problem=self.baseline_problem,
            baseline_changed=self.baseline_changed,
        )


def asked_with(
    settings: SamplingSettings, *, system_prompt: str | None, api: str
) -> dict[str, Any]:
    """Return what of a request has a say in the answer besides the messages of the case, as plain JSON data."""
    stated = {name: getattr(settings, name) for name in _SAYS_SOMETHING}
    stated |= {"system_prompt": system_prompt, "api": api if api != "chat" else None}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in stated.items()
        if value not in (None, {}, ())
    }


def why_incomparable(kept: KeptSuite, asked: AskedSuite) -> str | None:
    """Return why kept answers to a suite can't be compared with today's, whatever the cases; None when they can."""
    then, now = kept.asked_with, asked.asked_with
    if other := sorted(
        name for name in {*then, *now} if _plain(then.get(name)) != _plain(now.get(name))
    ):
        told = ", ".join(
            f"{name} {_shown(then.get(name))} then, {_shown(now.get(name))} now" for name in other
        )
        return f"suite {kept.suite} was asked with other parameters ({told})"
    if kept.repeats < asked.repeats:
        return f"suite {kept.suite} was asked {kept.repeats} times a case, and {asked.repeats} times now"
    return None


def kept_results(kept: KeptAnswers, asked: Sequence[AskedSuite]) -> dict[str, ModelResults]:
    """Lay kept answers out on the rows of today's suites, with the scores that `grade_kept` made of them.

    Cases that can't be compared are False in `planned`. Scores of judges that compare two answers of one run are left
    out. Raises KeptAnswersError when the answers are damaged.
    """
    return {one.opened.suite.name: _results(kept, one) for one in asked}


def all_repeats(kept: KeptAnswers, asked: AskedSuite) -> AskedSuite:
    """Return a suite as asked as often as its answers were kept, where that is more often than it is asked today."""
    suite = kept.record.suite(asked.opened.suite.name)
    return asked if suite is None else replace(asked, repeats=max(suite.repeats, asked.repeats))


def cut_labels(results: ModelResults, repeats: int) -> ModelResults:
    """Return results with the first so many repeats of each label, as statistics of labels pair them one by one."""
    labels = {
        name: replace(one, truth=one.truth[:, :repeats], predicted=one.predicted[:, :repeats])
        for name, one in results.labels.items()
    }
    return replace(results, labels=labels)


async def grade_kept(kept: KeptAnswers, asked: Sequence[AskedSuite]) -> None:
    """Score what can be compared and has no score of today's graders yet; each answer once for a version of them."""
    for one in asked:
        answers = _answers(kept, one, unchanged(kept, one))
        await grade_answers(kept_scores(kept, one.opened), one.opened, answers)


def kept_scores(kept: KeptAnswers, opened: OpenedSuite) -> ScoreStore:
    """Return the book of the scores that a suite's graders, as they are today, gave kept answers."""
    made_by = graders_digest(opened.suite, opened.graders)
    return ScoreStore(kept.folder, "candidate", opened, made_by=made_by)


def deployments_changed(then: Sequence[str], now: Sequence[str]) -> str:
    """Say that a service tells of another deployment than before; empty when it does not, or told nothing.

    Both are `deployments` of `KeptSuite`. Fingerprints and model names are held apart; one in common is none changed.
    """
    for kind in ("system fingerprint", "model"):
        old, new = ({one for one in told if one.startswith(kind)} for told in (then, now))
        if old and new and not old & new:
            names = ", ".join(one.removeprefix(f"{kind} ") for one in sorted(new))
            before = ", ".join(one.removeprefix(f"{kind} ") for one in sorted(old))
            return f"its {kind} is {names}, and was {before}"
    return ""


def _results(kept: KeptAnswers, asked: AskedSuite) -> ModelResults:
    opened, planned = asked.opened, unchanged(kept, asked)
    scores = (score for score in kept_scores(kept, opened).scores() if score.repeat < asked.repeats)
    found = tabulate(
        opened,
        _answers(kept, asked, planned),
        scores,
        model_id=kept.record.model_id,
        price=kept.record.price,
        asked=planned,
        repeats=asked.repeats,
    )
    of_two = {column.name for grader in pairwise(opened.graders) for column in grader.columns()}
    columns = {name: values for name, values in found.columns.items() if name not in of_two}
    return replace(found, columns=columns)


def unchanged(kept: KeptAnswers, asked: AskedSuite) -> NDArray[np.bool_]:
    """Which cases of today's suite are those that were answered, shape (cases,)."""
    cases = asked.opened.suite.cases
    known, same = (np.zeros(len(cases), dtype=np.bool_) for _ in range(2))
    for line in kept.lines(asked.opened.suite.name):
        row = cases.row(line.response.case_id)
        if row is not None and not known[row]:  # each case once, however often it was asked
            known[row] = True
            same[row] = line.case == case_digest(cases[row])
    return same


def _answers(kept: KeptAnswers, asked: AskedSuite, rows: NDArray[np.bool_]) -> Iterator[Response]:
    """The kept answers to some of the cases, read one by one; no more of each than are asked for today."""
    cases = asked.opened.suite.cases
    for line in kept.lines(asked.opened.suite.name):
        row = cases.row(line.response.case_id)
        if row is not None and rows[row] and line.response.repeat < asked.repeats:
            yield line.response


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
