"""A report shows how far the candidate is from models that were live before, and says whom its anchor is."""

from __future__ import annotations

from typing import Any

from evals.records import Verdict
from evals.report.facts import DeclineRow
from evals.report.formats.html import render_html
from evals.report.formats.markdown import render_markdown
from evals.report.view import build_view

ROW = DeclineRow(
    standing="the best so far",
    model_id="ft:small:acme::v1",
    generation=1,
    since="2026-03-01T00:00:00Z",
    metric="exact_match",
    n=600,
    candidate=0.81,
    kept=0.88,
    estimate=-0.07,
    lower=-0.09,
    upper=-0.05,
)
SAID = (
    "exact_match against v1, the best so far (generation 1, live since 2026-03-01 00:00:00 UTC): 0.810, was 0.880,"
    " difference −0.070 (−0.090 to −0.050, 90 % interval, 600 unchanged cases asked of both)."
)


def test_every_page_says_how_far_the_candidate_is_from_the_best(facts: Any) -> None:
    view = build_view(facts(declines=(ROW,), names={"ft:small:acme::v1": "v1"}))
    assert view.decline == (SAID,)
    assert "Earlier live models" in render_html(view)
    assert "### Earlier live models" in render_markdown(view)


def test_what_could_not_be_compared_is_said(facts: Any) -> None:
    row = DeclineRow(
        standing="the best so far",
        model_id="m",
        generation=1,
        since="",
        metric="exact_match",
        note="the kept answers of m are damaged",
    )
    (said,) = build_view(facts(declines=(row,))).decline
    assert said.endswith(": the kept answers of m are damaged.")


def test_a_check_against_the_anchor_is_told_apart_from_that_against_the_live_model(
    facts: Any, check: Any, verdict: Any
) -> None:
    drop = {"kind": "max_drop", "threshold": 0.03, "estimate": 0.0, "lower": -0.01, "upper": 0.01}
    anchored = check("exact_match", **drop, against="anchor", against_model="ft:small:acme::v1")
    found: Verdict = verdict("PASS", check("exact_match", **drop), anchored)
    view = build_view(facts(verdict=found))
    bars = [one.bar for board in view.boards for one in board.checks]
    assert bars == ["drop below 0.03", "drop below 0.03 against the anchor"]
    reasons = [one.reason for board in view.boards for one in board.checks]
    assert "difference to the baseline" in reasons[0]
    assert "difference to the anchor" in reasons[1]
    assert ("anchor", "ft:small:acme::v1") in [(one.name, one.value) for one in view.header]


def test_the_headline_names_the_live_model_that_fell(facts: Any, check: Any, verdict: Any) -> None:
    fell = "the live model's own deployment answers worse than when it was promoted"
    found = check(
        "exact_match", "max_drop", 0.03, outcome="INCONCLUSIVE", rests_on="rule", overruled=fell
    )
    view = build_view(facts(verdict=verdict("INCONCLUSIVE", found)))
    assert fell in view.headline.sentence
