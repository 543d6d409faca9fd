"""Which frozen baseline a run is held against: the one that it was asked for, or that of a live model which answers no more."""

from __future__ import annotations

from collections.abc import Sequence

from evals.errors import ConfigurationError, Problem, RefusedError
from evals.records import LivePointer
from flows.evaluation.kept.frozen import open_frozen
from flows.platforms.model_names import same_id
from flows.registry.frozen import FrozenBaseline, FrozenOnRecord, of_model
from flows.registry.records import RunKind
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["MARK", "against_mark", "marked"]

MARK = "frozen:"
"""What stands before the id of a frozen baseline in the trigger of a run, and on the command line."""


def against_mark(
    settings: Settings, registry: Registry, target: str, said: str, kind: RunKind
) -> str:
    """Return `frozen:ID` for what a person said: that, or `frozen` for the newest of the live model.

    Where nothing is live, `frozen` is the target's newest. Every file of it is checked here, before a run is on record.

    Raises:
        ConfigurationError: nothing of that name is frozen.
        RefusedError: a promotion would be judged against another model than the live one.
        KeptAnswersError: what was frozen is missing or was altered.
    """
    frozen, live = registry.frozen(target), registry.live(target)
    found = _chosen(frozen, live, said)
    if found is None:
        raise ConfigurationError(_unknown(frozen, live, target, said))
    one = found.baseline
    if kind == "promotion" and live is not None and not same_id(live.model_id, one.model_id):
        raise RefusedError(
            f"{MARK}{one.frozen_id} is of {one.model_id}, and {live.model_id} is live: a promotion is judged against what"
            " is live, or its frozen answers",
            hint=f"gatewright evaluate {target} … --against {MARK}{one.frozen_id} compares without promoting",
        )
    open_frozen(settings, one)
    return f"{MARK}{one.frozen_id}"


def marked(registry: Registry, target: str, mark: str) -> FrozenBaseline | None:
    """Return the frozen baseline that a run's trigger names, None when it is not on record."""
    named = mark.removeprefix(MARK)
    return next(
        (one.baseline for one in registry.frozen(target) if one.baseline.frozen_id == named), None
    )


def _chosen(
    frozen: Sequence[FrozenOnRecord], live: LivePointer | None, said: str
) -> FrozenOnRecord | None:
    if said == "frozen":
        if live is not None:
            return of_model(frozen, live.model_id)
        return frozen[-1] if frozen else None
    named = said.removeprefix(MARK) if said.startswith(MARK) else None
    return next((one for one in frozen if one.baseline.frozen_id == named), None)


def _unknown(
    frozen: Sequence[FrozenOnRecord], live: LivePointer | None, target: str, said: str
) -> Problem:
    known = ", ".join(f"{MARK}{one.baseline.frozen_id} ({one.baseline.model_id})" for one in frozen)
    if said == "frozen" and live is not None:
        message = f"no answers of what is live, {live.model_id}, are frozen"
        fix = f"freeze them while it answers: gatewright freeze {target}"
        if known:
            fix = f"name another model's: {known}; or {fix}"
        return Problem(where="--against", message=message, fix=fix)
    message = (
        f"expected 'frozen', or {MARK} and the id of a frozen baseline of {target}; found '{said}'"
    )
    fix = f"there are: {known}" if known else f"none is there: gatewright freeze {target}"
    return Problem(where="--against", message=message, fix=fix)
