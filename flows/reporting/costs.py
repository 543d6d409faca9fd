"""What a run paid its two models, read from its journals: also what a process paid that was killed."""

from __future__ import annotations

from evals.records import Role, Usage
from evals.sampling.budget import cost_usd
from evals.sampling.journal.journal import Journal
from flows.evaluation.open_run import OpenRun

__all__ = ["cost_of", "usages"]


def usages(run: OpenRun) -> dict[Role, Usage]:
    """Return the tokens each role's answers were paid for; answers taken over from an earlier run cost nothing."""
    found: dict[Role, Usage] = {}
    with Journal.open(run.folder / "journal", read_only=True) as journal:
        for role in run.evaluation.roles:
            parts = [journal.history(role, opened.suite.name) for opened in run.plan.suites]
            found[role] = Usage(
                prompt_tokens=sum(part.prompt_tokens for part in parts),
                completion_tokens=sum(part.completion_tokens for part in parts),
                cached_tokens=sum(part.cached_tokens for part in parts),
            )
    return found


def cost_of(run: OpenRun, paid: dict[Role, Usage]) -> float | None:
    """Return what that came to in USD; None as soon as the price of a model that was asked isn't known."""
    costs = []
    for role, usage in paid.items():
        price = run.price(role)
        if price is None and usage.prompt_tokens:
            return None
        costs.append(cost_usd(price, usage) if price is not None else 0.0)
    return sum(costs)
