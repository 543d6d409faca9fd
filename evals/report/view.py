"""Facts in, a page's words out: everything a report shows, worded, rounded and ordered once for all its forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from evals.records import NextStep
from evals.report.facts import PromotionStep, RunFacts
from evals.report.numbers import duration, instant, parse
from evals.report.sanitise import cleaned
from evals.report.sections.advice import advice
from evals.report.sections.board import CheckBoard, boards
from evals.report.sections.cost import LabelledValue, sampling
from evals.report.sections.decline import decline
from evals.report.sections.evidence import (
    ConfusionView,
    CoverageRow,
    MetricRow,
    confusions,
    coverage,
    metrics,
)
from evals.report.sections.examples import ExampleGroup, example_groups
from evals.report.sections.field import FieldView, field_view
from evals.report.sections.headline import Headline, headline, model_name
from evals.report.sections.judges import judges
from evals.report.sections.regression import reference_words, role_names
from evals.report.sections.slices import SliceView, paired, slice_leads, slices
from evals.report.sections.tries import edits_lines, tries_lines

__all__ = ["ReportView", "build_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """A report in words. All texts are free of control characters; escaping is the page's.

    `role_names` head the figures of both models, or those of one model today and before.
    """

    title: str
    run_id: str
    target: str
    kind: str
    headline: Headline
    candidate: str
    baseline: str
    role_names: tuple[str, str]
    header: tuple[LabelledValue, ...]
    notes: tuple[str, ...]
    next_steps: tuple[NextStep, ...]
    boards: tuple[CheckBoard, ...]
    field: FieldView | None
    coverage: tuple[CoverageRow, ...]
    metrics: tuple[MetricRow, ...]
    slices: tuple[SliceView, ...]
    slice_leads: tuple[str, ...]
    paired: tuple[str, ...]
    confusions: tuple[ConfusionView, ...]
    judges: tuple[str, ...]
    decline: tuple[str, ...]
    example_groups: tuple[ExampleGroup, ...]
    sampling: tuple[LabelledValue, ...]
    promotion: tuple[PromotionStep, ...]
    provenance: tuple[LabelledValue, ...]


def build_view(facts: RunFacts) -> ReportView:
    """Word the facts of a run. Pure: no clock, no files; the same facts give the same words."""
    examples = example_groups(
        facts
    )  # from the raw texts, to be able to say what was taken out of them
    facts = cleaned(msgspec.structs.replace(facts, examples=()))
    return ReportView(
        title=f"{facts.target}: {model_name(facts, facts.candidate.model_id)}",
        run_id=facts.run_id,
        target=facts.target,
        kind=facts.kind,
        headline=headline(facts),
        candidate=model_name(facts, facts.candidate.model_id),
        baseline=model_name(facts, facts.baseline.model_id if facts.baseline else None),
        role_names=role_names(facts),
        header=tuple(_header(facts)),
        notes=tuple(_notes(facts)),
        next_steps=(*facts.next_steps, *advice(facts)),
        boards=tuple(boards(facts)),
        field=_field(facts),
        coverage=coverage(facts),
        metrics=metrics(facts),
        slices=slices(facts),
        slice_leads=slice_leads(facts),
        paired=paired(facts),
        confusions=confusions(facts),
        judges=tuple(judges(facts)),
        decline=tuple(decline(facts)),
        example_groups=examples,
        sampling=sampling(facts),
        promotion=tuple(_step(step) for step in facts.promotion),
        provenance=tuple(_provenance(facts)),
    )


def _field(facts: RunFacts) -> FieldView | None:
    if facts.selection is None:
        return None
    return field_view(facts.selection, facts.names, facts.candidate.model_id)


def _header(facts: RunFacts) -> Iterator[LabelledValue]:
    regression = facts.kind == "regression"
    name = "model" if regression else "candidate"
    yield LabelledValue(name=name, value=_named(facts, facts.candidate.model_id))
    if regression:
        yield LabelledValue(name="reference", value=reference_words(facts))
    elif facts.baseline is None:
        yield LabelledValue(name="baseline", value="none: nothing was live when this run started")
    else:
        since = (
            f"live since {instant(facts.baseline.since)}, generation {facts.baseline.generation}"
        )
        yield LabelledValue(
            name="baseline", value=f"{_named(facts, facts.baseline.model_id)}, {since}"
        )
    for anchor in _anchors(facts):
        yield LabelledValue(name="anchor", value=_named(facts, anchor))
    if facts.trigger:
        yield LabelledValue(name="trigger", value=facts.trigger)
    if facts.requested_by:
        yield LabelledValue(name="requested by", value=facts.requested_by)
    yield LabelledValue(name="time", value=_time(facts))


def _anchors(facts: RunFacts) -> list[str]:
    """The earlier model that the checks against the anchor compare with; none, or one."""
    checks = facts.verdict.checks if facts.verdict is not None else ()
    return sorted(
        {one.against_model for one in checks if one.against == "anchor" and one.against_model}
    )


def _named(facts: RunFacts, model_id: str) -> str:
    name = model_name(facts, model_id)
    return model_id if name == model_id else f"{name} ({model_id})"


def _time(facts: RunFacts) -> str:
    start, end = parse(facts.started), parse(facts.finished)
    if end is None:
        return f"{instant(facts.started)}, not finished"
    took = f", took {duration((end - start).total_seconds())}" if start is not None else ""
    return f"{instant(facts.started)} to {instant(facts.finished)}{took}"


_LEFT_OUT = (
    "This gate leaves missing answers out (missing: at_random): its promise holds only if they were lost by chance, whatever"
    " they would have said."
)


def _notes(facts: RunFacts) -> Iterator[str]:
    verdicts = [one for one in (facts.verdict, facts.production_verdict) if one is not None]
    first = headline(facts).sentence
    yield from (cause for one in verdicts for cause in one.causes if cause not in first)
    if facts.error:
        yield f"The run broke off: {facts.error}"
    if any(one.missing == "at_random" for one in verdicts):
        yield _LEFT_OUT
    if facts.verdict is not None and facts.verdict.first_release:
        yield "First release: nothing was live to compare with, so checks against a baseline could not be judged."
    if facts.verdict is not None:
        yield from tries_lines(facts.verdict.tries)
    yield from edits_lines(facts.since_run, facts.edits)
    yield from facts.notes


def _step(step: PromotionStep) -> PromotionStep:
    return msgspec.structs.replace(step, at=instant(step.at))


def _provenance(facts: RunFacts) -> Iterator[LabelledValue]:
    yield LabelledValue(name="run", value=facts.run_id, code=True)
    candidate = facts.candidate
    origin = {
        "candidate model": candidate.model_id,
        "base model": candidate.base_model,
        "fine-tuning job": candidate.job_id,
        "checkpoint": candidate.checkpoint,
        "training file": candidate.training_file,
        "training digest": candidate.training_digest,
        "baseline model": facts.baseline.model_id if facts.baseline else None,
        "baseline answers": facts.verdict.against if facts.verdict is not None else None,
        "gate": facts.gate_path,
    }
    yield from (
        LabelledValue(name=name, value=value, code=True) for name, value in origin.items() if value
    )
    verdicts = {"": facts.verdict, " (production)": facts.production_verdict}
    for suffix, verdict in verdicts.items():
        if verdict is not None:
            yield LabelledValue(
                name=f"policy digest{suffix}", value=verdict.policy_digest, code=True
            )
            yield LabelledValue(
                name=f"evidence digest{suffix}", value=verdict.evidence_digest, code=True
            )
    yield from _suites(facts)


def _suites(facts: RunFacts) -> Iterator[LabelledValue]:
    seen: set[tuple[str, str]] = set()
    for result in facts.suite_results:
        if (result.suite, result.suite_fingerprint) in seen:
            continue
        seen.add((result.suite, result.suite_fingerprint))
        yield LabelledValue(name=f"suite {result.suite}", value=result.suite_fingerprint, code=True)
        graders = ", ".join(
            f"{name} {version}" for name, version in sorted(result.grader_versions.items())
        )
        if graders:
            yield LabelledValue(name=f"graders of {result.suite}", value=graders, code=True)
