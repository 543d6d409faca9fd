"""What is on record of a target: what is live, how its last regression run ended, tries, hold, drift. Nothing is asked."""

from __future__ import annotations

from datetime import datetime

import msgspec

from evals.gate.policy import GatePolicy
from evals.records import LivePointer
from flows.monitoring.status.records import LiveModel, Tries, Watched
from flows.platforms.model_names import short_name
from flows.registry.decisions import decided_by
from flows.registry.ledger import WINDOW_S
from flows.registry.store import Registry

__all__ = ["last_regression", "live_model", "seconds_since", "tries_so_far"]


def seconds_since(at: str, now: str) -> float:
    """Return how many seconds lie between two moments of the registry; none before the first."""
    return max(0.0, (datetime.fromisoformat(now) - datetime.fromisoformat(at)).total_seconds())


def live_model(registry: Registry, live: LivePointer | None) -> LiveModel | None:
    """Return what is live, since when and on whose word."""
    if live is None:
        return None
    event = registry.event_of(live.target, live.generation)
    return LiveModel(
        model_id=live.model_id,
        name=short_name(live.model_id),
        generation=live.generation,
        since=live.since,
        age_s=seconds_since(live.since, registry.now()),
        deployment=live.deployment,
        platform=live.platform,
        decided_by=decided_by(registry, event).named if event is not None else "",
    )


def last_regression(registry: Registry, live: LivePointer | None) -> Watched | None:
    """Return the last regression run that judged the model that is live now, None where none has."""
    if live is None:
        return None
    now = registry.now()
    for run in registry.regressions_of(live.target, live.model_id):
        verdict, judged = registry.verdict(run.run_id), registry.judged_at(run.run_id)
        if verdict is not None and judged is not None:
            found = Watched(
                run_id=run.run_id,
                outcome=verdict.outcome,
                at=judged[0],
                age_s=seconds_since(judged[0], now),
            )
            return _in_words(registry, found)
    return None


def _in_words(registry: Registry, found: Watched) -> Watched:
    told = registry.regression_outcome(found.run_id)
    if told is None:  # not settled yet, or by a version that knew of no outcomes
        return found
    return msgspec.structs.replace(
        found,
        outcome=told.outcome,
        why=told.why,
        changes=told.changes,
        compared_with=told.compared_with,
        rollback_problem=told.rollback_problem,
    )


def tries_so_far(registry: Registry, target: str, policy: GatePolicy | None) -> Tries | None:
    """Return how many candidates were tried in the window that the gate names, None where none ever was."""
    judged = registry.judged_runs(target)
    if not judged:
        return None
    family = policy.family if policy is not None else None
    window = family.window_s if family is not None else WINDOW_S
    newest = judged[-1].run
    tries = registry.tries_of(target, newest.candidate_model)
    return Tries(
        candidates=registry.candidates_tried(target, window_s=window, now=registry.now()),
        allowed=family.candidates if family is not None else None,
        window_s=window,
        newest=short_name(newest.candidate_model),
        newest_try=len(tries),
    )
