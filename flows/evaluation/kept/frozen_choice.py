"""Which frozen baseline a run is compared with: the one that it was asked for, or that of a live model which answers no more."""

from __future__ import annotations

from collections.abc import Sequence

from evals.errors import ConfigurationError, Problem, RefusedError
from evals.records import LivePointer
from flows.evaluation.kept.frozen import open_frozen
from flows.evaluation.kept.frozen_coverage import coverage
from flows.evaluation.kept.keep import asked_by
from flows.evaluation.open_run import TargetPlan
from flows.platforms.model_names import same_id
from flows.registry.frozen import MARK, FrozenBaseline, FrozenOnRecord, all_of_model, by_id
from flows.registry.records import RunKind
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["against_mark", "marked"]


def against_mark(
    settings: Settings, registry: Registry, plan: TargetPlan, said: str, kind: RunKind
) -> str:
    """Return `frozen:ID` for what a person said: that, or `frozen` for the one of the live model that covers most of today's suites.

    Where nothing is live, the model is that of the target's newest. Every file is checked here, before a run is on record.

    Raises:
        ConfigurationError: nothing of that name is frozen.
        RefusedError: a promotion would be judged against another model than the live one, or what was named is set aside.
        KeptAnswersError: what was frozen is missing or was altered.
    """
    target = plan.target.name
    frozen, live = registry.frozen(target), registry.live(target)
    found = _chosen(settings, plan, frozen, live, said)
    if found is None:
        raise ConfigurationError(_unknown(frozen, live, target, said))
    one = found.baseline
    if found.set_aside:
        raise RefusedError(
            f"{one.mark} was set aside {found.set_aside}",
            hint=f"gatewright freeze {target} --restore {one.frozen_id} --reason '…' has it chosen again",
        )
    if kind == "promotion" and live is not None and not same_id(live.model_id, one.model_id):
        raise RefusedError(
            f"{one.mark} is of {one.model_id}, and {live.model_id} is live: a promotion is judged against what"
            " is live, or its frozen answers",
            hint=f"gatewright evaluate {target} … --against {one.mark} compares without promoting",
        )
    open_frozen(settings, one)
    return one.mark


def marked(registry: Registry, target: str, mark: str) -> FrozenBaseline | None:
    """Return the frozen baseline that a run's trigger names, None when it is not on record."""
    found = by_id(registry.frozen(target), mark.removeprefix(MARK))
    return found.baseline if found is not None else None


def _chosen(
    settings: Settings,
    plan: TargetPlan,
    frozen: Sequence[FrozenOnRecord],
    live: LivePointer | None,
    said: str,
) -> FrozenOnRecord | None:
    if said != "frozen":
        return by_id(frozen, said.removeprefix(MARK)) if said.startswith(MARK) else None
    standing = [one for one in frozen if not one.set_aside]
    if live is None and not standing:
        return None
    model = live.model_id if live is not None else standing[-1].baseline.model_id
    of_it = all_of_model(standing, model)
    covered = coverage(settings, of_it, asked_by(plan, "baseline", plan.repeats))
    return covered[0].found if covered else None


def _unknown(
    frozen: Sequence[FrozenOnRecord], live: LivePointer | None, target: str, said: str
) -> Problem:
    known = ", ".join(f"{one.baseline.mark} ({one.baseline.model_id})" for one in frozen)
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
