"""The same words as Markdown, JUnit XML, JSON and in a terminal, each safe for where it is read."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

from evals.records import NextStep
from evals.report.facts import RunFacts
from evals.report.formats.json_report import render_json
from evals.report.formats.junit import render_junit
from evals.report.formats.markdown import MAX_BYTES, render_markdown
from evals.report.formats.terminal import verdict_renderable
from evals.report.view import build_view
from evals.report.write import write_report

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown(facts: Any, width: int, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
    )
    console.print(verdict_renderable(build_view(facts)))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_markdown_says_answer_checks_coverage_and_cases(
    facts: Any, verdict: Any, failing: Any, example: Any
) -> None:
    page = render_markdown(
        build_view(facts(verdict=verdict("FAIL", failing), examples=(example(),)))
    )
    assert page.startswith("## ✕ REFUSED: triage")
    assert "| ✕ FAIL | triage/exact\\_match | at least 0.80 | 0.741 |" in page
    assert "600 of 600 planned scored (100 %)" in page
    assert "### Regressions: `t-0001`" in page


def test_a_models_text_cant_leave_its_fence(hostile: Any) -> None:
    page = render_markdown(build_view(hostile))
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", page, flags=re.DOTALL | re.MULTILINE)
    outside = re.sub(r"`[^`\n]*`", "", outside)
    assert "````text" in page
    assert "<script>" not in outside
    assert "\n# heading" not in outside
    assert not CONTROLS.search(page)


def test_markdown_mentions_nobody_and_links_nowhere(facts: Any) -> None:
    page = render_markdown(
        build_view(
            facts(notes=("ask @everyone at https://evil.example or www.evil.example [x](y)",))
        )
    )
    assert "@everyone" not in page
    assert "https://" not in page
    assert "www.evil" not in page
    assert "[x](y)" not in page


@pytest.mark.parametrize("count", [40, 2000])
def test_markdown_stays_below_its_size_and_says_what_is_missing(
    facts: Any, verdict: Any, check: Any, example: Any, count: int
) -> None:
    checks = [check(metric=f"a_long_name_for_metric_{number}") for number in range(count)]
    examples = tuple(example(case_id=f"t-{number}", prompt="🙂" * 5000) for number in range(50))
    given = facts(
        verdict=verdict("PASS", *checks),
        examples=examples,
        notes=tuple("n" * 900 for _ in range(90)),
    )
    page = render_markdown(build_view(given))
    assert len(page.encode()) < MAX_BYTES
    if count == 2000:
        assert "more checks in report.html" in page


def test_junit_has_a_case_for_the_verdict_and_for_every_check(
    facts: Any, verdict: Any, check: Any, failing: Any
) -> None:
    given = facts(
        verdict=verdict(
            "FAIL",
            failing,
            check(),
            check(outcome="INCONCLUSIVE"),
            check(decides=False),
            check(outcome="ERROR"),
        )
    )
    root = ElementTree.fromstring(render_junit(given, build_view(given)))
    suite = root.find("testsuite")
    assert suite is not None
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {
        "tests": "6",
        "failures": "3",
        "errors": "1",
        "skipped": "1",
        "time": "99.000",
    }
    types = [found.get("type") for found in root.iter("failure")]
    assert types == ["FAIL", "FAIL", "INCONCLUSIVE"]


def test_a_waiting_first_release_is_red_in_ci_though_its_checks_hold(
    facts: Any, verdict: Any, check: Any
) -> None:
    given = facts(verdict=verdict("INCONCLUSIVE", check(), first_release=True), baseline=None)
    root = ElementTree.fromstring(render_junit(given, build_view(given)))
    assert [found.get("type") for found in root.iter("failure")] == ["INCONCLUSIVE"]


def test_no_verdict_is_an_error_in_ci(facts: Any) -> None:
    root = ElementTree.fromstring(render_junit(facts(), build_view(facts())))
    assert len(list(root.iter("error"))) == 1


def test_hostile_text_leaves_the_xml_well_formed(hostile: Any) -> None:
    text = render_junit(hostile, build_view(hostile))
    ElementTree.fromstring(text)
    assert not CONTROLS.search(text)


def test_json_is_ascii_sorted_and_reads_back_as_the_same_facts(
    facts: Any, verdict: Any, failing: Any, example: Any
) -> None:
    given = facts(verdict=verdict("FAIL", failing), examples=(example(prompt="\u202e\x9b ü"),))
    text = render_json(given, build_view(given))
    assert text.isascii()
    assert json.loads(text)["answer"]["state"] == "refused"
    assert msgspec.convert(json.loads(text)["facts"], RunFacts) == given


def test_json_gives_a_next_step_as_one_text_with_command_and_effect(facts: Any) -> None:
    step = NextStep(command="gatewright history triage", effect="shows what happened")
    found = json.loads(render_json(given := facts(next_steps=(step,)), build_view(given)))
    assert found["facts"]["next_steps"] == ["gatewright history triage   shows what happened"]


def test_json_knows_no_infinity_and_no_megabytes(
    facts: Any, verdict: Any, check: Any, hostile: Any
) -> None:
    given = facts(verdict=verdict("PASS", check(upper=math.inf, lower=math.nan)))
    found = json.loads(render_json(given, build_view(given)))["facts"]["verdict"]["checks"][0]
    assert (found["upper"], found["lower"]) == (None, None)
    assert len(render_json(hostile, build_view(hostile))) < 100_000


def test_the_terminal_shows_outcome_words_numbers_and_reasons(
    facts: Any, verdict: Any, check: Any, failing: Any
) -> None:
    page = shown(
        facts(
            verdict=verdict("FAIL", failing, check()),
            next_steps=(NextStep(command="gatewright history triage"),),
        ),
        120,
    )
    assert page.startswith("✕ REFUSED  exact_match is 0.741")
    assert "0.711 to 0.770" in page
    assert "With 95 % confidence the candidate's value is below 0.770" in page
    assert "Next: gatewright history triage" in page


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(hostile: Any, width: int) -> None:
    assert max(len(line) for line in shown(hostile, width).splitlines()) <= width


def test_the_numbers_are_whole_on_80_columns(facts: Any, verdict: Any, check: Any) -> None:
    long = check(
        metric="a_very_long_metric_name_indeed.macro_f1",
        kind="max_drop",
        threshold=0.03,
        estimate=-0.049,
        lower=-0.066,
        upper=-0.0301,
        outcome="FAIL",
    )
    page = shown(facts(verdict=verdict("FAIL", long)), 80)
    assert "−0.0660 to −0.0301" in page
    assert "600" in page


def test_a_model_cant_steer_the_terminal_nor_use_its_markup(hostile: Any, facts: Any) -> None:
    assert not CONTROLS.search(shown(hostile, 120))
    plain = shown(facts(notes=("[bold red]owned[/] [link=http://x]y[/link]",)), 120)
    assert "[bold red]owned[/] [link=http://x]y[/link]" in plain


def test_writing_gives_four_whole_files_and_leaves_nothing_else(
    facts: Any, verdict: Any, failing: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "run" / "deep"
    paths = write_report(facts(verdict=verdict("FAIL", failing)), folder)
    write_report(facts(verdict=verdict("FAIL", failing)), folder)
    names = ["report.html", "report.md", "report.junit.xml", "report.json"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_write_that_fails_leaves_no_half_file(facts: Any, tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError):
        write_report(facts(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
