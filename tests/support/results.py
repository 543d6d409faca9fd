"""One model's results made from columns in one line, and gates made of checks in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evals.checks.check import Check
from evals.gate.policy import Approval, GatePolicy, Override
from evals.metrics.results import LabelColumn, ModelResults
from evals.records import digest

__all__ = ["policy_of", "results_of"]


def results_of(
    columns: Mapping[str, Any] | None = None,
    *,
    model: str = "candidate-1",
    suite: str = "triage",
    tags: Mapping[str, Sequence[str]] | None = None,
    clusters: Any = None,
    labels: Mapping[str, LabelColumn] | None = None,
    planned: Any = None,
    **more: Any,
) -> ModelResults:
    """One model's results from its columns: {"exact_match": [1, 0, …]}."""
    arrays = {
        name: np.asarray(values, dtype=np.float64) for name, values in (columns or {}).items()
    }
    size = len(next(iter(arrays.values()))) if arrays else 0
    if labels:
        size = next(iter(labels.values())).truth.shape[0]
    witness = {name: [repr(value) for value in values.tolist()] for name, values in arrays.items()}
    facts: dict[str, Any] = {
        "model_id": model,
        "suite": suite,
        "fingerprint": f"print of {suite}",
        "grader_versions": dict.fromkeys(arrays, "1"),
        "case_ids": tuple(f"c{number:06}" for number in range(size)),
        "planned": np.ones(size, dtype=bool)
        if planned is None
        else np.asarray(planned, dtype=bool),
        "columns": arrays,
        "labels": labels or {},
        "tags": {name: np.asarray(values, dtype=np.str_) for name, values in (tags or {}).items()},
        "clusters": None if clusters is None else np.asarray(clusters, dtype=np.int64),
        "outcomes": {"answered": size},
        "evidence_digest": digest([suite, model, witness]),
    }
    return ModelResults(**(facts | more))


def policy_of(*checks: Check | Mapping[str, Any], **more: Any) -> GatePolicy:
    """A gate of these checks; `more` are its options."""
    made = tuple(
        check if isinstance(check, Check) else Check(field=f"checks[{number}].x", **check)
        for number, check in enumerate(checks)
    )
    facts: dict[str, Any] = {
        "name": "gate",
        "path": "gate.yaml",
        "checks": made,
        "first_release": "absolute_checks",
        "confidence": 0.95,
        "min_scored": 0.99,
        "early_stop": True,
        "futility": True,
        "on_inconclusive": "fail",
        "approval": Approval(),
        "override": Override(),
        "training_overlap": {},
    } | more
    return GatePolicy(digest=digest([repr(made), repr(sorted(more.items()))]), **facts)
