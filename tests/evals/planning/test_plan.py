"""A plan says before anything is asked what each check needs, what the suites can show, and what it will cost."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.results import policy_of, results_of

from evals.gate.tries.family import Family
from evals.planning.past_run import PastRun
from evals.planning.plan import DIFFERING, plan_gate
from evals.report.plan_view import plan_view
from evals.stats.power import paired_power, paired_sample_size
from evals.suites.opened import open_suite

DROP = {"metric": "exact", "kind": "max_drop", "threshold": 0.05}


@pytest.fixture
def past() -> Any:
    """A run of 400 cases in which the models differed on 10 % of them."""
    rng = np.random.default_rng(0)
    draw = rng.random(400)
    ours, theirs = (draw > 0.05).astype(float), (draw < 0.95).astype(float)
    columns = {"cost_usd": np.full(400, 0.002), "latency_ms": np.full(400, 500.0)}
    return PastRun(
        run_id="run-7",
        candidate={"triage": results_of({"exact": ours, **columns})},
        baseline={"triage": results_of({"exact": theirs, **columns}, model="b")},
    )


def shown(plan: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=400).print(plan_view(plan))
    return " ".join(out.getvalue().split())


def test_a_relative_check_needs_what_the_closed_form_says(folder_suite: Any) -> None:
    plan = plan_gate(policy_of(DROP), [folder_suite(600)], differing=0.12)
    check = plan.checks[0]
    assert (check.least, check.source) == (52, "stated")
    assert check.n90 == pytest.approx(paired_sample_size(0.12, 0.05, power=0.9), abs=1)
    assert check.power == pytest.approx(paired_power(600, 0.12, 0.05), abs=0.02)
    assert plan.calls == 1200


def test_without_a_past_run_the_plan_says_that_it_assumes(folder_suite: Any) -> None:
    level = {"metric": "exact", "kind": "at_least", "threshold": 0.8}
    plan = plan_gate(policy_of(DROP, level), [folder_suite(600)])
    assert (plan.checks[0].source, plan.checks[0].differing) == (
        "assumed",
        pytest.approx(DIFFERING),
    )
    assert (plan.checks[1].power, plan.checks[1].note) == (None, "needs a past run to go by")
    assert (plan.usd, plan.seconds) == (None, None)


def test_a_check_with_human_labels_is_not_planned_as_if_the_judge_were_right(
    folder_suite: Any,
) -> None:
    plain = {"metric": "exact", "kind": "max_drop", "threshold": 0.05}
    plan = plan_gate(policy_of(plain, {**plain, "with_labels": True}), [folder_suite(600)])
    assert plan.checks[0].power is not None
    assert (plan.checks[1].power, plan.checks[1].note) == (
        None,
        "needs a past run with human labels",
    )


def test_a_past_run_gives_spread_cost_and_time(folder_suite: Any, past: Any) -> None:
    level = {"metric": "exact", "kind": "at_least", "threshold": 0.8}
    plan = plan_gate(policy_of(DROP, level), [folder_suite(600)], past=past, at_once=10)
    assert plan.checks[0].differing == pytest.approx(0.1, abs=0.03)
    assert plan.checks[1].power == pytest.approx(1.0)
    assert plan.usd == pytest.approx(600 * 0.004)
    assert plan.seconds == pytest.approx(30.0)


def test_all_checks_together_are_less_likely_to_pass_than_one(folder_suite: Any) -> None:
    suite = [folder_suite(600)]
    one = plan_gate(policy_of(DROP), suite, differing=0.15)
    five = plan_gate(policy_of(*[DROP] * 5), suite, differing=0.15)
    assert five.overall_power < one.overall_power < one.checks[0].power + 0.02
    by_name = {found.name: found for found in five.scenarios}
    assert (
        by_name["better"].passes > by_name["equal"].passes > by_name["worse by the margin"].passes
    )
    assert by_name["worse by the margin"].passes < 0.06
    assert all(0.1 <= found.calls <= 1.0 for found in five.scenarios)


def test_without_early_stop_every_call_is_made(folder_suite: Any) -> None:
    plan = plan_gate(policy_of(DROP, early_stop=False), [folder_suite(600)])
    assert {found.calls for found in plan.scenarios} == {1.0}


def test_each_slice_is_planned_by_itself_and_small_ones_are_marked(folder_suite: Any) -> None:
    gate = policy_of(DROP, {**DROP, "each": "plan", "min_cases": 150, "if_too_few": "report"})
    plan = plan_gate(gate, [folder_suite(600)])
    assert [(check.cases, check.decides) for check in plan.checks] == [
        (600, True),
        (120, False),
        (480, True),
    ]


def test_in_clusters_no_power_is_had_from_fewer_cases_than_can_ever_pass(folder_suite: Any) -> None:
    opened = folder_suite(600)
    cases = opened.suite.folder / "cases.jsonl"
    rows = [json.loads(line) for line in cases.read_text().splitlines()]
    cases.write_text(
        "".join(json.dumps({**row, "who": f"w{n // 3}"}) + "\n" for n, row in enumerate(rows))
    )
    manifest = opened.suite.folder / "suite.yaml"
    manifest.write_text(manifest.read_text() + "cluster_by: who\n")
    plan = plan_gate(policy_of(DROP), [open_suite(opened.suite.folder)], differing=0.001)
    (check,) = plan.checks
    assert (check.unit, check.units, check.cases) == ("clusters", 200, 600)
    assert check.n80 == check.n90 == 3 * check.least


def test_a_plan_says_what_clusters_of_unequal_size_are_worth(folder_suite: Any) -> None:
    opened = folder_suite(600)
    cases = opened.suite.folder / "cases.jsonl"
    rows = [json.loads(line) for line in cases.read_text().splitlines()]
    cases.write_text(
        "".join(
            json.dumps({**row, "who": f"w{max(0, n - 180)}"}) + "\n" for n, row in enumerate(rows)
        )
    )
    manifest = opened.suite.folder / "suite.yaml"
    manifest.write_text(manifest.read_text() + "cluster_by: who\n")
    plan = plan_gate(policy_of(DROP), [open_suite(opened.suite.folder)], differing=0.001)
    (check,) = plan.checks
    assert (check.units, check.effective) == (420, pytest.approx(600**2 / (181**2 + 419)))
    assert check.power == 0.0  # 420 clusters would be enough, and these are worth 10.9
    assert check.n90 == math.ceil(check.least * 600 / check.effective)
    assert "10.8 effective clusters (of 420; the largest holds 30.1 % of the cases)" in (
        " ".join(shown(plan).split())
    )


def test_a_first_release_plans_absolute_checks_for_one_model(folder_suite: Any) -> None:
    level = {"metric": "exact", "kind": "at_least", "threshold": 0.8}
    plan = plan_gate(policy_of(DROP, level), [folder_suite(600)], roles=1)
    assert ([check.check for check in plan.checks], plan.calls) == (["exact at_least 0.8"], 600)
    said = shown(plan)
    assert "No model is live yet, so 1 condition against one can't be checked in this run" in said
    assert "the first one will show it" in said
    assert "can't be checked" not in shown(plan_gate(policy_of(DROP, level), [folder_suite(600)]))


def test_a_weak_check_is_told_with_what_would_make_it_better(folder_suite: Any) -> None:
    suite = [folder_suite(240)]
    plan = plan_gate(policy_of(DROP), suite, differing=0.2)
    (check,) = plan.checks
    assert f"weak: {check.n90} cases or a margin of 0.085 would make it 90 %" in shown(plan)
    wider = plan_gate(policy_of({**DROP, "threshold": 0.085}), suite, differing=0.2)
    assert wider.checks[0].power >= 0.9
    assert "weak" not in shown(wider)
    gain = plan_gate(policy_of({**DROP, "kind": "min_gain"}), suite, differing=0.2)
    assert "or a margin" not in shown(gain)


def test_calls_cost_and_time_follow_the_repeats_of_each_suite(folder_suite: Any, past: Any) -> None:
    suites = [folder_suite(600, repeats=3), folder_suite(100, "other")]
    own = plan_gate(policy_of(DROP), suites, past=past, at_once=10)
    assert (own.repeats, own.calls) == ({"triage": 3, "other": 1}, 2 * 1900)
    assert own.usd == pytest.approx(1900 * 0.004)
    assert own.seconds == pytest.approx(95.0)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(plan_view(own))
    assert "triage (600 cases, 3 times each), other (100 cases);" in console.export_text()
    stated = plan_gate(policy_of(DROP), suites, past=past, repeats={"triage": 2, "other": 2})
    assert stated.calls == 2 * 1400


def test_the_view_shows_every_check_and_the_outlook(folder_suite: Any, past: Any) -> None:
    plan = plan_gate(policy_of(DROP), [folder_suite(600)], past=past)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(plan_view(plan))
    text = console.export_text()
    for words in (
        "exact max_drop 0.05",
        "run run-7",
        "all checks pass",
        "USD",
        "worse by the margin",
    ):
        assert words in text


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_of_a_plan_is_cut_in_a_narrow_terminal(
    folder_suite: Any, past: Any, width: int
) -> None:
    level = {"metric": "exact", "kind": "at_least", "threshold": 0.8}
    for plan in (
        plan_gate(policy_of(DROP), [folder_suite(600)], past=past),
        plan_gate(policy_of(DROP, level), [folder_suite(600)]),
    ):
        out = io.StringIO()
        Console(file=out, width=width).print(plan_view(plan))
        shown = " ".join(out.getvalue().split())
        assert "…" not in shown
        for check in plan.checks:
            for word in check.check.split():
                assert word in shown, out.getvalue()
        assumed = "assumed: the models differ on 15 % of the cases"
        assert (assumed in shown) == (plan.checks[0].source == "assumed")


def test_a_family_is_paid_for_in_cases(folder_suite: Any) -> None:
    family = Family(candidates=10)
    gate = policy_of({**DROP, "threshold": 0.03}, family=family)
    plan = plan_gate(gate, [folder_suite(600)], differing=0.1)
    alone = plan_gate(policy_of({**DROP, "threshold": 0.03}), [folder_suite(600)], differing=0.1)
    assert gate.decision_confidence == pytest.approx(0.995)
    assert (plan.checks[0].least, plan.checks[0].least_alone, alone.checks[0].least) == (
        215,
        88,
        88,
    )
    assert plan.family is not None
    assert plan.family.factor == pytest.approx(1.74, abs=0.01)
    assert plan.checks[0].n90 == pytest.approx(
        (alone.checks[0].n90 or 0) * plan.family.factor, abs=2
    )
    text = " ".join(shown(plan).split())
    assert (
        "95 % hold for 10 candidates in 90 days together, so that each is judged at 99.5 %" in text
    )
    assert "1.7 times the cases for 90 %, and 215 flawless cases instead of 88" in text


def test_lost_answers_cost_a_comparison_their_share_of_its_margin(folder_suite: Any) -> None:
    gate, suites = policy_of(DROP), [folder_suite(600)]
    whole = plan_gate(gate, suites, differing=0.12, lost=0.0)
    some = plan_gate(gate, suites, differing=0.12, lost=0.01)
    assert some.checks[0].lost_cost == pytest.approx(0.01)
    assert some.checks[0].n90 > whole.checks[0].n90 * (0.05 / 0.04) ** 2
    assert some.checks[0].power < whole.checks[0].power
    assert some.checks[0].least > whole.checks[0].least == 52
    assert "1 % of the answers are expected to be lost" in shown(some)
    assert "lost answers cost 0.01" in shown(some)
    assert "to be lost" not in shown(whole)


def test_a_check_whose_margin_the_losses_use_up_is_named(folder_suite: Any) -> None:
    level = {"metric": "exact", "kind": "at_least", "threshold": 0.8}
    plan = plan_gate(policy_of(DROP, level), [folder_suite(600)], differing=0.12, lost=0.05)
    assert [check.out_of_reach for check in plan.checks] == [True, False]
    assert plan.checks[0].power == 0.0
    assert "With so many 1 check can't pass at all" in shown(plan)
    assert plan.overall_power == pytest.approx(0.05, abs=0.02), "as one that is worse by the margin"


def test_what_the_last_run_lost_is_expected_again(folder_suite: Any, past: Any) -> None:
    counts = {"planned": 400, "answered": 392, "scored": 392, "errored": 8}
    lossy = replace(past.candidate["triage"], counts=counts)
    plan = plan_gate(
        policy_of(DROP), [folder_suite(600)], past=replace(past, candidate={"triage": lossy})
    )
    assert plan.lost == pytest.approx(0.02)
