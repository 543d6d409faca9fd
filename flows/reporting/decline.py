"""What a report shows of earlier live models: the distance of the candidate from the best and from the oldest of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evals.checks.check import Check
from evals.checks.measurement import Measurement
from evals.gate.earlier_models import distance
from evals.metrics.results import ModelResults
from evals.records import Role
from evals.report.facts import DeclineRow
from flows.evaluation.kept.earlier_models import earlier_model
from flows.evaluation.kept.pinned import pinned
from flows.evaluation.open_run import OpenRun
from flows.registry.kept_answers import KeptReference

__all__ = ["declines"]


def declines(
    run: OpenRun, results: Mapping[Role, Mapping[str, ModelResults]]
) -> Iterator[DeclineRow]:
    """Yield a row for each of the gate's comparisons with the best and with the oldest live model that can be compared."""
    for standing, reference in _shown(run).items():
        kept = earlier_model(run, reference)
        if kept.results is None:
            yield _row(standing, reference, "every metric", note=kept.problem)
            continue
        for check, found in distance(run.policy, results["candidate"], kept.results):
            yield _measured(standing, reference, check, found)


def _shown(run: OpenRun) -> dict[str, KeptReference]:
    found = pinned(run)
    if found is None or found.best is None or found.oldest is None:
        return {}
    if found.best == found.oldest:
        return {"the best and the oldest so far": found.best}
    return {"the best so far": found.best, "the oldest that can be compared": found.oldest}


def _measured(
    standing: str, reference: KeptReference, check: Check, found: Measurement | None
) -> DeclineRow:
    if found is None:
        return _row(standing, reference, check.metric, note="nothing could be compared")
    return _row(
        standing,
        reference,
        check.metric,
        n=found.n,
        candidate=found.candidate,
        kept=found.baseline,
        estimate=found.estimate,
        lower=found.lower,
        upper=found.upper,
        confidence=found.confidence,
        ratio=found.ratio,
        note=found.blocked or "",
    )


def _row(standing: str, reference: KeptReference, metric: str, **numbers: Any) -> DeclineRow:
    fields: dict[str, Any] = {
        "standing": standing,
        "model_id": reference.model_id,
        "generation": reference.generation,
        "since": reference.since,
        "metric": metric,
    }
    return DeclineRow(**(fields | numbers))
