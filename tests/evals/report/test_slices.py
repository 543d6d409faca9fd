"""A slice is called worse in words, beside how many were looked at; and pairs are told without deciding anything."""

from __future__ import annotations

import json
from typing import Any

from evals.report.facts import PairedRow, SliceRow
from evals.report.formats.html import render_html
from evals.report.formats.json_report import render_json
from evals.report.formats.markdown import MAX_BYTES, render_markdown
from evals.report.view import build_view

PAIRS = PairedRow(suite="triage", metric="exact_match", n=600, wins=12, losses=31, p_exact=0.00549)
SAID = (
    "Suite triage, exact_match, 600 pairs: candidate right where the baseline is wrong: 12; the other way: 31;"
    " exact McNemar p = 0.005; display only, the gate does not decide by it."
)


def row(language: str = "de", **given: Any) -> SliceRow:
    known: dict[str, Any] = {
        "suite": "triage",
        "metric": "exact_match",
        "slice": {"language": language},
        "n": 188,
        "candidate": 0.7,
        "baseline": 0.82,
        "lower": -0.171,
        "upper": -0.069,
        "p_worse": 0.4,
        "p_holm": 1.0,
    }
    return SliceRow(**(known | given))


WORSE = row(p_worse=0.0021, p_holm=0.0042, worse=True)


def test_a_slice_that_got_worse_is_marked_in_words_and_no_other(facts: Any) -> None:
    view = build_view(facts(slices=(WORSE, row("fr"))))
    assert [found.mark for found in view.slices] == ["worse (Holm, p = 0.004)", ""]
    page = render_html(view)
    assert page.count("worse (Holm") == 1
    assert '<b class="worse">worse (Holm, p = 0.004)</b>' in page


def test_the_lead_says_how_many_were_tested_and_which_could_not_have_been_found(facts: Any) -> None:
    blind = row("pl", p_worse=1.0, p_holm=1.0, note="only 8 clusters; at least 10 are needed")
    (lead,) = build_view(facts(slices=(WORSE, row("fr"), blind))).slice_leads
    assert lead == (
        "Suite triage: 3 slices tested for a candidate worse than the baseline, with Holm's correction over all of"
        " them at 5 %: worse on 1 of them. 1 of them could not have been called worse, for the reason in the note."
        " Shown only: the gate decides by its checks."
    )


def test_each_suite_has_its_own_lead(facts: Any) -> None:
    leads = build_view(facts(slices=(WORSE, row(suite="tools")))).slice_leads
    assert [lead.partition(":")[0] for lead in leads] == ["Suite triage", "Suite tools"]
    assert "worse on none of them" in leads[1]


def test_slices_without_a_baseline_are_not_said_to_be_tested(facts: Any) -> None:
    alone = row(baseline=None, p_worse=None, p_holm=None)
    assert build_view(facts(slices=(alone,))).slice_leads == ()


def test_rounding_never_hides_on_which_side_of_the_bar_a_p_value_is(facts: Any) -> None:
    marks = [
        build_view(facts(slices=(row(p_holm=p, worse=True),))).slices[0].mark
        for p in (0.04996, 2e-9)
    ]
    assert marks == ["worse (Holm, p = 0.04996)", "worse (Holm, p < 0.001)"]


def test_pairs_stand_in_the_page_and_in_markdown(facts: Any) -> None:
    view = build_view(facts(paired=(PAIRS,)))
    assert view.paired == (SAID,)
    assert SAID in render_html(view)
    assert "the other way: 31; exact McNemar p = 0.005" in render_markdown(view)


def test_markdown_names_the_slices_that_got_worse_and_stays_small(facts: Any) -> None:
    many = tuple(row(f"l{number}", p_holm=0.01, worse=True) for number in range(300))
    page = render_markdown(build_view(facts(slices=(*many, row("fine")))))
    assert (
        "language = l0 (triage, exact\\_match): worse (Holm, p = 0.010)".replace(
            "(", "\\("
        ).replace(")", "\\)")
        in page
    )
    assert "288 more slices that got worse in report.html" in page
    assert "fine" not in page
    assert len(page.encode()) < MAX_BYTES


def test_json_keeps_the_numbers_unrounded(facts: Any) -> None:
    given = facts(slices=(WORSE,), paired=(PAIRS,))
    found = json.loads(render_json(given, build_view(given)))["facts"]
    assert (found["slices"][0]["p_holm"], found["paired"][0]["p_exact"]) == (0.0042, 0.00549)
