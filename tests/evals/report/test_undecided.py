"""An undecided verdict says why the asking ended, what was given up, and what can be done to have it decided."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from evals.records import LookPosition
from evals.report.formats.html import render_html
from evals.report.formats.markdown import render_markdown
from evals.report.formats.terminal import verdict_renderable
from evals.report.sections.check import check_view
from evals.report.view import build_view

LOOK = LookPosition(look=3, rounds=8, planned=240)
ENDING = f"asking ended after look 3 of 8: the verdict can't become PASS any more: lost ({'would not pass'})"


@pytest.fixture
def undecided(check: Any) -> Any:
    """An absolute check that this sample can't decide."""

    def build(**more: Any) -> Any:
        known = {"lower": 0.78, "estimate": 0.81, "outcome": "INCONCLUSIVE"}
        return check(**(known | more))

    return build


@pytest.fixture
def lost(undecided: Any) -> Any:
    """A relative check that was given up at a look."""
    numbers: dict[str, Any] = {"estimate": -0.04, "lower": -0.09, "upper": 0.01}
    numbers |= {"state": "given_up", "look": LOOK, "n": 90}
    return undecided(kind="max_drop", threshold=0.02, **numbers)


def shown(facts: Any, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(verdict_renderable(build_view(facts)))
    return out.getvalue()


def test_a_check_that_was_given_up_says_so_and_where(lost: Any) -> None:
    view = check_view(lost)
    assert view.reason == (
        "The estimate −0.040 is on the wrong side of the bar −0.020; would not pass: given up at look 3 of 8, "
        "90 of 240 cases, its chance to pass with the rest is below 20 %."
        " Asking every case (--no-early-stop), or a larger suite, may decide it."
    )
    assert view.short.endswith(
        "would not pass, standing at −0.040 (−0.090 to +0.010; drop below 0.02 asked)"
    )


def test_a_check_left_open_says_where_the_asking_ended(undecided: Any) -> None:
    assert check_view(undecided(state="open", look=LOOK, n=90)).reason.endswith(
        "90 cases can't tell. The asking ended before it was decided, at look 3 of 8, 90 of 240 cases."
    )


def test_what_ended_the_run_comes_before_what_it_left_open(
    facts: Any, verdict: Any, undecided: Any, lost: Any
) -> None:
    open_ = undecided(state="open", look=LOOK)
    found = verdict("INCONCLUSIVE", open_, lost, reasons=(open_.reason, ENDING), ending=ENDING)
    view = build_view(facts(verdict=found))
    assert "would not pass" in view.headline.sentence
    (board,) = view.boards
    assert [check.bar for check in board.checks] == ["drop below 0.02", "at least 0.80"]
    assert board.summary == f"0 of 2 deciding checks hold. A{ENDING[1:]}."


def test_a_run_given_up_names_the_command_that_asks_every_case(
    facts: Any, verdict: Any, lost: Any
) -> None:
    run = facts(verdict=verdict("INCONCLUSIVE", lost), kind="evaluation")
    asking, planning = build_view(run).next_steps
    model = run.candidate.model_id
    assert asking.command == f"gatewright evaluate {run.target} --model {model} --no-early-stop"
    assert asking.effect.startswith("asks every case")
    assert planning.command == f"gatewright plan {run.target}"
    assert "Next: gatewright plan" in shown(run)
    assert f"- next: `{planning.command}` {planning.effect}" in render_markdown(build_view(run))
    assert (
        f'<code>{planning.command}</code> <span class="words">{planning.effect}</span>'
        in render_html(build_view(run))
    )
    promotion = facts(verdict=verdict("INCONCLUSIVE", lost), kind="promotion")
    steps = build_view(promotion).next_steps
    assert any("--again --no-early-stop" in step.command for step in steps)


def test_where_every_case_was_asked_only_more_cases_help(
    facts: Any, verdict: Any, undecided: Any
) -> None:
    run = facts(verdict=verdict("INCONCLUSIVE", undecided()))
    assert [step.command.split()[1] for step in build_view(run).next_steps] == ["plan"]


def test_a_clear_verdict_and_lost_answers_bring_no_such_advice(
    facts: Any, verdict: Any, check: Any
) -> None:
    few = "only 71.00% of the cases were scored"
    lost_answers = check(outcome="INCONCLUSIVE", reason=few, rests_on="rule")
    for found in (verdict("PASS", check()), verdict("INCONCLUSIVE", lost_answers)):
        assert build_view(facts(verdict=found)).next_steps == ()


def test_with_room_for_one_figure_it_is_the_one_the_interval_is_of(
    facts: Any, verdict: Any, lost: Any, undecided: Any
) -> None:
    page = shown(facts(verdict=verdict("INCONCLUSIVE", lost, undecided())), 80)
    rows = [line for line in page.splitlines() if line.startswith("? INCONCLUSIVE ")]
    assert "−0.040" in rows[1]
    assert "0.870" in rows[2] and "0.040" not in rows[2]


def test_an_interval_open_on_one_side_is_shown_as_such(check: Any) -> None:
    late = check(
        "latency_p95_ms", "at_most", 50.0, estimate=91.0, lower=87.3, upper=None, outcome="FAIL"
    )
    view = check_view(late)
    assert view.interval == "at least 87 ms"
    assert view.reason.endswith("value is above 87 ms; at most 50 ms is asked.")
    unknown = check(estimate=None, lower=None, upper=None, outcome="ERROR")
    assert check_view(unknown).interval == "not measured"


def test_a_refusal_names_the_way_against_the_gate_where_the_gate_lets_people(
    facts: Any, verdict: Any, failing: Any
) -> None:
    refused = facts(verdict=verdict("FAIL", failing), kind="promotion", state="refused")
    (step,) = build_view(refused).next_steps
    assert step.command.startswith(f"gatewright override {refused.run_id} --reason ")
    forbidden = msgspec.structs.replace(failing, overridable=False)
    for found in (
        facts(verdict=verdict("FAIL", forbidden), kind="promotion", state="refused"),
        facts(verdict=verdict("FAIL", failing), kind="evaluation", state=None),
    ):
        assert build_view(found).next_steps == ()
