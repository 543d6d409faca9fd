"""A run whose baseline is recorded answers: the model alone is asked, and held against what was answered before."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.letters import ModelHost
from support.project import adopt
from support.succession import Succession, model

from flows.evaluation.kept.recorded import recorded_in
from flows.evaluation.open_run import open_run
from flows.evaluation.rejudge import rejudge
from flows.evaluation.steps import judged_anew
from flows.registry.opening import open_registry
from flows.reporting.gather import report_run

pytestmark = pytest.mark.slow


@pytest.fixture
async def live(tmp_path: Path, host: ModelHost) -> Succession:
    """v1 is live, wrong on two of its 300 cases; its gate has an absolute check that hardly anything fails."""
    line = Succession(tmp_path, host)
    await line.promoted("v1", wrong=2)
    return line


async def test_a_live_model_that_fell_fails_against_its_own_answers_though_its_absolute_checks_hold(
    live: Succession,
) -> None:
    live.wrong[model("v1")] = 60
    before = live.host.asked[model("v1")]
    run_id, verdict = await live.regressed("v1")
    assert live.host.asked[model("v1")] - before == 300  # it alone is asked, once
    absolute, drop = verdict.checks
    assert (absolute.outcome, drop.outcome, verdict.outcome) == ("PASS", "FAIL", "FAIL")
    assert (drop.candidate, drop.baseline) == (pytest.approx(0.8), pytest.approx(1 - 2 / 300))
    with open_run(live.settings, run_id) as run:
        assert judged_anew(run).checks == verdict.checks
    assert rejudge(live.settings, run_id).outcome == "FAIL"
    assert "FAIL" in report_run(live.settings, run_id).with_name("report.md").read_text()


async def test_a_live_model_that_answers_as_before_passes_by_the_gates_own_margins(
    live: Succession,
) -> None:
    live.set_gate(early_stop=True)
    run_id, verdict = await live.regressed("v1")
    assert [check.outcome for check in verdict.checks] == ["PASS", "PASS"]
    with open_run(live.settings, run_id) as run:
        chosen = recorded_in(run.folder)
    assert chosen is not None and chosen.reference is not None
    assert chosen.reference.generation == 1


async def test_too_few_cases_that_are_the_same_leave_the_comparison_undecided(
    live: Succession,
) -> None:
    live.write_cases(changed=250)
    _, verdict = await live.regressed("v1")
    assert [check.outcome for check in verdict.checks] == ["PASS", "INCONCLUSIVE"]
    assert "only 50 cases are the same as when" in verdict.checks[1].reason


async def test_latency_is_shown_and_a_gain_over_itself_is_not_asked_of_a_live_model(
    live: Succession,
) -> None:
    checks = [
        {"metric": "exact", "max_drop": 0.04, "min_gain": 0.01},
        {"metric": "latency_p95_ms", "max_rise": "50%"},
    ]
    live.set_gate(checks=checks)
    _, verdict = await live.regressed("v1")
    drop, gain, latency = verdict.checks
    assert (drop.outcome, drop.decides) == ("PASS", True)
    assert (gain.decides, latency.decides, latency.measured) == (False, False, True)
    assert "a model can't make over itself" in gain.reason
    assert verdict.outcome == "PASS"


async def test_a_model_without_recorded_answers_is_undecided_where_its_gate_compares_and_the_run_says_so(
    tmp_path: Path, host: ModelHost
) -> None:
    line = Succession(tmp_path, host)
    line.host.known.add(model("v1"))
    with open_registry(line.settings) as registry:
        adopt(registry, "line", model("v1"), base_url=host.url, platform="openai")
    _, verdict = await line.regressed("v1")
    assert [check.outcome for check in verdict.checks] == ["PASS", "INCONCLUSIVE"]
    assert verdict.outcome == "INCONCLUSIVE"
    assert "gatewright reference line" in verdict.checks[1].reason
