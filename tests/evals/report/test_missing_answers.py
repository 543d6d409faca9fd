"""A report says why answers are missing before all else, how they counted, and how sure each bound is."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from evals.records import LookPosition
from evals.report.formats.html import render_html
from evals.report.formats.markdown import render_markdown
from evals.report.formats.terminal import verdict_renderable
from evals.report.sections.check import check_view
from evals.report.view import ReportView, build_view

CAUSE = "The candidate answered 0 of 240 cases: 240 server errors"


def texts(view: ReportView) -> tuple[str, str, str]:
    screen = Console(width=500, record=True, file=StringIO())
    screen.print(verdict_renderable(view))
    return screen.export_text(), render_markdown(view), render_html(view)


def test_the_cause_comes_first_where_nothing_could_be_measured(
    facts: Any, verdict: Any, check: Any
) -> None:
    lost = check(
        outcome="INCONCLUSIVE",
        estimate=None,
        candidate=None,
        lower=None,
        upper=None,
        measured=False,
    )
    view = build_view(facts(verdict=verdict("INCONCLUSIVE", lost, causes=(CAUSE,))))
    assert view.headline.sentence.startswith(CAUSE)
    assert all(CAUSE in text for text in texts(view))
    assert view.notes == ()  # said once


def test_a_check_says_how_many_scores_are_missing_and_how_they_count(
    facts: Any, verdict: Any, check: Any
) -> None:
    counted = check_view(check(missing_candidate=12))
    assert counted.reason.endswith(
        "12 of 600 scores of the candidate are missing and counted at the worst."
    )
    left_out = check(n=588, missing_candidate=12, missing_left_out=True)
    view = build_view(facts(verdict=verdict("PASS", left_out, missing="at_random")))
    assert any("missing: at_random" in note for note in view.notes)
    assert (
        "12 of 600 scores of the candidate are missing and left out" in check_view(left_out).reason
    )


def test_the_confidence_is_explained_where_it_is_not_the_gates(
    facts: Any, verdict: Any, check: Any
) -> None:
    look = LookPosition(look=2, rounds=10, planned=600)
    early = check(confidence=0.992, gate_confidence=0.95, look=look, outcome="FAIL", threshold=0.95)
    assert check_view(early).sure == "99.2 %, because this was look 2 of 10"
    assert check_view(check(gate_confidence=0.95)).sure == ""
    view = build_view(facts(verdict=verdict("FAIL", early)))
    assert all("because this was look 2 of 10" in text for text in texts(view))


def test_checks_are_counted_alike_in_the_sentence_and_on_the_board(
    facts: Any, verdict: Any, check: Any
) -> None:
    both = verdict("PASS", check(), check(), check(decides=False))
    view = build_view(
        facts(state="promoted", verdict=both, production_verdict=verdict("PASS", check()))
    )
    assert "all 2 deciding checks hold; on the production deployment" in view.headline.sentence
    assert view.boards[0].summary.startswith("All 2 deciding checks hold; 1 more is reported only")
    assert view.boards[1].summary.startswith("The one deciding check holds")
