"""How a winner takes its place, and what a target may not ask for together with it.

blue_green   the candidate stands beside the live deployment, the pointer is switched; nothing is ever unanswered
replace      the candidate takes the deployment of the live one, for applications that know one fixed name; while the old
             model is gone and the new one not yet there, nothing answers
"""

from __future__ import annotations

from typing import Literal

from evals.errors import Problem
from evals.policy import GatePolicy
from flows.target import Target

__all__ = ["Strategy", "fixed_name", "strategy_problems"]

Strategy = Literal["blue_green", "replace"]


def fixed_name(target: Target) -> str | None:
    """Return the deployment name that a `replace` keeps: the one the target names, or the target's own; else None."""
    if target.promotion.strategy != "replace":
        return None
    return target.promotion.deployment or target.name


def strategy_problems(target: Target, policy: GatePolicy) -> tuple[Problem, ...]:
    """Return what does not go together with the target's strategy."""
    plan = target.promotion
    if plan.strategy != "replace":
        named = plan.deployment is not None
        return (_problem(target, "deployment", _ONLY_REPLACE, "remove it"),) if named else ()
    problems = []
    if target.platform == "openai":
        problems.append(_problem(target, "strategy", _NO_NAMES, "use blue_green"))
    if any(check.relative and check.measure_on == "production" for check in policy.checks):
        fix = f"use blue_green, or absolute conditions for these checks of {policy.path}"
        problems.append(_problem(target, "strategy", _GONE, fix))
    return tuple(problems)


_ONLY_REPLACE = "expected only with 'strategy: replace': other deployments are named by their run"
_NO_NAMES = (
    "expected blue_green: on this platform a model is asked by its own id, there is no name to keep"
)
_GONE = (
    "expected blue_green: the gate compares with the live model on the production deployment, and a replace has removed"
    " that model by then"
)


def _problem(target: Target, field: str, message: str, fix: str) -> Problem:
    return Problem(where=target.path, field=f"promotion.{field}", message=message, fix=fix)
