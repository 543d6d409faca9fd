"""Numbers as a reader sees them. This is the only place of the report that rounds, and rounding never hides a decision:
a number that lies beside its bar keeps as many digits as it takes to see on which side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

__all__ = [
    "MINUS",
    "Unit",
    "counted",
    "digits_for",
    "duration",
    "figure",
    "instant",
    "percentage",
    "rough_duration",
    "signed",
    "unit_of",
]

Unit = Literal["score", "ms", "usd", "tokens", "ratio"]

MINUS = "\u2212"
NOTHING = "–"
_DIGITS: dict[Unit, int] = {"score": 3, "ms": 0, "usd": 4, "tokens": 1, "ratio": 1}
_EXTRA_DIGITS = 4


def unit_of(metric: str) -> Unit:
    """Return the unit a metric is measured in, told by its name."""
    if re.search(r"(^|_)ms$", metric):
        return "ms"
    if "usd" in metric:
        return "usd"
    return "tokens" if "tokens" in metric else "score"


def figure(value: float | None, unit: Unit, digits: int | None = None) -> str:
    """Return a value with its unit; '–' for None, and words for what is no finite number.

    A ratio is shown as the relative difference it stands for: 1.08 is '+8.0 %'.
    """
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "no number" if math.isnan(value) else "unbounded"
    places = _DIGITS[unit] if digits is None else digits
    if unit == "ratio":
        return _sign((value - 1) * 100, places) + " %"
    sign = MINUS if round(value, places) < 0 else ""
    return sign + _with_unit(f"{abs(value):,.{places}f}", unit)


def signed(value: float | None, unit: Unit, digits: int | None = None) -> str:
    """Return a difference with its sign; zero has none."""
    if value is None or not math.isfinite(value) or unit == "ratio":
        return figure(value, unit, digits)
    places = _DIGITS[unit] if digits is None else digits
    number = _sign(value, places)
    sign = number[0] if number[0] in f"+{MINUS}" else ""
    return sign + _with_unit(number.removeprefix(sign), unit)


def digits_for(unit: Unit, values: Iterable[float | None], bar: float) -> int:
    """Return how many digits it takes until no value that differs from `bar` looks equal to it (at most four more)."""
    scale = 100 if unit == "ratio" else 1
    apart = [
        scale * value
        for value in values
        if value is not None and math.isfinite(value) and value != bar
    ]
    usual = _DIGITS[unit]
    for places in range(usual, usual + _EXTRA_DIGITS):
        if all(round(value, places) != round(scale * bar, places) for value in apart):
            return places
    return usual + _EXTRA_DIGITS


def percentage(share: float | None) -> str:
    """Return a share in per cent; never '100 %' for less than everything, nor '0 %' for more than nothing."""
    if share is None or not math.isfinite(share):
        return figure(share, "score")
    text = f"{100 * share:.1f}"
    if text == "100.0" and share < 1:
        text = "> 99.9"
    if text == "0.0" and share > 0:
        text = "< 0.1"
    return text.removesuffix(".0") + " %"


def duration(seconds: float) -> str:
    """Return a length of time as people say it: '850 ms', '42.0 s', '3 min 20 s', '2 h 05 min'."""
    if not math.isfinite(seconds):
        return figure(seconds, "ms")
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def rough_duration(seconds: float) -> str:
    """Return a length of time that is an estimate, in one unit: '8 s', '9 min', '36 h', '10 days'."""
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(1, round(seconds))} s"


def instant(text: str | None) -> str:
    """Return an ISO time as '2026-11-21 06:03:52 UTC'; a text that is no time comes back as it is."""
    moment = parse(text)
    return (text or NOTHING) if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def parse(text: str | None) -> datetime | None:
    """Read an ISO time, taken as UTC when it names no zone; None when it is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return '1 case', '2 cases'."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _sign(value: float, places: int) -> str:
    rounded = round(value, places)
    sign = "" if rounded == 0 else "+" if rounded > 0 else MINUS
    return f"{sign}{abs(value):,.{places}f}"


def _with_unit(number: str, unit: Unit) -> str:
    if unit == "usd":
        return f"${number}"
    return f"{number} ms" if unit == "ms" else number
