"""What the page of one run shows: state, verdicts with their checks, answers, steps, and the question to people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from evals.errors import GatewrightError
from evals.people import is_among
from evals.records import Verdict
from evals.report.sanitise import cleaned
from evals.report.sections.check import CheckView, check_view
from evals.report.sections.field import FieldView, field_view
from evals.report.sections.tries import tries_lines
from flows.approvals.questions import Question, question_of
from flows.config.sealing import UNSEALED, may_see_run
from flows.platforms.model_names import short_name
from flows.registry.database.schema import inbox
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.selection.facts import selection_facts
from flows.service.pages.labels import Mark, Moment, mark_of_verdict, moment
from flows.service.pages.views import RunRow, run_row
from flows.service.state import ServiceState

__all__ = ["PendingQuestion", "RunPage", "VerdictView", "report_path", "run_page"]

_MOVED = "Something else was made live since the verdict: judge the candidate again."
_WORDS = {"approve": "approved", "reject": "rejected", "override": "overridden"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """One verdict of a run and its checks."""

    slot: str
    mark: Mark
    reasons: tuple[str, ...]
    checks: tuple[CheckView, ...]
    judged: Moment | None
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """An answer of a person."""

    word: str
    actor: str
    reason: str
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A mark that a promotion left."""

    step: str
    phase: str
    at: Moment
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingQuestion:
    """The question to people; `hindrance` says why this person can't answer it here, "" when they can.

    `aside` is set for a run that is over: nobody is waited for, and an override stays possible. `acceptable` is False
    where this person may only say no.
    """

    question: Question
    aside: bool
    acceptable: bool
    deadline: Moment | None
    hindrance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """The page of one run."""

    row: RunRow
    record: RunRecord
    baseline: str
    trigger: str
    created: Moment
    verdicts: tuple[VerdictView, ...]
    answers: tuple[AnswerRow, ...]
    carried: str
    steps: tuple[StepRow, ...]
    asked: PendingQuestion | None
    trouble: str
    has_report: bool
    tries: tuple[str, ...]
    edits: tuple[str, ...]
    field: FieldView | None


def run_page(parts: ServiceState, run: RunRecord, actor: str | None) -> RunPage:
    """Read the page of a run as this person sees it."""
    registry, now = parts.registry, parts.registry.now()
    asked, trouble = _asked(parts, run, actor)
    return RunPage(
        row=run_row(registry, run),
        record=run,
        baseline=short_name(run.baseline_model) if run.baseline_model else "",
        trigger=", ".join(f"{key} {_named(value)}" for key, value in sorted(run.trigger.items())),
        created=moment(run.created_at, now),
        verdicts=tuple(_verdicts(registry, run, now)),
        answers=tuple(
            AnswerRow(
                word=_WORDS[one.decision],
                actor=one.actor,
                reason=one.reason,
                at=moment(one.at, now),
            )
            for one in registry.answers(run.run_id)
        ),
        carried=_carried(registry, run.run_id),
        steps=tuple(
            StepRow(
                step=one.step, phase=one.phase, at=moment(one.at, now), detail=_detail(one.detail)
            )
            for one in registry.steps(run.run_id)
            if run.kind != "selection"  # its rungs are shown as the field
        ),
        asked=asked,
        trouble=trouble,
        has_report=report_path(parts, run) is not None,
        tries=_tries(registry, run.run_id),
        edits=tuple(edit.words for edit in run.edits),
        field=_field(registry, run),
    )


def report_path(parts: ServiceState, run: RunRecord, actor: str | None = None) -> Path | None:
    """Return the run's report, None when there is none on this machine or it lies outside of the runs' folder.

    For an approver of its target it is the one that shows the cases of sealed suites, where there are any.
    """
    if not run.report:
        return None
    path, runs = Path(run.report).resolve(), parts.settings.runs.resolve()
    if not (path.is_relative_to(runs) and path.is_file()):
        return None
    mine = path.parent / UNSEALED / path.name
    seen = mine.is_file() and may_see_run(parts.settings.targets, run.target, actor)
    return mine if seen else path


