"""The numeric grader: is the number in an answer near enough to the expected one?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from evals.config.schema_errors import shown
from evals.graders.base import ParameterError
from evals.graders.texts import TextGrader, TextOptions

__all__ = ["NumericGrader"]


class NumericOptions(TextOptions, frozen=True, kw_only=True):
    """`abs_tol` and `rel_tol`: how far off is right (the wider of both). `take`: the whole answer, or a number in it."""

    abs_tol: float = 0.0
    rel_tol: float = 0.0
    take: Literal["whole", "first", "last"] = "whole"


_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]?\.\d+")


@dataclass(slots=True)
class NumericGrader(TextGrader):
    """1 when the answer is a number within the tolerance of the expected one."""

    Options = NumericOptions

    def __post_init__(self) -> None:
        for name in ("abs_tol", "rel_tol"):
            if not 0 <= getattr(self.options, name) < math.inf:
                raise ParameterError("expected a finite number, at least 0", name)

    def problem_with_expected(self, expected: Any) -> str | None:
        return (
            None
            if _number(expected, "whole") is not None
            else f"expected a number; found {shown(expected)}"
        )

    def mismatch(self, answer: Any, expected: Any) -> str | None:
        found, right = _number(answer, self.options.take), _number(expected, "whole")
        assert right is not None
        if found is None:
            return f"expected a number; found {shown(answer)}"
        close = math.isclose(
            found,
            right,
            rel_tol=0.0,
            abs_tol=max(self.options.abs_tol, self.options.rel_tol * abs(right)),
        )
        return None if close else f"expected {right:g}; found {found:g}"


def _number(value: Any, take: str) -> float | None:
    """Return a finite number; text in the English way of writing (1,234.5). None when there is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        found = [text] if take == "whole" and _NUMBER.fullmatch(text) else []
        found = found if take == "whole" else _NUMBER.findall(text)
        if not found:
            return None
        value = found[0 if take == "first" else -1].replace(",", "")
    elif not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
