"""The earlier live models that a run is held against: chosen once, written down in its folder, read at every look.

An anchor that could change from look to look would be none. So the choice is pinned before the first look, and whoever
judges the run again takes the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from evals.errors import ConfigurationError
from evals.evaluation.kept_answers import KeptAnswers, KeptAnswersError, deployment_marks
from evals.evaluation.kept_results import (
    AskedSuite,
    KeptEvidence,
    deployments_changed,
    grade_kept,
    kept_results,
    why_incomparable,
)
from evals.gate.earlier_models import Kept, best_of, why_not_comparable
from evals.gate.policy import GatePolicy
from evals.records import Record
from evals.sampling.journal.journal import Journal
from flows.evaluation.keep import asked_today, keep_forgotten, open_reference, own_names
from flows.evaluation.open_run import OpenRun
from flows.files import read_record, write_record
from flows.platforms.model_names import short_name
from flows.registry.kept_answers import KeptReference
from flows.registry.provenance import origin

__all__ = ["EarlierModels", "kept_evidence", "pin_earlier_models", "pinned", "results_of"]

_log = logging.getLogger(__name__)

_FILE = "earlier_models.json"


class EarlierModels(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Whose kept answers a run is held against.

    `anchor` is the model that `anchor_named` of the gate came to, `anchor_problem` why it came to none. `baseline` is the
    live model itself, as it answered when it was promoted. `best` and `oldest` are those that reports show.
    """

    anchor_named: str = ""
    anchor: KeptReference | None = None
    anchor_problem: str = ""
    baseline: KeptReference | None = None
    best: KeptReference | None = None
    oldest: KeptReference | None = None


@dataclass(frozen=True, slots=True)
class _Earlier:
    """One earlier model: its kept answers on today's rows, or why they can't be compared."""

    reference: KeptReference
    results: Kept | None
    problem: str = ""


async def pin_earlier_models(run: OpenRun) -> EarlierModels:
    """Choose the earlier models of a run and have their answers graded by today's graders; what was chosen stays.

    Called while the run's judges may be asked: what is missing of their scores is made here, once for all runs.
    """
    found = pinned(run)
    if found is not None:
        chosen = (found.anchor, found.baseline, found.best, found.oldest)
        for reference in {one for one in chosen if one is not None}:
            await _looked_at(run, reference)
        return found
    _keep_forgotten(run)
    references = run.registry.kept_answers(run.target.name)
    earlier = [await _looked_at(run, reference) for reference in references]
    found = _chosen(run, run.policy, earlier)
    run.folder.mkdir(parents=True, exist_ok=True)
    write_record(run.folder / _FILE, found)
    return found


def pinned(run: OpenRun) -> EarlierModels | None:
    """Return what was chosen for a run, None when nothing was yet, or by a version that knew of none."""
    return read_record(run.folder / _FILE, EarlierModels)


def results_of(run: OpenRun, reference: KeptReference) -> Kept | None:
    """Lay an earlier model's kept answers out on today's rows; None where they were asked for in another way.

    Raises KeptAnswersError when they are missing or damaged.
    """
    kept = open_reference(run.settings, reference)
    return _on_todays_rows(kept, reference, asked_today(run, "candidate")).results


def kept_evidence(run: OpenRun, policy: GatePolicy | None = None) -> KeptEvidence:
    """Return the kept answers that take part in judging a run by its gate, or by another policy."""
    if run.record.kind == "regression":  # it looks at what is live alone
        return KeptEvidence()
    gate, found = policy or run.policy, pinned(run) or EarlierModels()
    named = gate.anchor.model if gate.anchor is not None else ""
    anchor, problem = found.anchor, found.anchor_problem
    if named and named != found.anchor_named:
        anchor, problem = _anchor_of_another_gate(run, gate)
    kept, problem = _laid_out(run, anchor if named else None, problem if named else "")
    own, own_problem, changed = _baseline(run, found.baseline)
    return KeptEvidence(
        anchor=kept,
        anchor_problem=problem,
        baseline=own,
        baseline_problem=own_problem,
        baseline_changed=changed,
    )


def _keep_forgotten(run: OpenRun) -> None:
    try:
        keep_forgotten(run.settings, run)
    except (OSError, ConfigurationError) as error:
        _log.warning("answers of earlier models could not be kept: %s", error)


async def _looked_at(run: OpenRun, reference: KeptReference) -> _Earlier:
    asked = asked_today(run, "candidate")
    try:
        kept = open_reference(run.settings, reference)
        await grade_kept(kept, asked)
        return _on_todays_rows(kept, reference, asked)
    except KeptAnswersError as error:
        return _Earlier(reference, None, str(error))


def _on_todays_rows(
    kept: KeptAnswers, reference: KeptReference, asked: Sequence[AskedSuite]
) -> _Earlier:
    for one in asked:
        suite = kept.record.suite(one.opened.suite.name)
        why = why_incomparable(suite, one) if suite is not None else None
        if why is not None:
            return _Earlier(reference, None, f"{reference.model_id}: {why}")
    return _Earlier(reference, kept_results(kept, asked))


