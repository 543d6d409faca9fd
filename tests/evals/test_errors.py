"""The tree at the top of evals/errors.py shows every error with its place, its exit code and nothing else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import evals.errors
from evals.errors import GatewrightError
from flows.commands.interrupts import EXIT_INTERRUPTED

ROOT = Path(evals.errors.__file__).parents[1]
LINE = re.compile(r"^(?P<lead>[│├└─ ]*)(?P<name>\w+Error) +exit (?P<code>\d+):", re.MULTILINE)


def drawn() -> dict[str, tuple[str | None, int]]:
    """Parent and exit code of each error of the drawing."""
    found: dict[str, tuple[str | None, int]] = {}
    above: list[str] = []
    for line in LINE.finditer(evals.errors.__doc__ or ""):
        depth = len(line["lead"]) // 4
        above[depth:] = [line["name"]]
        found[line["name"]] = (above[depth - 1] if depth else None, int(line["code"]))
    return found


def written() -> dict[str, tuple[str | None, int]]:
    """Parent and exit code of each error of the sources."""
    classes = [
        node
        for package in ("evals", "flows")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and node.bases
    ]
    found: dict[str, tuple[str | None, int]] = {
        "GatewrightError": (None, GatewrightError.exit_code)
    }
    for _ in range(4):  # as deep as the tree is, at most
        for node in classes:
            parent = node.bases[0]
            if isinstance(parent, ast.Name) and parent.id in found:
                code = _own_code(node)
                found[node.name] = (parent.id, found[parent.id][1] if code is None else code)
    return found


def _own_code(node: ast.ClassDef) -> int | None:
    for statement in node.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(statement, ast.AnnAssign):
            target = statement.target
        if isinstance(target, ast.Name) and target.id == "exit_code":
            value = statement.value  # type: ignore[attr-defined]
            return int(value.value) if isinstance(value, ast.Constant) else EXIT_INTERRUPTED
    return None


def test_every_error_is_drawn_where_it_belongs_with_its_exit_code() -> None:
    assert drawn() == written()


def test_the_drawing_has_the_errors_of_this_module_in_it() -> None:
    named = {name for name in evals.errors.__all__ if name.endswith("Error")}
    assert named <= set(drawn())
