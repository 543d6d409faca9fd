"""Who may import whom, read from the source: the rooms stay apart, and importing a package starts nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOWS = ("promotion", "regression", "rollback", "watch", "sweep")

# Rooms of flows/, left to right: a room may import those with a higher number, and its own.
LEVELS = {
    "cli": 0,
    "commands": 0,
    "service": 0,
    "demo": 0,
    "servers": 0,
    "following": 0,
    **dict.fromkeys(FLOWS, 1),
    "tasks": 2,
    "promoting": 3,
    "asking": 3,
    "evaluating": 3,
    "releasing": 3,
    "reporting": 3,
    "monitoring": 3,
    "triggers": 3,
    "platforms": 4,
    "registry": 4,
    "publishers": 4,
    "artifacts": 4,
}
APART = ("platforms", "registry", "publishers")
# `locks`, `suspending` and `temporary_prefect` are what needs Prefect itself: a lock, a wait without a process, a server.
MAY_IMPORT_PREFECT = {*FLOWS, "tasks", "artifacts", "locks", "suspending", "temporary_prefect"}

# Rooms of evals/, from the ground up: a room may import those with a lower number, and its own.
EVALS = {
    "errors": 0,
    "records": 0,
    "templates": 0,
    "schema_errors": 0,
    "authored": 0,
    "suites": 1,
    "sampling": 1,
    "stats": 1,
    "graders": 2,
    "metrics": 2,
    "runner": 3,
    "comparison": 4,
    "gate": 5,
    "report": 6,
}


def sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Every module a file imports, anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node.lineno
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[1]


def violations(package: str, forbidden) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources(package)
        for module, line in imported(path)
        if forbidden(path, module)
    ]


def test_evals_imports_nothing_from_flows_and_no_prefect_and_no_azure():
    def forbidden(path: Path, module: str) -> bool:
        return module.split(".")[0] in ("flows", "prefect", "azure")

    assert violations("evals", forbidden) == []


def test_rooms_of_evals_only_look_down():
    def forbidden(path: Path, module: str) -> bool:
        mine, theirs = EVALS.get(room_of(path)), EVALS.get(room(module))
        ours = module.startswith("evals.") and room(module) != room_of(path)
        return ours and mine is not None and theirs is not None and theirs > mine

    assert violations("evals", forbidden) == []


def test_rooms_of_flows_only_look_right():
    def forbidden(path: Path, module: str) -> bool:
        mine, theirs = LEVELS.get(room_of(path)), LEVELS.get(room(module))
        ours = module.startswith("flows.") and room(module) != room_of(path)
        return ours and mine is not None and theirs is not None and theirs < mine

    assert violations("flows", forbidden) == []


def test_platforms_registry_and_publishers_do_not_know_each_other():
    def forbidden(path: Path, module: str) -> bool:
        mine = room_of(path)
        return mine in APART and module.startswith("flows.") and room(module) in set(APART) - {mine}

    assert violations("flows", forbidden) == []


def test_prefect_is_imported_by_the_flows_their_tasks_and_what_they_show():
    def forbidden(path: Path, module: str) -> bool:
        return module.split(".")[0] == "prefect" and room_of(path) not in MAY_IMPORT_PREFECT

    assert violations("flows", forbidden) == []


def test_azure_packages_are_imported_by_the_azure_platform_and_publisher_alone():
    def forbidden(path: Path, module: str) -> bool:
        return module.split(".")[0] == "azure" and not path.name.startswith("azure_")

    assert violations("flows", forbidden) == []


def test_no_module_has_a_name_that_says_nothing():
    vague = {"utils", "helpers", "common", "types", "platform", "statistics", "misc"}
    named = [
        path for package in ("evals", "flows") for path in sources(package) if path.stem in vague
    ]
    assert named == []


def test_there_is_no_python_below_datasets_and_no_package_marker_below_tests():
    assert list((ROOT / "datasets").rglob("*.py")) == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_evals_that_is_imported_is_ours():
    import evals

    assert Path(evals.__file__).parent == ROOT / "evals"


def test_importing_the_packages_is_cheap_and_loads_nothing_heavy():
    code = (
        "import sys, evals, flows; "
        "heavy = {'prefect','openai','pandas','sklearn','scipy','numpy','httpx','aiohttp','sqlalchemy'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr
    assert (
        time.perf_counter() - begin < 3
    )  # 0.3 s on an idle machine; a busy one must not fail the test


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
