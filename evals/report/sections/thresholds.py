"""What a check asks, on which scale: its author's threshold, and the units in which findings are compared with it."""

from __future__ import annotations

from evals.checks.kinds import kind_spec
from evals.records import CheckResult
from evals.report.numbers import Unit, digits_for, figure, signed, unit_of

__all__ = ["Scale"]


class Scale:
    """The units of one check: of its metric, and of the quantity that is compared with the threshold."""

    def __init__(self, check: CheckResult) -> None:
        self.kind = kind_spec(check.kind)
        self.relative = self.kind.relative
        self.ratio = self.relative and check.percent
        self.unit: Unit = unit_of(check.metric)
        self.threshold = self.kind.threshold(check.threshold, ratio=self.ratio)
        decisive = (check.lower, check.estimate, check.upper)
        self.quantity_unit: Unit = "ratio" if self.ratio else self.unit
        self.quantity_places = digits_for(self.quantity_unit, decisive, self.threshold)
        self.places = None if self.relative else self.quantity_places
        self.quantity = _quantity(self)
        self.asked = _asked(check, self)

    def value(self, value: float | None) -> str:
        """A value of the quantity that is compared with the threshold."""
        if self.relative:
            return signed(value, self.quantity_unit, self.quantity_places)
        return figure(value, self.quantity_unit, self.quantity_places)

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
    whom = " against the anchor" if check.against == "anchor" else ""
    return scale.kind.asked.format(threshold=amount) + whom


def _plain(value: float, unit: Unit) -> str:
    """A bar as its author wrote it, with two digits at least."""
    places = max(2 if unit == "score" else 0, len(f"{value:g}".partition(".")[2]))
    return figure(value, unit, places if "e" not in f"{value:g}" else None)


def _quantity(scale: Scale) -> str:
    if scale.kind.superiority:
        return "gain"
    return "ratio" if scale.ratio else "difference" if scale.relative else "candidate"
