"""Looks: the interim analyses of a run, each with what it found and what is still to be asked.

A *look* is an interim analysis: asking pauses after a part of the cases, and the gate judges what there is. Each look
spends a part of alpha, so that looking often does not make a false PASS likelier. A look is an event that is stored. What
it decided stays decided, and the alpha that it spent stays spent, also when the run is killed and taken up again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from evals.records import CheckResult, Record, Role

__all__ = ["CheckLook", "LookEvent", "LookHistory", "RemainingCases", "covered"]


class RemainingCases(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Cases of a suite that a model is still to be asked: those with these tags, all without any."""

    role: Role
    suite: str
    where: dict[str, str] = msgspec.field(default_factory=dict)


class CheckLook(Record, frozen=True, kw_only=True):
    """One check at one look.

    `n` is how many cases (or pairs) it rested on; `counted` says whether alpha was spent on it; `decided` is True when
    its result stands from now on; `futile` when it was given up.
    """

    key: str
    n: int
    counted: bool
    decided: bool
    result: CheckResult
    futile: bool = False


class LookEvent(Record, frozen=True, kw_only=True):
    """One look of `rounds` planned ones, counted from 1. `needs` are for the round after it; `why` says why it stops."""

    look: int
    rounds: int
    policy_digest: str
    evidence_digest: str
    checks: tuple[CheckLook, ...]
    needs: tuple[RemainingCases, ...]
    stop: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookHistory:
    """Where a run stands: the look that is due, how many there are, and the events of those before (and of this one,
    when it was made already).
    """

    look: int
    rounds: int
    past: tuple[LookEvent, ...] = ()

    @property
    def final(self) -> bool:
        """True when no case is left to be asked after this look."""
        return self.look >= self.rounds

    def latched(self, key: str) -> tuple[LookEvent, CheckLook] | None:
        """Return the event in which a check was decided, None while it is open."""
        # The first decision stands: judging a decided check again would be a look without alpha of its own.
        for event in self.past:
            for check in event.checks:
                if check.key == key and check.decided:
                    return event, check
        return None

    def counts(self, key: str) -> list[int]:
        """Return how many cases a check rested on at each earlier look that spent alpha on it."""
        return [
            check.n
            for event in self.past
            if event.look < self.look
            for check in event.checks
            if check.key == key and check.counted
        ]

    def only_reported(self, key: str) -> bool:
        """Return whether a check was found, at an earlier look, to be shown without deciding."""
        return any(
            check.key == key and not check.result.decides
            for event in self.past
            for check in event.checks
        )

    def last_complete(
        self, key: str, where: dict[str, str], asked: Iterable[tuple[Role, str]]
    ) -> CheckLook | None:
        """Return what was found when all cases of a check that does not decide were last asked; None if that is now."""
        pairs = list(asked)
        # Once a wider check is settled, only the slices of open checks are asked. From then on the sample holds more of
        # those slices than the suite does, so that an estimate over all of it would be biased.
        for event in self.past:
            if event.look < self.look and not covered(event.needs, where, pairs):
                return next((check for check in event.checks if check.key == key), None)
        return None


def covered(
    needs: Iterable[RemainingCases], where: dict[str, str], asked: Iterable[tuple[Role, str]]
) -> bool:
    """Return whether all cases with these tags are among what is still asked, of every (role, suite)."""
    held = list(needs)
    return all(
        any(
            need.role == role and need.suite == suite and need.where.items() <= where.items()
            for need in held
        )
        for role, suite in asked
    )
