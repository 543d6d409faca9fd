"""Which earlier model the anchor of a gate names, or why it names none that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from evals.gate.anchor import HOW_TO_SET_ANOTHER
from evals.gate.earlier_models import best_of
from evals.gate.policy import GatePolicy
from flows.evaluation.kept.earlier_models import EarlierModel, earlier_models
from flows.evaluation.open_run import OpenRun
from flows.platforms.base import Finding
from flows.platforms.model_names import short_name
from flows.registry.kept_answers import KeptReference
from flows.registry.provenance import origin

__all__ = ["anchor_findings", "anchor_of", "best_model", "kept_as"]


def anchor_of(
    run: OpenRun, policy: GatePolicy, earlier: Sequence[EarlierModel]
) -> tuple[KeptReference | None, str]:
    """Return the model that a gate's anchor names, or why there is none; neither where nothing was ever live.

    What a generation or a model that is named outright lacks in cases is not said here, but check by check.
    """
    if policy.anchor is None or run.registry.generation(run.target.name) == 0:
        return None, ""
    named = policy.anchor.model
    if named not in ("best", "first"):
        return _named(run, earlier, named)
    usable = [one for one in earlier if not one.why_not(policy)]
    # A model whose kept answers are gone may be the one that is meant: another one in its place would be worse unseen.
    older = earlier[: earlier.index(usable[0])] if usable and named == "first" else earlier
    gone = next((one.problem for one in older if one.unreadable), "")
    if gone:
        return None, gone
    if usable:
        return (best_model(policy, usable) if named == "best" else usable[0]).reference, ""
    if not earlier:
        return None, "no answers of an earlier live model are kept"
    why = earlier[-1].why_not(policy)
    return None, f"none of the {len(earlier)} earlier live models can be: {why}"


def best_model(policy: GatePolicy, usable: Sequence[EarlierModel]) -> EarlierModel:
    """Return the best of some models that can be compared, at least one; see `evals.gate.earlier_models.best_of`."""
    return usable[best_of(policy, [one.results or {} for one in usable])]


def kept_as(run: OpenRun, earlier: Sequence[EarlierModel], generation: int) -> EarlierModel | None:
    """Return the model that was live as a generation, by what its own promotion kept; None when nothing was."""
    pointer = run.registry.pointer_at(run.target.name, generation)
    if pointer is None:
        return None
    first = origin(run.registry, pointer).generation
    return next((one for one in earlier if one.reference.generation == first), None)


def anchor_findings(run: OpenRun) -> tuple[Finding, ...]:
    """Say before money is spent whether the gate's anchor can be compared; nothing for a gate without one."""
    if run.policy.anchor is None or run.record.kind == "regression":
        return ()
    earlier = earlier_models(run)
    reference, problem = anchor_of(run, run.policy, earlier)
    if reference is not None:
        found = next(one for one in earlier if one.reference == reference)
        problem = found.why_not(run.policy)
    if problem:
        return (_finding("warn", f"it can't be compared: {problem}", HOW_TO_SET_ANOTHER),)
    if reference is None:
        return ()
    return (_finding("ok", f"{reference.model_id}, generation {reference.generation}"),)


def _named(
    run: OpenRun, earlier: Sequence[EarlierModel], named: str
) -> tuple[KeptReference | None, str]:
    """The anchor that is a generation, a model id or a model's short name."""
    if named.isdecimal():
        if run.registry.pointer_at(run.target.name, int(named)) is None:
            return None, f"nothing was live as generation {named}"
        one = kept_as(run, earlier, int(named))
        named = f"generation {named}"
    else:
        models = [one.reference.model_id for one in earlier]
        fitting = [
            place for place, found in enumerate(models) if named in (found, short_name(found))
        ]
        one = earlier[fitting[-1]] if fitting else None
    if one is None:
        return None, f"no answers of {named} are kept"
    return (None, one.problem) if one.problem else (one.reference, "")


def _finding(level: Literal["ok", "warn"], message: str, fix: str = "") -> Finding:
    return Finding(name="anchor", level=level, message=message, fix=fix)
