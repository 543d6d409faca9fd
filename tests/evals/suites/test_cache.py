"""A suite that is the same is not read again; one that is not, however alike it looks, is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evals.errors import ConfigurationError
from evals.suites import cache
from evals.suites.cache import open_kept_suite
from evals.suites.opened import open_suite


@pytest.fixture
def settle(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Stops the cache's clock, and moves it on until what was written can't be mistaken for what is written next."""
    moment = [time.time()]
    monkeypatch.setattr(cache, "time", SimpleNamespace(time=lambda: moment[0]))

    def settle() -> None:
        time.sleep(0.05)  # more than the steps in which this file system counts time
        moment[0] = time.time() + 2.1

    return settle


def test_only_an_unchanged_suite_is_kept(tmp_path: Path, folder_suite: Any, settle: Any) -> None:
    written = folder_suite(5)
    folder, cases = tmp_path / "triage", tmp_path / "triage" / "cases.jsonl"
    settle()
    first, second = open_kept_suite(folder, "one"), open_kept_suite(folder, "other")
    assert second.suite is first.suite
    assert [one.graders[0].context.model_client for one in (first, second)] == ["one", "other"]
    assert first.fingerprint == second.fingerprint == written.fingerprint
    # The same size, and the time of the change set back: still another suite.
    before, text = cases.stat(), cases.read_text()
    cases.write_text(text.replace("case 3", "case 9"))
    os.utime(cases, ns=(before.st_atime_ns, before.st_mtime_ns))
    third = open_kept_suite(folder)
    assert (third.suite.cases[3].item, third.fingerprint == first.fingerprint) == (
        {"text": "triage case 9"},
        False,
    )
    assert first.suite.cases[3].item == {"text": "triage case 3"}
    cases.write_text(text + "\n{}")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"cases\.jsonl:6"):
            open_kept_suite(folder)


def test_a_suite_that_was_just_written_is_known_by_what_it_holds(
    tmp_path: Path, folder_suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_suite(5)
    folder, cases = tmp_path / "triage", tmp_path / "triage" / "cases.jsonl"
    now = time.time_ns()
    monkeypatch.setattr(cache, "_mark", lambda path: (now, now))  # as if time stood still
    first = open_kept_suite(folder)
    assert open_kept_suite(folder).suite is first.suite
    cases.write_text(cases.read_text().replace("case 3", "case 9"))
    assert open_kept_suite(folder).suite.cases[3].item == {"text": "triage case 9"}


def test_a_suite_that_is_written_while_it_is_read_is_not_kept(
    tmp_path: Path, folder_suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_suite(5)
    folder, cases = tmp_path / "triage", tmp_path / "triage" / "cases.jsonl"

    def opened_and_changed(*arguments: Any) -> Any:
        opened = open_suite(*arguments)
        cases.write_text(cases.read_text().replace("case 3", "case 9"))
        return opened

    monkeypatch.setattr(cache, "open_suite", opened_and_changed)
    assert open_kept_suite(folder).suite.cases[3].item == {"text": "triage case 3"}
    assert open_kept_suite(folder).suite.cases[3].item == {"text": "triage case 9"}


def test_a_file_that_comes_or_changes_beside_the_cases_is_seen(
    tmp_path: Path, folder_suite: Any, settle: Any
) -> None:
    outside = tmp_path / "shape.json"
    outside.write_text('{"type": "object"}')
    folder_suite(5, case_schema="../shape.json", description="a text that is no path " * 50)
    folder = tmp_path / "triage"
    settle()
    first = open_kept_suite(folder)
    assert open_kept_suite(folder).suite is first.suite
    (folder / "CARD.md").write_text("new")
    assert open_kept_suite(folder).suite is not first.suite
    outside.write_text('{"type": "object", "required": ["customer"]}')
    with pytest.raises(ConfigurationError, match="customer"):
        open_kept_suite(folder)
