"""Keeps a model's answers for good when it becomes live, from those of its own promotion run.

They lie below the home, in `kept/<target>/`, apart from run folders and the cache of answers, and nothing prunes them. The
registry points to them: the mark of the promotion's step `kept` holds their digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evals.errors import ConfigurationError, Problem
from evals.evaluation.evaluation import settings_for
from evals.evaluation.kept_answers import AnswersToKeep, KeptAnswers, keep_answers, open_kept
from evals.evaluation.kept_results import AskedSuite, asked_with, kept_scores
from evals.evaluation.rejudge import due_look
from evals.evaluation.score_store import ScoreStore
from evals.records import LivePointer, Role
from evals.sampling.journal.journal import Journal
from evals.suites.opened import OpenedSuite
from flows.config.target import Target
from flows.deployments.identity import slot_name
from flows.evaluation.open_run import OpenRun, TargetPlan, open_run, sampling_settings
from flows.registry.kept_answers import KEPT, KeptReference
from flows.settings import Settings

__all__ = [
    "asked_by",
    "asked_today",
    "how_asked",
    "keep_candidate",
    "keep_forgotten",
    "kept_place",
    "names_of",
    "open_reference",
    "own_names",
]


def keep_candidate(run: OpenRun) -> dict[str, Any]:
    """Keep the candidate's answers of a run that made it live; return what the registry's mark is to hold.

    Only what is a fair sample of a suite is kept. Safe to do again: the same answers are found, not written twice.

    Raises:
        ConfigurationError: every suite was changed since its answers were given.
        OSError: nothing can be written.
    """
    pointer = run.registry.pointers_of(run.record.run_id)[0]
    suites = [opened for opened in run.plan.suites if _as_asked(run, opened)]
    if not suites:
        message = "its suites were changed since their answers were given"
        raise ConfigurationError(Problem(where=run.record.run_id, message=message))
    origin = {
        "target": run.target.name,
        "model_id": run.record.candidate_model,
        "run_id": run.record.run_id,
        "kept_at": pointer.since,
        "price": run.price("candidate"),
    }
    with Journal.open(run.folder / "journal", read_only=True) as journal:
        parts = _parts(run, suites, journal, own_names(run, pointer))
        kept, digest = keep_answers(kept_place(run.settings, run.target.name), origin, parts)
    for opened in suites:
        _hand_over_scores(run, kept, opened)
    answers = sum(one.answers for one in kept.record.suites)
    return {"digest": digest, "answers": answers, "suites": [one.suite.name for one in suites]}


def keep_forgotten(settings: Settings, run: OpenRun) -> None:
    """Keep what is not kept yet of models that were promoted before, where the folder of their run still has it."""
    for run_id in run.registry.unkept_runs(run.target.name):
        if not (settings.run_folder(run_id) / "journal").is_dir():
            continue
        with open_run(settings, run_id) as earlier:
            if not any(_as_asked(earlier, opened) for opened in earlier.plan.suites):
                continue
            mark = keep_candidate(earlier)
            earlier.registry.record_step(run_id, KEPT, "done", mark)


def kept_place(settings: Settings, target: str) -> Path:
    """Return the folder below which a target's kept answers lie, one folder each."""
    return settings.home / "kept" / target


def open_reference(settings: Settings, found: KeptReference) -> KeptAnswers:
    """Open the answers that the registry points to. Raises KeptAnswersError when they are missing or damaged."""
    return open_kept(kept_place(settings, found.target), found.digest)


def asked_today(run: OpenRun, role: Role) -> list[AskedSuite]:
    """Return how the suites of a run are asked of a role."""
    repeats = {one.suite.name: run.evaluation.repeats_of(one) for one in run.plan.suites}
    return asked_by(run.plan, role, repeats)


def asked_by(plan: TargetPlan, role: Role, repeats: Mapping[str, int]) -> list[AskedSuite]:
    """Return how the suites of a target are asked of a role, each case so often (by suite)."""
    return [
        AskedSuite(
            opened=opened,
            asked_with=how_asked(plan.target, opened, role),
            repeats=repeats[opened.suite.name],
        )
        for opened in plan.suites
    ]


def how_asked(target: Target, opened: OpenedSuite, role: Role) -> dict[str, Any]:
    """Return what of a role's requests to a suite has a say in the answers; see `evals.evaluation.kept_results`."""
    return asked_with(
        settings_for(opened, sampling_settings(target, role)),
        system_prompt=target.sampling.get(role, {}).get("system_prompt"),
        api=target.sampling.get("api", "chat"),
    )


def own_names(run: OpenRun, pointer: LivePointer) -> frozenset[str]:
    """Return the names under which a live model was or is asked: where a service only echoes them, it says nothing."""
    return names_of(pointer) | {slot_name(run.record)}


def names_of(pointer: LivePointer) -> frozenset[str]:
    """Return the names under which a live model is asked at its production deployment."""
    names = (pointer.model_id, pointer.deployment, pointer.endpoint.model)
    return frozenset(name for name in names if name)


def _parts(
    run: OpenRun, suites: list[OpenedSuite], journal: Journal, names: frozenset[str]
) -> Iterator[AnswersToKeep]:
    look, _ = due_look(run.evaluation)
    asked = {one.opened.suite.name: one for one in asked_today(run, "candidate")}
    for opened in suites:
        name = opened.suite.name
        yield AnswersToKeep(
            opened=opened,
            entries=journal.entries("candidate", name),
            rows=run.evaluation.asked(opened, look, "candidate", {}),
            repeats=asked[name].repeats,
            asked_with=dict(asked[name].asked_with),
            own_names=names,
        )


def _as_asked(run: OpenRun, opened: OpenedSuite) -> bool:
    """Whether a suite is the one that was asked: else what its cases were then can't be told any more."""
    return run.record.fingerprints.get(opened.suite.name) == opened.fingerprint


def _hand_over_scores(run: OpenRun, kept: KeptAnswers, opened: OpenedSuite) -> None:
    """Give kept answers the scores that they have already, so that no judge is paid twice for one answer."""
    book = kept_scores(kept, opened)
    if not book.path.exists():
        for found in ScoreStore(run.folder, "candidate", opened).by_answer():
            book.add(found)
        book.save()
