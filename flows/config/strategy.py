"""How a winner takes its place, and what a target may not ask for together with it.

blue_green   the candidate stands beside the live deployment, the pointer is switched; nothing is ever unanswered
replace      the candidate takes the deployment of the live one, for applications that know one fixed name; in place where
             the platform does that, else nothing answers while the old model is gone and the new one not yet there
in_place     the same, and never with a gap: what can't be changed in place is refused
"""

from __future__ import annotations

from typing import Literal

from evals.errors import Problem
from evals.gate.policy import GatePolicy
from flows.config.target import Target
from flows.platforms.table import platform_kind

__all__ = ["Strategy", "fixed_name", "strategy_problems"]

Strategy = Literal["blue_green", "replace", "in_place"]


def fixed_name(target: Target) -> str | None:
    """Return the deployment name that is kept: the one the target names, or the target's own; None for blue_green."""
    if target.promotion.strategy == "blue_green":
        return None
    return target.promotion.deployment or target.name


def strategy_problems(target: Target, policy: GatePolicy) -> tuple[Problem, ...]:
    """Return what does not go together with the target's strategy."""
    plan = target.promotion
    if plan.strategy == "blue_green":
        named = plan.deployment is not None
        return (_problem(target, "deployment", _NAMED_BY_RUN, "remove it"),) if named else ()
    problems = []
    if not platform_kind(target.platform).needs_deployment:
        problems.append(_problem(target, "strategy", _NO_NAMES, "use blue_green"))
    if any(check.relative and check.measure_on == "production" for check in policy.checks):
        fix = f"use blue_green, or absolute conditions for these checks of {policy.path}"
        problems.append(_problem(target, "strategy", _GONE, fix))
    return tuple(problems)


_NAMED_BY_RUN = (
    "expected only with 'strategy: replace' or 'in_place': other deployments are named by their run"
)
_NO_NAMES = (
    "expected blue_green: on this platform a model is asked by its own id, there is no name to keep"
)
_GONE = (
    "expected blue_green: the gate compares with the live model on the production deployment, and that model has been"
    " replaced by then"
)


def _problem(target: Target, field: str, message: str, fix: str) -> Problem:
    return Problem(where=target.path, field=f"promotion.{field}", message=message, fix=fix)
