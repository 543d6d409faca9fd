"""Comparing with recorded answers instead of a second model that is asked: which checks are judged then, and which only shown.

A look at what is live compares the model with its own answers of before; a candidate may be held against those of a model
that answers no more. Latency belongs to a day and a deployment, so that it is shown and decides nothing.
"""

from __future__ import annotations

import msgspec

from evals.checks.check import Check

__all__ = ["NOT_COMPARABLE", "OVER_ITSELF", "TWO_OF_ONE_RUN", "judged_as"]

NOT_COMPARABLE = "the recorded answers can't be compared"
TWO_OF_ONE_RUN = "it compares two answers of one run, so that recorded answers have no score of it"
OVER_ITSELF = "it asks for a gain, which a model can't make over itself"


def judged_as(check: Check) -> Check:
    """Return a relative check as it is judged against recorded answers: one on latency is shown only."""
    if check.metric.startswith("latency_"):
        return msgspec.structs.replace(check, mode="shadow")
    return check
