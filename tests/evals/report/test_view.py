"""What a reader needs first comes first, and what a count alone would hide is said."""

from __future__ import annotations

from typing import Any

from evals.report.facts import Confusion, SliceRow, SuiteTrace
from evals.report.view import build_view


def test_what_speaks_against_promotion_comes_first(
    facts: Any, verdict: Any, check: Any, failing: Any
) -> None:
    checks = (
        check(metric="held"),
        check(metric="unsure", outcome="INCONCLUSIVE"),
        check(metric="shadow", decides=False, outcome="FAIL"),
        failing,
        check(metric="broken", outcome="ERROR"),
    )
    board = build_view(facts(verdict=verdict("ERROR", *checks))).boards[0]
    assert [group.title for group in board.groups] == ["Not held", "Held", "Reported only"]
    assert [view.metric for view in board.checks] == [
        "broken",
        "exact_match",
        "unsure",
        "held",
        "shadow",
    ]
    assert board.summary == "1 of 4 deciding checks holds; 1 more is reported only."


def test_a_gate_that_decides_nothing_is_called_no_pass(
    facts: Any, verdict: Any, check: Any
) -> None:
    board = build_view(facts(verdict=verdict("ERROR", check(decides=False)))).boards[0]
    assert board.summary == "No check decides: that is never a pass."


def test_hidden_state_is_told(facts: Any, result: Any) -> None:
    short = result(
        planned=220,
        answered=218,
        scored=218,
        errored=2,
        outcomes={"answered": 215, "refused": 3, "rate_limited": 2},
    )
    trace = SuiteTrace(
        role="candidate",
        suite="triage",
        journal="c.jsonl",
        suite_cases=600,
        reused=40,
        unscored={"tone": 3, "ok": 0},
    )
    row = build_view(facts(suite_results=(short,), traces=(trace,))).coverage[0]
    assert row.outcomes == "215 answered, 3 refused, 2 rate limited"
    assert row.share == "99.1 %"
    assert row.remarks == (
        "2 answers lost to infrastructure: lowers coverage, never quality",
        "stopped early: 220 of the suite's 600 cases were asked",
        "40 answers reused from an earlier run, not asked again",
        "tone: 3 answers unscored",
    )


def test_a_case_asked_three_times_is_one_case_of_its_suite(facts: Any, result: Any) -> None:
    trace = SuiteTrace(
        role="candidate", suite="triage", journal="c.jsonl", suite_cases=240, repeats=3
    )

    def remarks(planned: int) -> tuple[str, ...]:
        run = facts(suite_results=(result(planned=planned),), traces=(trace,))
        return build_view(run).coverage[0].remarks

    assert remarks(90) == ("stopped early: 30 of the suite's 240 cases were asked",)
    assert remarks(360) == ("stopped early: 120 of the suite's 240 cases were asked",)
    assert remarks(720) == ()


def test_a_suite_without_cases_has_no_coverage_to_show(facts: Any, result: Any) -> None:
    row = build_view(facts(suite_results=(result(planned=0, answered=0, scored=0),))).coverage[0]
    assert row.share == "nothing planned"


def test_an_unknown_price_is_never_nothing(facts: Any) -> None:
    pairs = {
        pair.name: pair.value
        for pair in build_view(
            facts(sampling={"cost_usd": None, "wall_s": 71.3, "odd_one": 3})
        ).sampling
    }
    assert pairs == {"cost": "price unknown", "time spent asking": "1 min 11 s", "odd one": "3"}


def test_trouble_while_asking_is_worded(facts: Any) -> None:
    told = {
        "retries": 5,
        "retries_rate_limited": 3,
        "retries_gone": 2,
        "killed": 1,
        "uncounted": 16,
    }
    assert [(pair.name, pair.value) for pair in build_view(facts(sampling=told)).sampling] == [
        ("retries", "5"),
        ("retries: rate limited", "3"),
        ("retries: gone", "2"),
        ("times asking was killed and taken up again", "1"),
        ("calls more than that at most, begun just before a kill", "16"),
    ]


def test_the_digests_a_verdict_is_bound_to_are_shown(facts: Any, verdict: Any, check: Any) -> None:
    given = verdict("PASS", check())
    values = {
        pair.value
        for pair in build_view(facts(verdict=given, gate_path="gates/triage.yaml")).provenance
    }
    assert {given.policy_digest, given.evidence_digest, "gates/triage.yaml"} <= values


def test_answers_that_are_json_objects_are_shown_field_by_field(facts: Any, example: Any) -> None:
    pair = example(
        expected='{"urgency": "high", "n": 1}',
        baseline_text='{"urgency": "high", "n": 1}',
        candidate_text='{"n": 1, "urgency": "low"}',
    )
    fields = build_view(facts(examples=(pair,))).example_groups[0].examples[0].fields
    assert [(field.name, field.candidate, field.candidate_right) for field in fields] == [
        ("urgency", "low", False),
        ("n", "1", True),
    ]


def test_an_answer_with_a_field_too_many_is_shown_as_it_came(facts: Any, example: Any) -> None:
    pair = example(expected='{"a": 1}', baseline_text='{"a": 1}', candidate_text='{"a": 1, "b": 2}')
    assert build_view(facts(examples=(pair,))).example_groups[0].examples[0].fields == ()


def test_examples_name_the_journals_they_come_from_and_the_rest_is_counted(
    facts: Any, example: Any
) -> None:
    many = tuple(example(case_id=f"t-{number}") for number in range(40))
    group = build_view(facts(examples=many)).example_groups[0]
    assert group.examples[0].where == "candidate.triage.jsonl.zst, baseline.triage.jsonl.zst"
    assert (len(group.examples), group.more) == (25, "15 more examples in report.json.")


def test_slices_show_n_and_interval_of_the_difference(facts: Any) -> None:
    row = SliceRow(
        suite="triage",
        metric="exact_match",
        slice={"language": "de"},
        n=188,
        candidate=0.7,
        baseline=0.82,
        lower=-0.171,
        upper=-0.069,
    )
    view = build_view(facts(slices=(row,))).slices[0]
    assert (view.slice, view.n, view.difference) == ("language = de", "188", "−0.120")
    assert (view.interval, view.level) == ("−0.171 to −0.069", "90 % interval")


def test_a_confusion_matrix_keeps_the_answers_that_were_no_label(facts: Any) -> None:
    matrix = Confusion(
        suite="triage",
        grader="urgency",
        role="candidate",
        labels=("low", "high"),
        counts=((3, 0, 1), (0, 0, 0)),
    )
    view = build_view(facts(confusions=(matrix,))).confusions[0]
    assert view.columns == ("low", "high", "no label")
    assert [cell.shade for cell in view.rows[0][1]] == [5, 0, 2]
    assert view.n == "4 answers"


def test_the_same_facts_give_the_same_words(facts: Any, verdict: Any, failing: Any) -> None:
    given = facts(verdict=verdict("FAIL", failing))
    assert build_view(given) == build_view(given)
