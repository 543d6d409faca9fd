"""The anchor: an earlier live model against whose kept answers every candidate is judged besides, so that no decline adds up.

Twenty candidates in a row, each half a margin worse than the one before, all pass a gate that only knows the live model.
An anchor stands still. Its alpha is spent over so many candidates (Bonferroni 1936): each is judged at
1 - (1 - confidence) / candidates, so that the chance of ever promoting one that is worse than the anchor by its margin
stays below 1 - confidence for all of them together, whatever their answers have in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from evals.checks.check import Check
from evals.records import Record

__all__ = [
    "HOW_TO_SET_ANOTHER",
    "Anchor",
    "anchor_checks",
    "is_held_against_anchor",
    "measured_that_day",
    "read_anchor",
]

HOW_TO_SET_ANOTHER = (
    "name another one by anchor.model in the gate (best, a generation or a model id)"
)

_MEASURED_THAT_DAY = ("latency_", "cost_usd_")


class Anchor(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Which earlier model candidates are held against, and how strictly.

    `model` is "best", "first", a generation as text, or a model id. `margin` stands for the margin of every check, and
    `margins` for those of some metrics; where neither says anything, the check's own holds. Each is an amount and
    whether it is a share. `candidates` is over how many candidates the alpha is spent.
    """

    model: str
    candidates: int = 20
    margin: tuple[float, bool] | None = None
    margins: dict[str, tuple[float, bool]] = msgspec.field(default_factory=dict)

    def confidence(self, of_gate: float) -> float:
        """Return the confidence at which each candidate is judged against the anchor."""
        return 1.0 - (1.0 - of_gate) / self.candidates

    def states_margin(self, check: Check) -> bool:
        """Return whether the anchor has a margin of its own for a check's metric."""
        return self.margin is not None or check.metric in self.margins

    def margin_of(self, check: Check) -> tuple[float, bool]:
        """Return by how much a check's metric may be worse than the anchor's, and whether that is a share."""
        stated = self.margins.get(check.metric, self.margin)
        return stated if stated is not None else (check.threshold, check.percent)


def anchor_checks(
    checks: Iterable[Check], anchor: Anchor | None, *, confidence: float
) -> tuple[Check, ...]:
    """Return the further checks of a gate with an anchor: one for each check that `is_held_against_anchor`.

    Latency and cost are shown, and decide nothing.
    """
    if anchor is None:
        return ()
    return tuple(
        _against(check, anchor, confidence) for check in checks if is_held_against_anchor(check)
    )


def is_held_against_anchor(check: Check) -> bool:
    """Return whether an authored check is held against the anchor besides: an enforced comparison with the live model.

    Left out is what asks for a gain, since what has to be better than the live model each time can't decline, and what
    is measured on production.
    """
    return (
        check.relative
        and check.against == "baseline"
        and check.mode == "enforce"
        and not check.spec.superiority
        and check.measure_on == "developer"
    )


def measured_that_day(metric: str) -> bool:
    """Return whether a metric belongs to a day and a deployment: against kept answers it is shown and never judged."""
    return metric.startswith(_MEASURED_THAT_DAY)


def read_anchor(data: Mapping[str, Any] | None) -> Anchor | None:
    """Read the `anchor` block of a gate file that fits its schema."""
    if data is None:
        return None
    stated = data.get("margin")
    by_metric = stated if isinstance(stated, Mapping) else {}
    return Anchor(
        model=str(data["model"]),
        candidates=data.get("candidates", 20),
        margin=None if stated is None or by_metric else _amount(stated),
        margins={metric: _amount(value) for metric, value in by_metric.items()},
    )


def _against(check: Check, anchor: Anchor, confidence: float) -> Check:
    threshold, percent = anchor.margin_of(check)
    shown = measured_that_day(check.metric)
    return msgspec.structs.replace(
        check,
        against="anchor",
        confidence=anchor.confidence(confidence),
        threshold=threshold,
        percent=percent,
        mode="shadow" if shown else check.mode,
    )


def _amount(value: float | str) -> tuple[float, bool]:
    if isinstance(value, str):
        return float(value.removesuffix("%")) / 100, True
    return float(value), False
