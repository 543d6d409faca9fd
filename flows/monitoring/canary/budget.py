"""What a canary may spend in a month of the calendar, and what it spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from flows.config.target import CanaryPlan
from flows.registry.canaries import CanaryState

if TYPE_CHECKING:
    from flows.monitoring.canary.live_model import Spending

__all__ = ["carried_over", "left_calls", "left_usd", "spent", "this_month", "why_not"]


def this_month(state: CanaryState, now: str) -> CanaryState:
    """Return the canary with the counts of this month, from 0 when it is a new one. `now` is ISO 8601, UTC."""
    month = now[:7]
    if state.month == month:
        return state
    return replace(state, month=month, month_calls=0, month_starts=0, month_usd=0.0, unpriced=0)


def carried_over(before: CanaryState, fresh: CanaryState) -> CanaryState:
    """Return the canary of what went live since with the counts of the month: the budget is the target's."""
    return replace(
        fresh,
        month=before.month,
        month_calls=before.month_calls,
        month_starts=before.month_starts,
        month_usd=before.month_usd,
        unpriced=before.unpriced,
    )


def spent(state: CanaryState, spending: Spending) -> CanaryState:
    """Return the canary with what was spent added to its month."""
    return replace(
        state,
        month_calls=state.month_calls + spending.calls,
        month_usd=state.month_usd + spending.usd,
        unpriced=state.unpriced + spending.unpriced,
    )


def left_usd(state: CanaryState, plan: CanaryPlan) -> float | None:
    """Return what may still be spent this month, None where that is not limited."""
    return None if plan.budget_usd is None else max(0.0, plan.budget_usd - state.month_usd)


def left_calls(state: CanaryState, plan: CanaryPlan) -> int:
    """Return how many calls may still be made this month."""
    return max(0, plan.most_calls - state.month_calls)


def why_not(state: CanaryState, plan: CanaryPlan, calls: int) -> str:
    """Say which budget does not allow so many more calls; empty when both do."""
    if state.month_calls + calls > plan.most_calls:
        return (
            f"the budget of {plan.most_calls:,} calls for {state.month} does not allow another look:"
            f" {state.month_calls:,} were made"
        )
    if left_usd(state, plan) == 0.0:
        return f"the budget of {plan.budget_usd:g} USD for {state.month} is spent: {state.month_usd:.4f} USD"
    return ""
