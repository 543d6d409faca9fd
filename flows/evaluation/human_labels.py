"""Human labels of a run: which answers are drawn for people, what they said when it was judged, how far judges agree.

What people said by the time of the verdict is kept in the run's folder, so that labels made later change no verdict
that was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from evals.checks.prediction_powered import random_ranks
from evals.errors import ConfigurationError, Problem, nearest
from evals.graders.base import Grader
from evals.graders.judges.label_scale import HumanScale
from evals.graders.judges.llm_judge import conversation
from evals.records import MODEL_OUTCOMES, Response, Score
from evals.report.facts import JudgeFacts
from evals.stats.agreement import Agreement, agreement
from evals.suites.human_labels import HumanLabels, answer_digest
from evals.suites.opened import OpenedSuite
from flows.evaluation.open_run import OpenRun
from flows.files import read_record, write_record

__all__ = ["LabelSample", "draw", "judge_facts", "keep_labels", "with_kept_labels"]

_KEPT = "human_labels.json"
_Kept = dict[str, dict[str, HumanLabels]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSample:
    """Answers for people to label: `rows` as they go into a file, of `cases` cases; `known` have a label already."""

    rows: list[dict[str, Any]]
    cases: int
    known: int
    words: str


def keep_labels(run: OpenRun) -> None:
    """Keep what people have said by now, before the run is judged."""
    kept = {opened.suite.name: dict(opened.people) for opened in run.plan.suites if opened.people}
    if kept:
        write_record(run.folder / _KEPT, kept)


def with_kept_labels(run: OpenRun) -> OpenRun:
    """The same run with the human labels it was judged with, whatever the suites' files hold by now."""
    kept = read_record(run.folder / _KEPT, _Kept) or {}
    suites = tuple(
        replace(opened, people=kept.get(opened.suite.name, {})) for opened in run.plan.suites
    )
    return replace(run, plan=replace(run.plan, suites=suites))


def draw(run: OpenRun, grader: str, count: int) -> LabelSample:
    """Draw answers of a run at random for people to label; both models' where a case was asked of two.

    Whose answer it is and what the judge said are left out, so that neither sways anybody. The first `count` cases of
    the random order are taken (see `evals.checks.prediction_powered`); what is labelled already is not asked for again.

    Raises:
        ConfigurationError: no judge of the run's suites has that name, or the run has too few answers.
    """
    opened, scale = _judge(run, grader)
    answers: dict[str, dict[str, Response]] = {}
    for role in run.evaluation.roles:
        for response in run.evaluation.responses(role, opened.suite.name):
            if response.outcome in MODEL_OUTCOMES:
                found = answers.setdefault(response.case_id, {})
                found.setdefault(answer_digest(response), response)
    if len(answers) < count:
        raise _wrong("--n", f"expected at most {len(answers)}, the cases answered; found {count}")
    ids = list(answers)
    order = np.argsort(random_ranks(opened.suite.name, grader, ids), kind="stable")[:count]
    people_labels = opened.people[grader].by_answer() if grader in opened.people else {}
    drawn = [(ids[place], digest) for place in order for digest in sorted(answers[ids[place]])]
    fresh = [pair for pair in drawn if pair not in people_labels]
    return LabelSample(
        rows=[_row(opened, scale, case_id, answers[case_id][digest]) for case_id, digest in fresh],
        cases=count,
        known=len(drawn) - len(fresh),
        words=scale.words,
    )


def judge_facts(run: OpenRun) -> Iterator[JudgeFacts]:
    """How far each judge of a run agrees with people, on the answers of this run that people have labelled."""
    for opened in run.plan.suites:
        for grader, scale in _judges(opened):
            people = opened.people.get(grader.name)
            found = _agreement(run, opened, grader.name, scale, people) if people else None
            yield JudgeFacts(
                suite=opened.suite.name,
                grader=grader.name,
                models=tuple(getattr(grader, "judges", ())),
                n=found.n if found else 0,
                exact=found.exact if found else None,
                kappa=found.kappa if found else None,
                alpha=found.alpha if found else None,
                level=found.level if found else "",
            )


def _agreement(
    run: OpenRun, opened: OpenedSuite, grader: str, scale: HumanScale, people: HumanLabels
) -> Agreement | None:
    """Each labelled answer counts once, however many models gave it."""
    people_labels = people.by_answer()
    human: dict[str, float | str] = {}
    scores: list[Score] = []
    for role in run.evaluation.roles:
        keys: dict[tuple[str, int], str] = {}
        for response in run.evaluation.responses(role, opened.suite.name):
            answer = (response.case_id, answer_digest(response))
            key = "\n".join(answer)
            if response.outcome in MODEL_OUTCOMES and answer in people_labels and key not in human:
                human[key] = people_labels[answer][grader]
                keys[response.case_id, response.repeat] = key
        for score in run.evaluation.scores(role, opened):
            at = (score.case_id, score.repeat)
            if score.grader == grader and score.value is not None and at in keys:
                scores.append(msgspec.structs.replace(score, case_id=keys[at]))
    if scale.labels:  # where as many people said yes as no, there is no label
        human = {key: round(float(value)) for key, value in human.items() if value != 0.5}
    if not any(score.case_id in human for score in scores):
        return None
    return agreement(scores, human, level="nominal" if scale.labels else "interval")


def _judges(opened: OpenedSuite) -> Iterator[tuple[Grader, HumanScale]]:
    for grader in opened.graders:
        scale = getattr(grader, "human_scale", None)
        if scale is not None:
            yield grader, scale()


def _judge(run: OpenRun, grader: str) -> tuple[OpenedSuite, HumanScale]:
    known = [
        (opened, found.name, scale)
        for opened in run.plan.suites
        for found, scale in _judges(opened)
    ]
    for opened, name, scale in known:
        if name == grader:
            return opened, scale
    fix = nearest(grader, [name for _, name, _ in known])
    raise _wrong("--grader", f"no judge of this run's suites is called '{grader}'", fix)


def _row(
    opened: OpenedSuite, scale: HumanScale, case_id: str, response: Response
) -> dict[str, Any]:
    case = opened.suite.cases.get(case_id)
    row: dict[str, Any] = {
        "case_id": case_id,
        "question": conversation(case) if case is not None else "",
        "answer": response.text or "",
        "answer_digest": answer_digest(response),
    }
    return {**row, "label" if scale.labels else "score": None, "who": ""}


def _wrong(where: str, message: str, fix: str | None = None) -> ConfigurationError:
    return ConfigurationError(Problem(where=where, message=message, fix=fix))
