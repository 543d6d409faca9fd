"""How the checks of a run stand is said in one short line each, and what may still change is never called decided."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from evals.gate.looks import CheckLook, LookEvent
from evals.records import CheckResult
from evals.report.look_view import look_heading, look_lines, look_view


def check(
    name: str, outcome: Any, *, decides: bool = True, n: int = 1200, **more: Any
) -> CheckLook:
    result = CheckResult(
        check=name,
        metric="exact",
        kind="at_least",
        threshold=0.5,
        outcome=outcome,
        reason="",
        decides=decides,
        suite=None,
        slice={},
        n=n,
    )
    facts = {"decided": outcome != "INCONCLUSIVE" and decides} | more
    return CheckLook(key=name, n=n, counted=True, result=result, **facts)


def look(*checks: CheckLook, number: int = 2, stop: bool = False) -> LookEvent:
    return LookEvent(
        look=number,
        rounds=10,
        policy_digest="p",
        evidence_digest="e",
        checks=checks,
        needs=(),
        stop=stop,
    )


@pytest.fixture
def mixed() -> LookEvent:
    return look(
        check("passed", "PASS"),
        check("open [plan=free]", "INCONCLUSIVE"),
        check("watched", "FAIL", decides=False),
        check("given", "INCONCLUSIVE", decided=True, futile=True),
        check("failed", "FAIL"),
    )


def test_a_log_gets_a_line_for_each_check(mixed: LookEvent) -> None:
    assert look_heading(mixed) == "after look 2 of 10, 2 of 4 checks are decided"
    assert look_lines(mixed) == [
        "PASS       passed, n 1,200",
        "undecided  open [plan=free], n 1,200",
        "FAIL       watched (does not decide), n 1,200",
        "undecided  given (given up), n 1,200",
        "FAIL       failed, n 1,200",
    ]


def test_a_log_gets_only_what_has_changed_since_the_look_before(mixed: LookEvent) -> None:
    before = look(check("passed", "INCONCLUSIVE"), *mixed.checks[1:], number=1)
    assert look_lines(mixed, before) == ["PASS       passed, n 1,200"]


def test_what_neither_decides_nor_was_measured_is_not_listed() -> None:
    first_release = look(
        check("own value", "PASS"),
        check("comparison", "INCONCLUSIVE", decides=False, n=0),
        check("shadow", "PASS", decides=False, n=5),
        check("not yet measured", "INCONCLUSIVE", n=0),
    )
    assert [line.split()[1] for line in look_lines(first_release)] == ["own", "shadow", "not"]
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(look_view(first_release))
    assert "comparison" not in console.export_text()


def test_a_terminal_shows_bad_news_first_and_wraps_long_names_at_80_columns() -> None:
    long = (
        "exact max_drop 0.02 [language=de, plan=enterprise, region=somewhere far away, tier=three]"
    )
    passed = [check(f"passed {number}", "PASS") for number in range(14)]
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(look_view(look(*passed, check(long, "INCONCLUSIVE"), check("failed", "FAIL"))))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[:2] for line in (lines[1], lines[2], lines[4])] == [
        ["FAIL", "failed"],
        ["undecided", "exact"],
        ["PASS", "passed"],
    ]
    said = " ".join(" ".join(lines[2:4]).replace("n 1,200", "").split())
    assert said == f"undecided {long}"  # all of it: two checks may differ in their last words only
    assert (len(lines), lines[-1].strip()) == (15, "and 4 more")


def test_thirty_nine_checks_fit_80_columns() -> None:
    names = [f"exact max_drop 0.02 [language=de, plan=enterprise, tier={n}]" for n in range(39)]
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(look_view(look(*(check(name, "INCONCLUSIVE") for name in names))))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1].strip() == "and 27 more"
