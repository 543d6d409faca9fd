"""What a check asks, on which scale: the bar of its author, and the units in which findings are held against it."""

from __future__ import annotations

import re

from evals.records import CheckResult
from evals.report.numbers import Unit, digits_for, figure, signed, unit_of

__all__ = ["FALLING", "RELATIVE", "Scale", "bar_of", "is_ratio"]

RELATIVE = frozenset({"max_drop", "max_rise", "min_gain"})
"""Kinds of check that need the baseline."""
FALLING = frozenset({"at_most", "max_rise"})
"""Kinds of check that want the measured quantity to be small."""


def is_ratio(check: CheckResult) -> bool:
    """True when candidate / baseline is held against the bar: a relative check whose margin was written in per cent."""
    return check.kind in RELATIVE and bool(re.search(rf"\b{check.kind} [-+.\de]+%", check.check))


def bar_of(check: CheckResult) -> float:
    """The value that the measured quantity is held against: a level, a signed difference, or a ratio."""
    if check.kind not in RELATIVE:
        return check.threshold
    margin = -check.threshold if check.kind == "max_drop" else check.threshold
    return 1 + margin if is_ratio(check) else margin


class Scale:
    """The units of one check: of its metric, and of the quantity that is held against the bar."""

    def __init__(self, check: CheckResult) -> None:
        self.relative = check.kind in RELATIVE
        self.ratio = is_ratio(check)
        self.unit: Unit = unit_of(check.metric)
        self.bar = bar_of(check)
        decisive = (check.lower, check.estimate, check.upper)
        self.bar_unit: Unit = "ratio" if self.ratio else self.unit
        self.bar_places = digits_for(self.bar_unit, decisive, self.bar)
        self.places = None if self.relative else self.bar_places
        self.quantity = _quantity(check, self)
        self.asked = _asked(check, self)

    def value(self, value: float | None) -> str:
        """A value of the quantity that is held against the bar."""
        if self.relative:
            return signed(value, self.bar_unit, self.bar_places)
        return figure(value, self.bar_unit, self.bar_places)

    @property
    def zero(self) -> float:
        """Where candidate and baseline are equal."""
        return 1.0 if self.ratio else 0.0

    def interval(self, check: CheckResult) -> str:
        """Both bounds in words."""
        if check.lower is None and check.upper is None:
            return "not measured"
        if check.lower is None or check.upper is None:  # so few cases bound it on one side only
            side = "at most" if check.lower is None else "at least"
            return f"{side} {self.value(check.upper if check.lower is None else check.lower)}"
        return f"{self.value(check.lower)} to {self.value(check.upper)}"


def _asked(check: CheckResult, scale: Scale) -> str:
    amount = f"{check.threshold * 100:g} %" if scale.ratio else _plain(check.threshold, scale.unit)
    return {
        "at_least": f"at least {amount}",
        "at_most": f"at most {amount}",
        "max_drop": f"drop below {amount}",
        "max_rise": f"rise below {amount}",
        "min_gain": f"gain above {amount}",
    }.get(check.kind, f"{check.kind} {amount}")


def _plain(value: float, unit: Unit) -> str:
    """A bar as its author wrote it, with two digits at least."""
    places = max(2 if unit == "score" else 0, len(f"{value:g}".partition(".")[2]))
    return figure(value, unit, places if "e" not in f"{value:g}" else None)


def _quantity(check: CheckResult, scale: Scale) -> str:
    if check.kind == "min_gain":
        return "gain"
    return "ratio" if scale.ratio else "difference" if scale.relative else "candidate"
