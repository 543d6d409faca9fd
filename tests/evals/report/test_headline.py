"""The sentence on top answers the one question of its reader, and never sounds better than the evidence."""

from __future__ import annotations

import html
import io
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from evals.records import EarlierTry, Edit, TryCount
from evals.report.facts import Consent
from evals.report.formats.html import render_html
from evals.report.formats.markdown import render_markdown
from evals.report.formats.terminal import verdict_renderable
from evals.report.sections.headline import headline
from evals.report.view import ReportView, build_view


def in_terminal(view: ReportView) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(verdict_renderable(view))
    return console.export_text()


def second_try(*edits: Edit) -> TryCount:
    first = EarlierTry(
        run_id="run-0",
        at="2026-11-20T08:00:00Z",
        requested_by="cleo",
        try_number=1,
        outcome="FAIL",
        edits=edits,
    )
    return TryCount(number=2, candidates=1, window_s=90 * 86400, confidence=0.95, earlier=(first,))


def test_a_refusal_names_the_gravest_check_and_what_stays_live(
    facts: Any, verdict: Any, check: Any, failing: Any
) -> None:
    undecided = check(outcome="INCONCLUSIVE")
    found = headline(facts(verdict=verdict("FAIL", undecided, check(), failing)))
    assert found.line == (
        "REFUSED: exact_match is 0.741 (at least 0.80 asked), and 1 more check is undecided; v2 stayed live."
    )


def test_a_promotion_says_what_it_replaced_and_how_many_checks_hold(
    facts: Any, verdict: Any, check: Any
) -> None:
    found = headline(facts(state="promoted", verdict=verdict("PASS", check(), check())))
    assert found.line == "PROMOTED: v3 went live instead of v2; all 2 deciding checks hold."


def test_a_candidate_that_passed_and_failed_to_go_live_says_what_kept_it(
    facts: Any, verdict: Any, check: Any
) -> None:
    passed = verdict("PASS", check())
    found = headline(
        facts(state="failed", verdict=passed, error="gpt-4.ft-1 could not be put there")
    )
    assert found.line == "FAILED: gpt-4.ft-1 could not be put there; v2 stayed live."
    found = headline(facts(state="failed", verdict=passed, error="put back: nobody listens"))
    assert found.line == "FAILED: Put back: nobody listens; v2 stayed live."


def test_a_promotion_against_the_gate_never_looks_like_a_pass(
    facts: Any, verdict: Any, check: Any, failing: Any
) -> None:
    found = headline(facts(state="promoted", verdict=verdict("FAIL", check(), failing)))
    assert found.word == "PROMOTED against the gate"
    assert found.tone != "pass"
    assert "the gate said FAIL, 1 of 2 deciding checks holds" in found.sentence


def test_a_pass_without_a_promotion_is_not_called_promoted(
    facts: Any, verdict: Any, check: Any
) -> None:
    found = headline(facts(verdict=verdict("PASS", check())))
    assert found.line == "PASSED: v3: the one deciding check holds; v2 stayed live."


def test_no_verdict_is_an_error_and_never_a_pass(facts: Any) -> None:
    assert headline(facts()).line == "ERROR: No verdict was reached; v2 stayed live."
    assert headline(facts(error="quota exceeded.")).line == "ERROR: Quota exceeded; v2 stayed live."


def test_a_pass_that_broke_off_later_is_an_error(facts: Any, verdict: Any, check: Any) -> None:
    assert (
        headline(facts(verdict=verdict("PASS", check()), error="the switch failed")).state
        == "error"
    )


def test_a_verdict_without_deciding_checks_is_never_praised(
    facts: Any, verdict: Any, check: Any
) -> None:
    found = headline(facts(verdict=verdict("PASS", check(decides=False))))
    assert "no check decided" in found.sentence


def test_the_worse_of_both_verdicts_counts(
    facts: Any, verdict: Any, check: Any, failing: Any
) -> None:
    found = headline(
        facts(verdict=verdict("PASS", check()), production_verdict=verdict("FAIL", failing))
    )
    assert found.word == "REFUSED"


