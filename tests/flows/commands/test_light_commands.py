"""Commands that look, or that a person in a hurry types, import nothing that takes long: they answer within a second."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evals.records import Endpoint
from flows.registry.records import NewPointer
from flows.registry.store import Registry

TARGET = "support-triage"
HEAVY = "prefect openai azure aiohttp litellm numpy pandas scipy sklearn fastapi starlette"
CODE = """
import json, sys
from flows.cli import run
for command in json.loads(sys.argv[2]):
    code = run(command)
    print(code, sorted({name.split(".")[0] for name in sys.modules} & {*sys.argv[1].split()}), file=sys.stderr)
"""


@pytest.fixture
def seeded(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with a model live for its target."""
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEWRIGHT_ACTOR", "ana")
    home = Path(project.environment["GATEWRIGHT_HOME"])
    home.mkdir()
    with Registry.open(f"sqlite:///{home}/registry.db") as registry:
        endpoint = Endpoint(base_url="http://127.0.0.1:1", model="v1", model_id="v1")
        registry.switch(
            NewPointer(target=TARGET, model_id="v1", platform="embedded", endpoint=endpoint),
            expected_generation=0,
            actor="ana",
            reason="runs already",
            kind="adopt",
        )
    return project


COMMANDS: list[tuple[tuple[str, ...], int]] = [
    (("live",), 0),
    (("history", TARGET), 0),
    (("runs",), 0),
    (("status", "--offline"), 0),
    (("hold", TARGET, "--reason", "incident"), 0),
    (("revoke", TARGET, "v1", "--reason", "leaks"), 0),
    (("rollback", TARGET, "--to", "v9", "--reason", "x"), 3),
    (("approve", "nobody", "--reason", "x"), 3),
    (("reject", "nobody", "--reason", "x"), 3),
]


@pytest.mark.slow
def test_a_command_in_a_hurry_imports_nothing_that_takes_long(seeded: Any) -> None:
    """One after another in one process: the first that imports too much is the first with a list that is not empty."""
    commands = json.dumps([command for command, _ in COMMANDS])
    done = subprocess.run(
        [sys.executable, "-c", CODE, HEAVY, commands], capture_output=True, text=True, timeout=900
    )
    told = [line for line in done.stderr.splitlines() if line.endswith("]")]
    assert list(zip(COMMANDS, told, strict=True)) == [
        ((command, code), f"{code} []") for command, code in COMMANDS
    ], done.stderr
