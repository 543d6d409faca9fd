"""What changed in a suite is told by cases and graders, from digests alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evals.records import decode, encode
from evals.suites.composition import SuiteComposition, composition_of, suite_edits
from evals.suites.opened import open_suite

SUITE = """\
version: 1
name: letters
prompt: [{role: user, content: "Write about {{ item.about }}."}]
graders: [{name: same, type: exact}]
"""


def composed(folder: Path, cases: dict[str, tuple[str, str]], suite: str = SUITE) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / "suite.yaml").write_text(suite)
    rows = (
        {"id": name, "item": {"about": about}, "expected": expected}
        for name, (about, expected) in cases.items()
    )
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return composition_of(open_suite(folder))


CASES = {f"c{number}": (f"matter {number}", "yes") for number in range(6)}


def test_cases_that_came_went_or_changed_are_counted_and_named(tmp_path: Path) -> None:
    before = composed(tmp_path, CASES)
    changed = {
        **CASES,
        "c1": ("another matter", "yes"),
        "c2": ("matter 2", "no"),
        "new": ("x", "y"),
    }
    del changed["c0"]
    (edit,) = suite_edits(before, composed(tmp_path, changed))
    assert edit.words == (
        "suite letters.cases: of 6, 1 added (new), 1 removed (c0), 1 asked otherwise (c1),"
        " 1 expected or tagged otherwise (c2)"
    )
    assert edit.looser


def test_of_many_cases_three_are_named(tmp_path: Path) -> None:
    before = composed(tmp_path, CASES)
    (edit,) = suite_edits(before, composed(tmp_path, {"c5": CASES["c5"]}))
    assert "5 removed (c0, c1, c2 and 2 more)" in edit.change


def test_graders_are_told_by_type_and_options(tmp_path: Path) -> None:
    before = composed(tmp_path, CASES)
    other = SUITE.replace("exact}", "exact, ignore_case: true}")
    found = suite_edits(before, composed(tmp_path, CASES, other))
    assert [edit.field for edit in found] == ["letters.graders.same"]
    assert "other options" in found[0].change


def test_the_order_of_the_cases_and_a_round_trip_change_nothing(tmp_path: Path) -> None:
    before = composed(tmp_path, CASES)
    turned = composed(tmp_path, dict(reversed(CASES.items())))
    assert suite_edits(before, turned) == ()
    assert decode(encode(before), SuiteComposition) == before
