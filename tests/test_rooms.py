"""Each room has tests, and some of them are quick: `-m "not slow"` looks at all of the house."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

ROOMS = sorted(
    str(marker.parent.relative_to(ROOT))
    for package in ("evals", "flows")
    for marker in (ROOT / package).glob("*/__init__.py")
)


def quick_tests(folder: Path) -> Iterator[str]:
    """Names of the tests below a folder that are marked neither slow nor story."""
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        if any("pytestmark" in ast.unparse(one) for one in tree.body if _is_slow(one)):
            continue
        for one in ast.walk(tree):
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and not any(
                map(_is_slow, one.decorator_list)
            ):
                yield from [one.name] if one.name.startswith("test_") else []


def _is_slow(node: ast.AST) -> bool:
    return any(mark in ast.unparse(node) for mark in ("mark.slow", "mark.story"))


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_quick_test(room: str) -> None:
    assert next(quick_tests(ROOT / "tests" / room), None) is not None
