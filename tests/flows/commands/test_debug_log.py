"""GATEWRIGHT_LOG tells the story of a run, request by request and decision by decision, and no secret."""

from __future__ import annotations

import logging
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evals.errors import ConfigurationError
from flows.commands.debug_log import start_log
from flows.publishers.publish import publish_everywhere
from flows.publishers.table import build_publishers
from flows.registry.opening import open_registry

SECRET = "s3cret/value+of/this.test"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A debug log in a file; afterwards the loggers are as they were."""
    loggers = [logging.getLogger(name) for name in ("evals", "flows")]
    path = tmp_path / "debug.log"
    start_log(
        {
            "GATEWRIGHT_LOG": "debug",
            "GATEWRIGHT_LOG_FILE": str(path),
            "ACME_API_KEY": SECRET,
            "GATEWRIGHT_WEBHOOK_SECRETS": "whsec_first0123456, whsec_second012345",
            "GATEWRIGHT_REGISTRY_URL": "postgresql://ana:pass%40word12@db/gatewright",
        }
    )
    yield path
    for logger in loggers:
        for handler in logger.handlers:
            handler.close()
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)


async def test_the_log_tells_the_story_of_a_run(letters: Any, host: Any, log: Path) -> None:
    letters.go_live()
    run_id = letters.request()
    await letters.prepare(run_id)
    verdict = await letters.judge(run_id)
    lines = log.read_text().splitlines()
    story = [
        rf"requested .*{run_id} by ada",
        r"begins to .* at http://127\.0\.0\.1",
        r"candidate letters/c\d+ repeat 0: attempt 1, asks ft:gpt-4\.1-mini",
        r"candidate letters/c\d+ repeat 0: answered after 1 attempts",
        rf"{run_id}: PASS: tone at_least 0\.5",
        rf"INFO .*verdict.* {run_id}",
    ]
    found = [
        next((i for i, line in enumerate(lines) if re.search(part, line)), None) for part in story
    ]
    assert None not in found, story[found.index(None)]
    assert found == sorted(found, key=lambda place: place or 0)
    assert verdict.outcome == "PASS"
    asked = sum("attempt 1, asks" in line for line in lines)
    assert asked >= sum(count for model, count in host.asked.items() if model.startswith("ft:"))


async def test_what_publishers_wrote_is_in_the_log(letters: Any, log: Path, tmp_path: Path) -> None:
    letters.go_live()
    entries = [{"file": {"path": "live.json"}}]
    publishers = build_publishers(entries, target="letters", root=tmp_path)
    with open_registry(letters.settings) as registry:
        live = registry.live("letters")
    assert live is not None
    await publish_everywhere(publishers, live)
    assert f"file live.json, try 1: {live.model_id} (generation 1)" in log.read_text()


def test_no_secret_of_the_environment_is_written_in_any_spelling(log: Path) -> None:
    write = logging.getLogger("flows.somewhere").info
    write("key %s, as an address would have it: %s", SECRET, "s3cret%2Fvalue%2Bof%2Fthis.test")
    write("%s", {"Authorization": "Bearer eyJhbGciOiJub25lIn0.payload.signature"})
    write("hooks whsec_first0123456 and whsec_second012345")
    write("database %s or %s", "pass%40word12", "pass@word12")
    write("x" * 1995 + SECRET)
    text = log.read_text()
    assert text.count("[redacted]") >= 7
    for secret in ("s3cret", "eyJ", "whsec_first", "whsec_second", "word12"):
        assert secret not in text


def test_what_a_model_wrote_can_neither_steer_a_terminal_nor_forge_a_line(log: Path) -> None:
    logging.getLogger("evals.somewhere").debug(
        "said %s", "\x1b[2Jhello\r\n2026 INFO forged: line\u202e"
    )
    (line,) = log.read_text().splitlines()
    assert line.endswith("evals.somewhere: said hello 2026 INFO forged: line")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z DEBUG ", line)


def test_a_log_that_has_no_room_says_so_once_and_what_it_is_about_goes_on(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        for number in range(3):
            logging.getLogger("evals.somewhere").warning("said %d", number)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err
    assert (
        said.count(
            f"the log goes on without {log}: {log} can't be written: the file is larger than `ulimit -f`"
        )
        == 1
    )
    assert "Traceback" not in said


def test_without_a_level_nothing_is_set_up() -> None:
    before = list(logging.getLogger("flows").handlers)
    start_log({"GATEWRIGHT_LOG_FILE": "/nowhere/at/all"})
    assert logging.getLogger("flows").handlers == before


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"GATEWRIGHT_LOG": "debgu"}, "GATEWRIGHT_LOG: .*did you mean 'debug'"),
        ({"GATEWRIGHT_LOG": "info", "GATEWRIGHT_LOG_FILE": "/nowhere/at/all"}, "can't be written"),
    ],
)
def test_a_wrong_setting_is_one_clear_error(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        start_log(environment)


def test_the_command_line_writes_it_to_stderr(project: Any) -> None:
    quiet = project.gatewright("runs", "--json")
    loud = project.gatewright("runs", "--json", GATEWRIGHT_LOG="debug")
    assert (loud.code, loud.out) == (quiet.code, quiet.out)
    wrong = project.gatewright("runs", GATEWRIGHT_LOG="everything")
    assert wrong.code == 3
    assert "error: GATEWRIGHT_LOG: expected debug, info or warning" in wrong.err
