"""The house keeps its order: rooms that explain themselves, names that say something, packages that are cheap to import.

Who may import whom stands in `pyproject.toml`, as contracts that `make lint` holds.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("evals", "flows")
VAGUE = {"utils", "helpers", "common", "types", "platform", "statistics", "misc"}
ROOMY = 14


def sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def rooms() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path.parent for path in sources(package) if path.name == "__init__.py")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for package in PACKAGES for path in sources(package)}
    assert sorted(shown(folder) for folder in folders - set(rooms())) == []


def test_every_room_says_what_it_is_for_and_where_to_begin():
    silent = [shown(room) for room in rooms() if len(docstring(room / "__init__.py")) < 80]
    assert silent == []


def test_a_room_with_many_modules_says_why_it_is_flat():
    crowded = [
        shown(room)
        for room in rooms()
        if len(list(room.glob("*.py"))) - 1 > ROOMY
        and "flat on purpose" not in docstring(room / "__init__.py").lower()
    ]
    assert crowded == []


def test_no_module_has_a_name_that_says_nothing():
    vague = [shown(path) for package in PACKAGES for path in sources(package) if path.stem in VAGUE]
    assert vague == []


def test_every_room_is_named_in_a_contract_of_who_may_import_whom():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = {
        contract["containers"][0]: contract
        for contract in contracts["contracts"]
        if contract["type"] == "layers"
    }
    for package in PACKAGES:
        assert layers[package]["exhaustive"] is True
        named = {room for layer in layers[package]["layers"] for room in layer.split(" | ")}
        there = {
            path.stem
            for path in (ROOT / package).iterdir()
            if path.suffix == ".py" or path.is_dir()
        } - {"__init__", "__pycache__", "gates", "schemas", "targets"}
        assert named == there


def test_there_is_no_python_below_datasets_and_no_package_marker_below_tests():
    assert list((ROOT / "datasets").rglob("*.py")) == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_evals_that_is_imported_is_ours():
    import evals

    assert Path(evals.__file__).parent == ROOT / "evals"


def test_the_client_that_applications_copy_needs_only_the_standard_library():
    tree = ast.parse((ROOT / "flows" / "live_client.py").read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names


def test_importing_the_packages_loads_nothing_heavy():
    code = (
        "import sys, evals, flows; "
        "heavy = {'prefect','openai','pandas','sklearn','scipy','numpy','httpx','aiohttp','sqlalchemy'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("command", ["live", "history", "runs", "report", "doctor"])
def test_commands_that_only_look_never_touch_prefect(command: str):
    code = (
        "import sys; from flows.cli import run; code = run([sys.argv[1], '--help']); "
        "sys.stderr.write(str('prefect' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stderr == "False"
