"""Gathers what is known of a run into report facts, and writes the report whatever the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from evals.metrics.results import ModelResults
from evals.records import LivePointer, Role
from evals.report.facts import (
    Consent,
    PromotionStep,
    RunFacts,
    RunState,
)
from evals.report.sections.regression import regression_notes
from evals.report.write import write_report
from flows.config.sealing import UNSEALED
from flows.deployments.pausing import PAUSING
from flows.evaluation.human_labels import judge_facts
from flows.evaluation.kept.pinned import EarlierModels, pinned
from flows.evaluation.kept.recorded import recorded_in
from flows.evaluation.looks import due_look, results_at
from flows.evaluation.open_run import OpenRun
from flows.evaluation.training_overlap import LEAKS, UNKNOWN
from flows.evaluation.tries.as_judged import open_as_judged
from flows.files import read_record
from flows.monitoring.regression_evidence import evidence_sentence
from flows.platforms.base import Finding
from flows.platforms.model_names import short_name
from flows.registry.decisions import consents
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.reporting.decline import declines
from flows.reporting.examples import examples_of
from flows.reporting.next_steps import live_now, next_steps, passed
from flows.reporting.regression import recorded_answers, regression_facts, with_recorded
from flows.reporting.retries import retry_notes, retry_steps
from flows.reporting.sampling_facts import confusions, sampling_figures, traces
from flows.reporting.slices import pairs_of, slices_of
from flows.selection.facts import selection_facts
from flows.settings import Settings

__all__ = ["gather", "report_run"]

_STATES: dict[str, RunState] = {
    "promoted": "promoted",
    "refused": "refused",
    "waiting": "waiting",
    "inconclusive": "inconclusive",
    "superseded": "superseded",
    "failed": "failed",
}


def report_run(settings: Settings, run_id: str, *, error: str | None = None) -> Path:
    """Write the report of a run and note where it is. Returns the path of the HTML file.

    Where suites are sealed, a second one with their cases goes into a folder of its own. In a home that can only be read
    both go into a new temporary folder, and nothing is noted.
    """
    with open_as_judged(settings, run_id) as run:
        read_only = run.registry.database.read_only
        folder = Path(mkdtemp(prefix=f"{run_id}-")) if read_only else run.folder
        if any(opened.suite.sealed for opened in run.plan.suites):
            write_report(gather(run, error=error, unsealed=True), folder / UNSEALED)
        page = write_report(gather(run, error=error), folder)[0]
        if not read_only:
            run.registry.note_run(run_id, actor="gatewright", report=str(page))
        return page


def gather(run: OpenRun, *, error: str | None = None, unsealed: bool = False) -> RunFacts:
    """Collect the facts of a run from the registry, its journals and its scores.

    Single cases of sealed suites are left out, unless it is for somebody who may see them.
    """
    record, results = run.record, _results(run)
    recorded = recorded_answers(run) if record.kind == "regression" else None
    assert record.candidate is not None
    live = run.registry.live(record.target)
    baseline, ended = _baseline(run.registry, record), _ended(run.registry, record)
    after = run.registry.live_at(record.target, ended or run.registry.now())
    return RunFacts(
        run_id=record.run_id,
        target=record.target,
        kind=record.kind,
        candidate=record.candidate,
        started=record.created_at,
        finished=ended,
        trigger=", ".join(f"{key} {value}" for key, value in sorted(record.trigger.items())),
        requested_by=record.requested_by,
        state=_STATES.get(record.state),
        baseline=baseline,
        after=after,
        moved=_moved(run.registry, record, baseline, after),
        verdict=run.registry.verdict(record.run_id),
        production_verdict=run.registry.verdict(record.run_id, "production"),
        suite_results=tuple(run.registry.suite_results(record.run_id)),
        traces=tuple(traces(run)),
        examples=tuple(
            example
            for opened in run.plan.suites
            if unsealed or not opened.suite.sealed
            for example in examples_of(run, opened, recorded)
        ),
        slices=tuple(
            row for opened in run.plan.suites for row in slices_of(run.policy, opened, results)
        ),
        paired=tuple(
            row for opened in run.plan.suites for row in pairs_of(run.policy, opened, results)
        ),
        confusions=tuple(confusions(run, results)),
        judges=tuple(judge_facts(run)),
        declines=tuple(declines(run, results)),
        sampling=sampling_figures(run),
        promotion=tuple(
            PromotionStep(step=step.step, state=step.phase, at=step.at, detail=_words(step.detail))
            for step in run.registry.steps(record.run_id)
        ),
        consents=tuple(
            Consent(decision=one.decision, actor=one.actor, reason=one.reason)
            for one in consents(run.registry, record.run_id)
            if one.decision != "reject"
        ),
        names=_names(run, after.model_id if after is not None else ""),
        live_now=live_now(run.registry, live),
        gate_path=run.policy.path,
        regression=regression_facts(run),
        selection=selection_facts(run.registry, record.selection),
        notes=_notes(run, unsealed=unsealed),
        next_steps=(*retry_steps(run), *next_steps(run, live)),
        since_run=record.since_run,
        edits=record.edits,
        error=error or _failure(run.registry, record),
    )


def _baseline(registry: Registry, record: RunRecord) -> LivePointer | None:
    """What was live when the run began: at that generation, whether the model was live before or came back since."""
    if not record.baseline_model:
        return None
    pinned_at = registry.pointer_at(record.target, record.baseline_generation)
    if pinned_at is not None and pinned_at.model_id == record.baseline_model:
        return pinned_at
    return registry.find(record.target, record.baseline_model)


def _ended(registry: Registry, record: RunRecord) -> str | None:
    """When the run entered its present state; None while a process or a person has something to do for it."""
    if record.under_way or record.state == "waiting":
        return None
    return registry.came_to_state_at(record.run_id) or record.updated_at


def _moved(
    registry: Registry, record: RunRecord, baseline: LivePointer | None, after: LivePointer | None
) -> bool:
    """Whether what is live by the run's end is another model than when it began, and not by this run."""
    before = baseline or registry.live_at(record.target, record.created_at)
    if after is None or after.run_id == record.run_id:
        return False
    return before is None or before.model_id != after.model_id