def test_waiting_says_what_for(facts: Any, verdict: Any, check: Any) -> None:
    undecided = check(outcome="INCONCLUSIVE", estimate=0.81, lower=0.78, upper=0.84)
    found = headline(facts(state="waiting", verdict=verdict("INCONCLUSIVE", undecided)))
    assert found.line == (
        "WAITING for approval: v3 needs a person's word: exact_match is undecided at 0.810 "
        "(0.780 to 0.840; at least 0.80 asked); until then v2 stays live."
    )


def test_what_waits_for_overrides_says_so(facts: Any, verdict: Any, failing: Any) -> None:
    found = headline(facts(state="waiting", verdict=verdict("FAIL", failing)))
    assert found.word == "WAITING for overrides"


def test_what_was_made_live_meanwhile_takes_the_place_of_what_stays_live(
    facts: Any, verdict: Any, failing: Any
) -> None:
    made = facts(verdict=verdict("FAIL", failing))
    back = replace(made.baseline, model_id="model-1", generation=9)
    moved = replace(made, state="refused", after=back, moved=True)
    assert headline(moved).sentence.endswith("; model-1 was made live meanwhile.")
    assert headline(replace(moved, moved=False)).sentence.endswith("; model-1 stayed live.")


def test_a_first_release_says_that_nothing_is_live(facts: Any, verdict: Any, check: Any) -> None:
    first = verdict("INCONCLUSIVE", check(), first_release=True, reasons=("first release",))
    found = headline(facts(state="waiting", baseline=None, verdict=first))
    assert "this is a first release, with nothing live to compare with" in found.sentence
    assert found.sentence.endswith("until then nothing is live.")


def test_a_regression_run_speaks_of_the_live_model(facts: Any, verdict: Any, failing: Any) -> None:
    found = headline(facts(kind="regression", verdict=verdict("FAIL", failing)))
    assert found.line == "FAILED: exact_match is 0.741 (at least 0.80 asked); v3 is still live."


def test_an_approved_second_try_says_who_approved_and_what_was_asked(
    facts: Any, verdict: Any, check: Any
) -> None:
    judged = verdict("INCONCLUSIVE", check(), check(), tries=second_try())
    said = (Consent(decision="approve", actor="bert", reason="read both reports."),)
    found = headline(facts(state="promoted", verdict=judged, consents=said))
    assert found.line.startswith(
        "PROMOTED, approved by bert: v3 went live instead of v2; a person was asked because this is try 2"
    )
    assert found.line.endswith("all 2 deciding checks hold; bert said: read both reports.")
    assert found.tone != "pass"
    assert "against the gate" not in found.line


def test_an_override_names_its_people(facts: Any, verdict: Any, failing: Any) -> None:
    said = tuple(
        Consent(decision="override", actor=who, reason="needed today") for who in ("bo", "cy")
    )
    found = headline(facts(state="promoted", verdict=verdict("FAIL", failing), consents=said))
    assert found.word == "PROMOTED against the gate"
    assert "overridden by bo and cy" in found.sentence


def test_who_is_asked_reads_that_the_gate_is_looser_and_who_may_not_answer(
    facts: Any, verdict: Any, check: Any
) -> None:
    edit = Edit(of="gate", field="checks[0].max_drop", change="0.04 -> 0.4", looser=True)
    undecided = check(outcome="INCONCLUSIVE", estimate=0.81, lower=0.78, upper=0.84)
    for one in (check(), undecided):
        judged = verdict("INCONCLUSIVE", one, tries=second_try(edit))
        view = build_view(facts(state="waiting", verdict=judged))
        pages = render_markdown(view), render_html(view), in_terminal(view)
        assert "this is try 2" in view.headline.sentence
        for page in pages:
            plain = " ".join(html.unescape(page.replace("<wbr>", "")).replace("\\", "").split())
            assert "changed gate checks[0].max_drop: 0.04 -> 0.4 (looser)" in plain
            assert "neither who asked for this run nor cleo, who asked for that one" in plain
