"""pyproject.toml declares what the code imports, no more and no less, and no module needs an extra to be imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = {
    name: wanted
    for name, wanted in PROJECT["optional-dependencies"].items()
    if name not in ("all", "dev")
}
# `azure` is one name for many libraries.
SHARED = {
    "azure.appconfiguration": "azure-appconfiguration",
    "azure.core": "azure-core",
    "azure.identity": "azure-identity",
}
BY_OTHERS = {"psycopg", "pyarrow"}
"""Libraries that SQLAlchemy and pandas import for us."""


def plain(requirement: str) -> str:
    """A requirement's name, as package indexes compare names."""
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("evals", "flows"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def imported() -> Iterator[str]:
    for _, path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module


def libraries(name: str, known: dict[str, list[str]]) -> set[str]:
    root = name.partition(".")[0]
    if root in sys.stdlib_module_names or root in ("evals", "flows"):
        return set()
    if root == "azure":
        return {library for start, library in SHARED.items() if name.startswith(start)}
    return {plain(library) for library in known.get(root, [root])}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    known = dict(packages_distributions())
    used = BY_OTHERS.union(*(libraries(name, known) for name in set(imported())))
    optional = [one for wanted in EXTRAS.values() for one in wanted]
    declared = {plain(one) for one in [*PROJECT["dependencies"], *optional]}
    assert declared - used == set()
    brought = {plain(one) for library in declared for one in requires(library) or ()}
    assert used - declared - brought == set()


def test_all_holds_every_extra_and_dev_holds_all():
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert set(re.findall(r"[\w-]+", everything)) == {"gatewright", *EXTRAS}
    assert "gatewright[all]" in PROJECT["optional-dependencies"]["dev"]


def test_no_module_needs_an_extra_to_be_imported():
    blocked = ["azure.appconfiguration", "nltk", "psycopg", "pyarrow", "rouge_score", "sacrebleu"]
    names = [name for name, _ in modules() if not name.endswith("__main__")]
    code = (
        f"import importlib, sys; sys.modules.update(dict.fromkeys({blocked!r})); "
        f"[importlib.import_module(name) for name in {names!r}]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_constraints_are_names_and_versions_alone():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []
