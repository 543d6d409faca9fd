"""Makes the looks of a run again from answers that are there already: for another policy, or for simulated models."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from evals.gate.examiner import Evidence
from evals.gate.judge import checks_of_each_slice, judge, take_look, verdict_of
from evals.gate.looks import LookEvent, LookHistory
from evals.gate.policy import GatePolicy
from evals.records import Verdict

__all__ = ["rejudge_looks", "replay"]


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
    if rounds == 1:
        return judge(policy, evidence_at(1)), 1
    past = _looks(policy, evidence_at, rounds, rounds if upto is None else min(upto, rounds))
    look = past[-1].look
    return judge(policy, evidence_at(look), LookHistory(look=look, rounds=rounds, past=past)), look


def rejudge_looks(
    policy: GatePolicy,
    evidence_at: Callable[[int, Mapping[str, str]], Evidence],
    rounds: int,
    upto: int,
) -> Verdict:
    """Judge every check by itself at the looks of a run that another policy, or another body of answers, ended.

    Args:
        policy: the gate.
        evidence_at: what was answered up to a look, as far as it is a fair sample of the cases with some tags.
        rounds: how many looks were planned; more than `upto` when not all was asked.
        upto: the last look there are answers for.
    """
    # Each check is judged by itself: the run stopped for another policy's checks, and a check of this one may have needed
    # cases that were not asked any more.
    whole = evidence_at(upto, {})
    alone: list[tuple[LookEvent, ...]] = []
    for check in (
        one for authored in policy.checks for one in checks_of_each_slice(authored, whole)
    ):
        single = msgspec.structs.replace(policy, checks=(check,))

        def of_check(look: int, where: Mapping[str, str] = check.where) -> Evidence:
            return evidence_at(look, where)

        alone.append(_looks(single, of_check, rounds, upto))
    events = tuple(_merged(alone, look) for look in range(1, upto + 1))
    found = [past[-1].checks[0] for past in alone]
    return verdict_of(policy, whole, found, LookHistory(look=upto, rounds=rounds, past=events))


def _looks(
    policy: GatePolicy, evidence_at: Callable[[int], Evidence], rounds: int, last: int
) -> tuple[LookEvent, ...]:
    past: tuple[LookEvent, ...] = ()
    for look in range(1, last + 1):
        event = take_look(
            policy, evidence_at(look), LookHistory(look=look, rounds=rounds, past=past)
        )
        past = (*past, event)
        if event.stop:
            break
    return past


def _merged(pasts: list[tuple[LookEvent, ...]], look: int) -> LookEvent:
    """One event for all checks that made a look then."""
    made = [event for past in pasts for event in past if event.look == look]
    template = max((event for past in pasts for event in past), key=lambda event: event.look)
    return msgspec.structs.replace(
        template,
        look=look,
        checks=tuple(check for event in made for check in event.checks),
        needs=(),
        stop=False,
        why="",
    )
