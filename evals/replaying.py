"""Makes the looks of a run again from answers that are there already: for another policy, or for made-up models."""

from __future__ import annotations

from collections.abc import Callable

from evals.examining import Evidence
from evals.gate import judge, take_look
from evals.looks import LookEvent, Looks
from evals.policy import GatePolicy
from evals.records import Verdict

__all__ = ["replay"]


def replay(
    policy: GatePolicy,
    evidence_at: Callable[[int], Evidence],
    rounds: int,
    *,
    upto: int | None = None,
) -> tuple[Verdict, int]:
    """Judge look by look until the run is decided. Returns the verdict and the look it came at.

    Args:
        policy: the gate.
        evidence_at: what was answered up to a look, from 1.
        rounds: how many looks are planned.
        upto: the last look there are answers for. Checks still open there stay so: that the asking ended may have had
            to do with the answers, so the alpha left over is not spent on them.
    """
    last = rounds if upto is None else min(upto, rounds)
    if rounds == 1:
        return judge(policy, evidence_at(1)), 1
    past: tuple[LookEvent, ...] = ()
    for look in range(1, last + 1):
        event = take_look(policy, evidence_at(look), Looks(look=look, rounds=rounds, past=past))
        past = (*past, event)
        if event.stop:
            break
    return judge(
        policy, evidence_at(past[-1].look), Looks(look=past[-1].look, rounds=rounds, past=past)
    ), past[-1].look
