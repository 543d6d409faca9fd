"""Looking early: judge a run after each round, stop asking when nothing that is still open needs more answers.

A look is stored in the run's folder before it counts; a run that is taken up again makes the same looks.
"""

from __future__ import annotations

import logging

from evals.errors import RefusedError
from evals.evaluation import rejudge
from evals.evaluation.rejudge import Models, Results
from evals.gate.examiner import Evidence
from evals.gate.judge import take_look
from evals.gate.look_store import LookStore
from evals.gate.looks import LookHistory
from evals.records import Role
from flows.evaluation.kept.pinned import kept_evidence
from flows.evaluation.open_run import OpenRun, open_run
from flows.evaluation.tries.judged_by import keep_judged_by
from flows.settings import Settings

__all__ = [
    "Results",
    "due_look",
    "evidence_at",
    "fair_part",
    "judge_look",
    "models_of",
    "require_looks_kept",
    "require_same_gate",
    "results_at",
]

_log = logging.getLogger(__name__)


def judge_look(settings: Settings, run_id: str, look: int) -> bool:
    """Judge a run after a round, store the look, and say whether to stop asking.

    A look that was made before is not made again. Returns True when the run is decided or everything has been asked.

    Raises:
        ConfigurationError: the gate was changed since the first look.
        RefusedError: the run's folder lost the look that is on record, and holds other answers.
    """
    with open_run(settings, run_id) as run:
        if run.evaluation.rounds == 1:
            return True
        book = require_same_gate(run)
        made = book.event(look)
        if made is None:
            past = tuple(event for event in book.events() if event.look < look)
            looks = LookHistory(look=look, rounds=run.evaluation.rounds, past=past)
            made = take_look(run.policy, evidence_at(run, results_at(run, look)), looks)
            require_looks_kept(run, made.evidence_digest)
            # On record before the look can be read, so that a run killed in between counts.
            keep_judged_by(run)
            run.registry.note_first_look(run_id, look, made.evidence_digest)
            run.registry.supersede(run_id)
            book.append(made)
            for one in made.checks:
                state = "decided" if one.decided else "open"
                _log.info("look %d, %s, n %d: %s", look, state, one.n, one.result.reason)
            _log.info("look %d: %s", look, made.why or "goes on asking")
        return made.stop


def require_looks_kept(run: OpenRun, evidence_digest: str) -> None:
    """Raise RefusedError where the look on record is not in the run's folder, and these are not the answers it was made on."""
    # Answers that were looked at and are gone would be drawn anew, and that is another try.
    noted = run.registry.noted_look(run.record.run_id)
    if noted is None or LookStore(run.folder).event(noted.look) is not None:
        return
    # Killed between the record and the store, a run makes the same look on the same answers.
    if noted.evidence_digest != evidence_digest:
        raise RefusedError(
            f"the folder of {run.record.run_id} lost the look it made: put it back ({run.folder}),"
            " or start a new run with --again"
        )


def require_same_gate(run: OpenRun) -> LookStore:
    """Return a run's looks. Raises ConfigurationError when the gate is not the one they were made by."""
    book = LookStore(run.folder)
    book.require_same(run.policy)
    return book


def due_look(run: OpenRun) -> tuple[int, LookHistory | None]:
    """The look at which a run's verdict is due, and the looks before it; no looks for a sample of fixed size."""
    return rejudge.due_look(run.evaluation)


def models_of(run: OpenRun) -> Models:
    """Each model that a run asks, with its price."""
    models: dict[Role, str] = {"candidate": run.record.candidate_model}
    if run.asks_baseline:
        models["baseline"] = run.record.baseline_model or ""
    return {role: (model, run.price(role)) for role, model in models.items()}


def results_at(run: OpenRun, look: int, *, fair: bool = False) -> Results:
    """What both models answered up to a look; with `fair` only as far as it is a fair sample of the suites."""
    return run.evaluation.results(look, models_of(run), fair_to={} if fair else None)


def fair_part(run: OpenRun, look: int, results: Results) -> Results:
    """The part of these results that is a fair sample of the suites: all of them, unless some slices were asked alone."""
    whole = all(
        run.evaluation.fair_look(opened, look, role, {}) == look
        for opened in run.plan.suites
        for role in results
    )
    return results if whole else results_at(run, look, fair=True)


def evidence_at(run: OpenRun, results: Results) -> Evidence:
    """The same as evidence for the gate, with the kept answers of earlier models."""
    return rejudge.stored_evidence(
        results, release=run.record.kind == "promotion", kept=kept_evidence(run)
    )
