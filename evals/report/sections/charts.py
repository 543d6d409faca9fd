"""Where the marks of a check's small picture stand: the interval, the estimate, and the bar it is held against.

Positions are percentages of the width, so that the picture stays sharp at any size and needs no script.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Chart", "draw"]

Side = Literal["left", "right"]
_MARGIN = 6.0
_PADDING = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Marks in per cent of the width. `fails` is the side of the bar on which the check fails.

    `zero` is where candidate and baseline are equal, None when that is out of sight or has no meaning. `open_low` and
    `open_high` say that the interval goes on beyond the edge.
    """

    bar: str
    low: str
    high: str
    point: str
    zero: str | None
    fails: Side
    fail_x: str
    fail_width: str
    span: str
    label_anchor: Literal["start", "middle", "end"]
    open_low: bool
    open_high: bool
    alt: str


def draw(
    *,
    bar: float,
    lower: float | None,
    estimate: float | None,
    upper: float | None,
    zero: float | None,
    fails: Side,
    alt: str,
) -> Chart | None:
    """Place the marks; None when there is nothing finite to place."""
    if estimate is None or lower is None or upper is None:
        return None
    marks = [value for value in (bar, lower, estimate, upper) if math.isfinite(value)]
    if (
        not math.isfinite(bar)
        or not math.isfinite(estimate)
        or math.isnan(lower)
        or math.isnan(upper)
    ):
        return None
    start, end = _domain(marks, zero)

    def place(value: float) -> float:
        share = (min(max(value, start), end) - start) / (end - start)
        return _MARGIN + share * (100 - 2 * _MARGIN)

    at = place(bar)
    low = 0.0 if math.isinf(lower) else place(lower)
    high = 100.0 if math.isinf(upper) else place(upper)
    return Chart(
        bar=_percent(at),
        low=_percent(low),
        high=_percent(high),
        span=_percent(max(high - low, 0.0)),
        point=_percent(place(estimate)),
        zero=_percent(place(zero)) if zero is not None and start <= zero <= end else None,
        fails=fails,
        fail_x=_percent(0 if fails == "left" else at),
        fail_width=_percent(at if fails == "left" else 100 - at),
        label_anchor="start" if at < 22 else "end" if at > 78 else "middle",
        open_low=math.isinf(lower),
        open_high=math.isinf(upper),
        alt=alt,
    )


def _domain(marks: list[float], zero: float | None) -> tuple[float, float]:
    low, high = min(marks), max(marks)
    width = high - low or max(abs(high), 1e-9) * 0.1
    if zero is not None and low - width <= zero <= high + width:
        low, high = min(low, zero), max(high, zero)
    return low - _PADDING * width, high + _PADDING * width


def _percent(value: float) -> str:
    return f"{value:.2f}%"
