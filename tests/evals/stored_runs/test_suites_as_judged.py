"""A suite is kept as it was when a run was judged by it, with all that reading it takes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evals.stored_runs.suites_as_judged import keep_suite, open_suite_as_judged
from evals.suites.opened import OpenedSuite, open_suite

SUITE = """
version: 1
name: words
prompt: [{role: user, content: "{{ item.text }}"}]
case_schema: ../shared/case.schema.json
training: train.jsonl
graders:
  - {name: team, type: label, labels: [a, b]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shared, folder = tmp_path / "datasets" / "shared", tmp_path / "datasets" / "words"
    for one in (shared, folder):
        one.mkdir(parents=True)
    (shared / "case.schema.json").write_text('{"type": "object"}')
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "train.jsonl").write_text('{"long": "training file"}\n')
    cases = [{"id": f"c{n}", "item": {"text": f"t{n}"}, "expected": "ab"[n % 2]} for n in range(4)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    return folder


def test_it_is_opened_again_after_its_files_are_gone(folder: Path, tmp_path: Path) -> None:
    place, opened = tmp_path / "home" / "suites", open_suite(folder)
    assert keep_suite(place, opened) and keep_suite(place, opened)
    shutil.rmtree(folder.parent)
    kept = open_suite_as_judged(place, opened.fingerprint)
    assert isinstance(kept, OpenedSuite)
    assert [case.id for case in kept.suite.cases] == [f"c{n}" for n in range(4)]
    assert kept.suite.training is not None and kept.suite.training.read_bytes() == b""
    assert open_suite_as_judged(place, "sha256:" + 64 * "0") is None


def test_files_changed_before_they_were_copied_are_not_kept_as_what_judged(
    folder: Path, tmp_path: Path
) -> None:
    place, opened = tmp_path / "home" / "suites", open_suite(folder)
    cases = folder / "cases.jsonl"
    cases.write_text(cases.read_text().replace("t3", "t4"))
    assert not keep_suite(place, opened)
    assert list(place.iterdir()) == []


def test_a_kept_suite_that_was_altered_is_none(folder: Path, tmp_path: Path) -> None:
    place, opened = tmp_path / "home" / "suites", open_suite(folder)
    keep_suite(place, opened)
    (cases,) = place.glob("*/files/words/cases.jsonl")
    cases.write_text(cases.read_text().replace("t3", "t4"))
    assert open_suite_as_judged(place, opened.fingerprint) is None
