"""Why the answers of what is live may not become the measure of itself without somebody's word.

Regression runs hold the live model against its own recorded answers. Taken anew after it got worse, these would make the
worse model the reference, and every later run steady.
"""

from __future__ import annotations

from evals.records import LivePointer
from evals.report.numbers import instant
from evals.report.sanitise import one_line
from flows.platforms.model_names import short_name
from flows.registry.provenance import origin
from flows.registry.references import TakenAnew
from flows.registry.store import Registry

__all__ = ["objection", "taken_anew_sentence"]


def objection(registry: Registry, live: LivePointer) -> str:
    """Return what speaks against taking the answers of what is live as its reference, "" for nothing.

    That is its revocation, or a regression run that found it worse since its reference was taken, or else since it went
    live.
    """
    barred = registry.barred(live.target, live.model_id)
    if barred is not None:
        return f"{short_name(live.model_id)} was {barred}"
    root = origin(registry, live)
    kept = registry.reference(live.target, root.generation)
    since = kept.since if kept is not None else root.since
    for run in registry.regressions_of(live.target, live.model_id):
        judged = registry.judged_at(run.run_id)
        if judged is not None and judged[0] > since and _found_worse(registry, run.run_id):
            return f"regression run {run.run_id} found it worse on {instant(judged[0])}"
    return ""


def _found_worse(registry: Registry, run_id: str) -> bool:
    """What a run came to; of one that is not settled, or from before outcomes, what its verdict says."""
    outcome, verdict = registry.regression_outcome(run_id), registry.verdict(run_id)
    if outcome is not None:
        return outcome.outcome == "worse"
    return verdict is not None and verdict.outcome == "FAIL"


def taken_anew_sentence(taken: TakenAnew) -> str:
    """Return it in one sentence without its stop."""
    return (
        f"The reference was taken anew by {one_line(taken.actor, 80)} on {instant(taken.at)} although"
        f" {one_line(taken.despite, 200)}: {one_line(taken.reason, 200)}"
    )