def _carried(registry: Registry, run_id: str) -> str:
    """What was made of the newest answer: which flow run goes on with it, or what became of the one that waited."""
    with registry.database.read() as connection:
        query = select(inbox.c.outcome).where(inbox.c.message_id.startswith(f"{run_id}:answer:"))
        return connection.execute(query.order_by(inbox.c.seq.desc()).limit(1)).scalar() or ""


def _tries(registry: Registry, run_id: str) -> tuple[str, ...]:
    verdict = registry.verdict(run_id)
    return tries_lines(verdict.tries) if verdict is not None else ()


def _named(value: Any) -> str:
    """A value of a trigger; the candidates of a selection are several."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _field(registry: Registry, run: RunRecord) -> FieldView | None:
    """The field that a run's candidate was chosen from, or that a selection chooses from."""
    facts = selection_facts(registry, run.run_id if run.kind == "selection" else run.selection)
    if facts is None:
        return None
    models = [one.model_id for one in facts.plan.candidates]
    names = {model: short_name(model) for model in models}
    return field_view(cleaned(facts), names, run.candidate_model or None)


def _no_baseline(run: RunRecord) -> str:
    compared = run.baseline_model is None and run.kind != "regression"
    return "nothing was live" if compared else "not compared with a baseline"


def _verdicts(registry: Registry, run: RunRecord, now: str) -> list[VerdictView]:
    found = []
    for slot in ("developer", "production"):
        verdict = registry.verdict(run.run_id, slot)
        if verdict is not None:
            judged = registry.judged_at(run.run_id, slot)
            found.append(_verdict(run, verdict, slot, moment(judged[0], now) if judged else None))
    return found


def _verdict(run: RunRecord, verdict: Verdict, slot: str, judged: Moment | None) -> VerdictView:
    return VerdictView(
        slot=slot,
        mark=mark_of_verdict(verdict.outcome),
        reasons=verdict.reasons,
        checks=tuple(
            check_view(check, first_release=verdict.first_release) for check in verdict.checks
        ),
        judged=judged,
        pairs=(
            ("Gate", f"{verdict.policy}, {verdict.policy_digest}"),
            ("Evidence", verdict.evidence_digest),
            ("Candidate", verdict.candidate_model),
            ("Baseline", verdict.baseline_model or _no_baseline(run)),
        ),
    )


def _asked(
    parts: ServiceState, run: RunRecord, actor: str | None
) -> tuple[PendingQuestion | None, str]:
    """The question, and what keeps it from being asked."""
    try:
        question = question_of(parts.settings, parts.registry, run)
    except GatewrightError as error:
        return None, str(error)
    moved = run.baseline_generation != parts.registry.generation(run.target)
    aside = run.state == "refused"
    if question is None or (aside and (question.wanted is None or moved)):
        return None, ""
    deadline = (
        moment(question.deadline, parts.registry.now()) if question.deadline is not None else None
    )
    hindrance = _hindrance(parts, question, actor)
    asked = PendingQuestion(
        question=question,
        aside=aside,
        acceptable=question.wanted is not None
        and not moved
        and not is_among(actor or "", question.excluded),
        deadline=deadline,
        hindrance=hindrance,
    )
    return asked, _MOVED if moved else ""


def _hindrance(parts: ServiceState, question: Question, actor: str | None) -> str:
    if actor is None:
        return (
            "Nobody is signed in here, so this page can only show the question. Sign in with the token of the"
            " service, or answer it with `gatewright approve` or `gatewright reject`."
            if parts.config.session_token
            else "Nobody is signed in here, so this page can only show the question."
            " Answer it with `gatewright approve` or `gatewright reject`."
        )
    if question.expired:
        return "The time to answer is over, and expiry is rejection."
    if question.enough:
        return "Enough people have answered; the promotion goes on."
    if parts.registry.held(question.target) is not None:
        return (
            f"{question.target} is on hold. Release it first: gatewright release {question.target}"
        )
    return ""


def _detail(detail: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in detail.items() if value not in ("", None))