def _failure(registry: Registry, record: RunRecord) -> str | None:
    """Why a promotion failed on its way to production, or was refused though it passed; its verdict alone would not tell."""
    refused = record.state == "refused" and passed(registry, record)
    if record.kind != "promotion" or not (record.state == "failed" or refused):
        return None
    return record.detail or None


def _results(run: OpenRun) -> Mapping[Role, Mapping[str, ModelResults]]:
    """What both models answered, as far as it is a fair sample of the suites."""
    results = results_at(run, due_look(run)[0], fair=True)
    return with_recorded(run, results)


def _notes(run: OpenRun, *, unsealed: bool) -> tuple[str, ...]:
    """What the preflight found that throws a light on the figures."""
    found = read_record(run.folder / "preflight.json", list[Finding]) or []
    overlaps = tuple(item.message for item in found if item.name == LEAKS and item.level == "warn")
    over_time = evidence_sentence(run)
    told = (*overlaps, over_time) if over_time else overlaps
    unknown = tuple(item.message for item in found if item.name == UNKNOWN)
    running = tuple(
        f"{one.name}: {one.message}" + (f"; {one.fix}" if one.fix else "")
        for one in found
        if one.name == PAUSING and one.level == "warn"
    )
    sealed = tuple(
        f"{opened.suite.name} is sealed: its cases and what was answered to each are not shown here"
        for opened in run.plan.suites
        if opened.suite.sealed and not unsealed
    )
    regression = regression_facts(run)
    noted = regression_notes(regression) if regression is not None else ()
    return (
        *_superseded(run.record),
        *noted,
        *_frozen(run),
        *told,
        *retry_notes(run),
        *sealed,
        *unknown,
        *running,
    )


def _frozen(run: OpenRun) -> tuple[str, ...]:
    """Whose frozen answers stood for the baseline, and why."""
    found = recorded_in(run.folder)
    told = found is not None and found.source == "frozen"
    return (found.note,) if found is not None and told else ()


def _superseded(record: RunRecord) -> tuple[str, ...]:
    if record.state != "superseded":
        return ()
    return (f"This run was {record.detail}; it can't be approved any more.",)


def _names(run: OpenRun, *more: str) -> dict[str, str]:
    """Short names of the models: their suffix, where the id carries one."""
    field = run.registry.field(run.record.selection) if run.record.selection else None
    found = pinned(run) or EarlierModels()
    earlier = [one.model_id for one in (found.anchor, found.best, found.oldest) if one is not None]
    models = [run.record.candidate_model, run.record.baseline_model or "", *earlier, *more]
    models += [one.model_id for one in field.candidates] if field is not None else []
    return {model: short for model in models if model and (short := short_name(model)) != model}


def _words(detail: Mapping[str, object]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in detail.items() if value not in (None, ""))
