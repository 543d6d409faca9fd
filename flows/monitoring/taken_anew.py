"""Says that a person took the answers of what is live as its reference although something spoke against it."""

from __future__ import annotations

from evals.report.numbers import instant
from evals.report.sanitise import one_line
from flows.registry.references import TakenAnew

__all__ = ["taken_anew_sentence"]


def taken_anew_sentence(taken: TakenAnew) -> str:
    """Return it in one sentence without its stop."""
    return (
        f"The reference was taken anew by {one_line(taken.actor, 80)} on {instant(taken.at)} although"
        f" {one_line(taken.despite, 200)}: {one_line(taken.reason, 200)}"
    )