def _chosen(run: OpenRun, policy: GatePolicy, earlier: Sequence[_Earlier]) -> EarlierModels:
    anchor, problem = _anchor(run, policy, earlier)
    usable = [one for one in earlier if not _why_not(policy, one)]
    best = usable[best_of(policy, _results(usable))] if usable else None
    return EarlierModels(
        anchor_named=policy.anchor.model if policy.anchor is not None else "",
        anchor=anchor,
        anchor_problem=problem,
        baseline=_of_baseline(run, earlier),
        best=best.reference if best else None,
        oldest=usable[0].reference if usable else None,
    )


def _anchor(
    run: OpenRun, policy: GatePolicy, earlier: Sequence[_Earlier]
) -> tuple[KeptReference | None, str]:
    """The model that the gate's anchor names, or why there is none; neither where nothing was ever live."""
    if policy.anchor is None or run.registry.generation(run.target.name) == 0:
        return None, ""
    named = policy.anchor.model
    if named in ("best", "first"):
        usable = [one for one in earlier if not _why_not(policy, one)]
        if usable:
            place = best_of(policy, _results(usable)) if named == "best" else 0
            return usable[place].reference, ""
        if not earlier:
            return None, "no answers of an earlier live model are kept"
        return (
            None,
            f"none of the {len(earlier)} earlier live models can be: {_why_not(policy, earlier[-1])}",
        )
    return _named(run, policy, earlier, named)


def _named(
    run: OpenRun, policy: GatePolicy, earlier: Sequence[_Earlier], named: str
) -> tuple[KeptReference | None, str]:
    """The anchor that is a generation or a model id."""
    if named.isdecimal():
        pointer = run.registry.pointer_at(run.target.name, int(named))
        if pointer is None:
            return None, f"nothing was live as generation {named}"
        generation = origin(run.registry, pointer).generation
        found = [one for one in earlier if one.reference.generation == generation]
        named = f"generation {named}"
    else:
        names = (named, short_name(named))
        found = [
            one
            for one in earlier
            if one.reference.model_id in names or short_name(one.reference.model_id) in names
        ]
    if not found:
        return None, f"no answers of {named} are kept"
    one = found[-1]
    # What it lacks in cases is said check by check; here only what rules it out altogether.
    return (None, one.problem) if one.problem else (one.reference, "")


def _why_not(policy: GatePolicy, one: _Earlier) -> str:
    if one.results is None:
        return one.problem
    return why_not_comparable(policy, one.results) or ""


def _results(earlier: Sequence[_Earlier]) -> list[Kept]:
    return [one.results for one in earlier if one.results is not None]


def _of_baseline(run: OpenRun, earlier: Sequence[_Earlier]) -> KeptReference | None:
    """What is kept of the live model that the run compares with, from when it was first promoted as this generation."""
    if run.record.baseline_model is None:
        return None
    pointer = run.registry.pointer_at(run.target.name, run.record.baseline_generation)
    if pointer is None:
        return None
    generation = origin(run.registry, pointer).generation
    return next((one.reference for one in earlier if one.reference.generation == generation), None)


def _anchor_of_another_gate(run: OpenRun, policy: GatePolicy) -> tuple[KeptReference | None, str]:
    """The anchor of a policy that the run was not asked for, by the scores that there are."""
    asked, earlier = asked_today(run, "candidate"), []
    for reference in run.registry.kept_answers(run.target.name):
        try:
            kept = open_reference(run.settings, reference)
            earlier.append(_on_todays_rows(kept, reference, asked))
        except KeptAnswersError as error:
            earlier.append(_Earlier(reference, None, str(error)))
    return _anchor(run, policy, earlier)


def _laid_out(
    run: OpenRun, reference: KeptReference | None, problem: str
) -> tuple[Kept | None, str]:
    if reference is None:
        return None, problem
    try:
        kept = open_reference(run.settings, reference)
        found = _on_todays_rows(kept, reference, asked_today(run, "candidate"))
    except KeptAnswersError as error:
        return None, str(error)
    return found.results, found.problem


def _baseline(run: OpenRun, reference: KeptReference | None) -> tuple[Kept | None, str, str]:
    """The live model's kept answers, why they can't be read, and what tells that its deployment is another one."""
    if reference is None or run.record.baseline_model is None:
        return None, "", ""
    try:
        kept = open_reference(run.settings, reference)
        found = _on_todays_rows(kept, reference, asked_today(run, "baseline"))
    except KeptAnswersError as error:
        return None, str(error), ""
    if (
        found.results is None
    ):  # asked in another way by now: nothing can be told, and the comparison stands
        return None, "", ""
    return found.results, "", _changed(run, kept)


def _changed(run: OpenRun, kept: KeptAnswers) -> str:
    pointer = run.registry.find(run.target.name, run.record.baseline_model or "")
    names = own_names(run, pointer) if pointer is not None else frozenset()
    now: set[str] = set()
    with Journal.open(run.folder / "journal", read_only=True) as journal:
        for opened in run.plan.suites:
            for entry in journal.entries("baseline", opened.suite.name):
                now.update(deployment_marks(entry, names))
    then = [mark for one in kept.record.suites for mark in one.deployments]
    return deployments_changed(then, sorted(now))
