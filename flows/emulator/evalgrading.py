"""Grading inside the emulated Evals API: templates and the two graders that need no other model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rapidfuzz import fuzz

__all__ = ["Ungradable", "grade", "render"]

_SLOT = re.compile(r"\{\{\s*([\w.\[\]]+)\s*\}\}")
_STEP = re.compile(r"(\w+)|\[(\d+)\]")


class Ungradable(ValueError):  # noqa: N818 - an outcome of an item, not a fault of the emulator
    """An item that can't be graded: a variable without a value, a grader that is not available here."""


def render(template: str, item: Mapping[str, Any], sample: Mapping[str, Any]) -> str:
    """Fill `{{item.…}}` and `{{sample.…}}`; other values than texts become JSON. Raises Ungradable."""
    names = {"item": item, "sample": sample}
    return _SLOT.sub(lambda found: _text(_look_up(found[1], names)), template)


def grade(
    criterion: Mapping[str, Any], item: Mapping[str, Any], sample: Mapping[str, Any]
) -> tuple[float, bool]:
    """Return score and whether the item passes. Raises Ungradable."""
    kind = criterion["type"]
    if kind not in ("string_check", "text_similarity"):
        raise Ungradable(f"graders of the type '{kind}' are not available in the emulator")
    given = render(str(criterion["input"]), item, sample)
    wanted = render(str(criterion["reference"]), item, sample)
    if kind == "string_check":
        passed = _checked(str(criterion["operation"]), given, wanted)
        return float(passed), passed
    if criterion.get("evaluation_metric") != "fuzzy_match":
        raise Ungradable(
            f"the metric '{criterion.get('evaluation_metric')}' is not available in the emulator"
        )
    score = fuzz.WRatio(given, wanted) / 100.0
    return score, score >= float(criterion["pass_threshold"])


def _checked(operation: str, given: str, wanted: str) -> bool:
    """'like' and 'ilike' mean contains; there are no wildcards."""
    table = {
        "eq": given == wanted,
        "ne": given != wanted,
        "like": wanted in given,
        "ilike": wanted.lower() in given.lower(),
    }
    return table[operation]


def _look_up(path: str, names: Mapping[str, Any]) -> Any:
    value: Any = names
    for name, index in _STEP.findall(path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            raise Ungradable(f"the variable '{path}' has no value") from None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
