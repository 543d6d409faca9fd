"""What a self-test measured: one rate each, of this gate and of the gate that compares averages."""

from __future__ import annotations

import math

from evals.records import Record

__all__ = [
    "CHECKS",
    "COVERED",
    "POWER",
    "PROMISED",
    "SAVED",
    "MeasuredRate",
    "SelfTest",
    "rate",
    "saving",
]

PROMISED = "promoted although worse by exactly the margin"
POWER = "promoted, by how good it really is"
COVERED = "truth inside the interval"
SAVED = "calls saved by looking early"
CHECKS = "five checks together: promoted, and calls saved"


class MeasuredRate(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One simulated rate: of the gate that compares averages (None where it has none), and of this one.

    `target` is the limit it was held against, `at_most` on which side; `met` is None where nothing is promised.
    """

    group: str
    name: str
    gate: float
    naive: float | None = None
    target: float | None = None
    at_most: bool = True
    met: bool | None = None
    replicates: int


class SelfTest(Record, frozen=True, kw_only=True):
    """All that was measured. The same seed and replicates give the same rates on any machine."""

    seed: int
    replicates: int
    seconds: float
    rows: tuple[MeasuredRate, ...]

    @property
    def missed(self) -> tuple[MeasuredRate, ...]:
        """What did not keep its promise."""
        return tuple(row for row in self.rows if row.met is False)


def rate(
    group: str,
    name: str,
    hits: int,
    count: int,
    naive: int | None = None,
    *,
    target: float | None = None,
    at_most: bool = True,
) -> MeasuredRate:
    """A share of simulated runs, held against its limit with three standard errors of room."""
    share, met = hits / count, None
    if target is not None:
        noise = 3.0 * math.sqrt(target * (1.0 - target) / count)
        met = share <= target + noise if at_most else share >= target - noise
    return MeasuredRate(
        group=group,
        name=name,
        gate=share,
        naive=None if naive is None else naive / count,
        target=target,
        at_most=at_most,
        met=met,
        replicates=count,
    )


def saving(
    name: str, saved: float, count: int, least: float | None, group: str = SAVED
) -> MeasuredRate:
    """A share of calls saved on average, held against the least that is promised."""
    # A share of calls varies by at most about a third from run to run.
    noise = 3.0 * 0.33 / math.sqrt(count)
    return MeasuredRate(
        group=group,
        name=name,
        gate=saved,
        target=least,
        at_most=False,
        met=None if least is None else saved >= least - noise,
        replicates=count,
    )
