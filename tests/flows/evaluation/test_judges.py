"""A run whose graders ask a judge: who may judge, what it costs, and what happens when it can't be reached."""

from __future__ import annotations

import json

import pytest
from support.json_lines import json_lines_below

from evals.errors import ConfigurationError
from evals.records import Price
from flows.evaluation import steps
from flows.evaluation.judges import judge_costs
from flows.evaluation.open_run import open_run
from flows.reporting.gather import gather, report_run

CANDIDATE = "ft:gpt-4.1-mini-2025-04-14:acme:new:Aa1"
BASELINE = "ft:gpt-4.1-mini-2025-04-14:acme:old:Bb2"
JUDGE = "gpt-4.1"


@pytest.mark.slow
async def test_judges_decide_both_alone_and_between_two_models(letters, host):
    letters.go_live()
    letters.change(
        letters.gate, "at_least: 0.5}", "at_least: 0.5}\n  - {metric: preferred, at_least: 0.5}"
    )
    run = letters.request()
    await letters.prepare(run)
    verdict = await letters.judge(run)
    assert verdict.outcome == "PASS", verdict.reasons
    found = {check.metric: check for check in verdict.checks}
    assert (found["tone"].candidate, found["preferred"].candidate) == (1.0, 1.0)
    # One vote on each model's letters, and both orders of each pair.
    assert host.asked == {CANDIDATE: 40, BASELINE: 40, JUDGE: 2 * 40 + 2 * 40}
    assert host.most_at_once > 4


@pytest.mark.slow
async def test_what_judges_cost_stands_in_the_report(letters, host):
    run = letters.request()
    await letters.prepare(run)
    await letters.judge(run)
    with open_run(letters.settings, run) as opened:
        sampling = gather(opened).sampling
        price = opened.platform.price(JUDGE)
    assert isinstance(price, Price)
    assert sampling["judge_calls"] == host.asked[JUDGE] == 40
    assert sampling["judge_tokens"] == 40 * 110
    usage = judge_costs(letters.settings.run_folder(run))
    assert usage.cost_usd == pytest.approx((40 * 100 * price.input + 40 * 10 * price.output) / 1e6)
    page = report_run(letters.settings, run)
    assert sampling["judge_cost_usd"] == usage.cost_usd
    assert "cost of judges" in page.read_text()


async def test_a_model_may_not_judge_itself(letters, host):
    letters.change(letters.suite / "suite.yaml", JUDGE, CANDIDATE)
    letters.change(letters.target, "model: gpt-4.1}", f'model: "{CANDIDATE}"}}')
    run = letters.request()
    with pytest.raises(ConfigurationError, match=r"tone.* is the candidate and can't judge itself"):
        await letters.prepare(run)
    assert not host.asked


async def test_nor_under_another_name(letters, host):
    letters.go_live()
    letters.change(
        letters.target,
        "model: gpt-4.1}",
        f'model: gpt-4.1, deployments: {{gpt-4.1: "{BASELINE}"}}}}',
    )
    run = letters.request()
    with pytest.raises(ConfigurationError, match="is the baseline and can't judge itself"):
        await letters.prepare(run)
    assert not host.asked


def test_a_judge_that_no_target_names_is_refused_before_a_run_is_recorded(letters):
    letters.change(letters.target, "judge: {model: gpt-4.1}\n", "")
    with pytest.raises(ConfigurationError) as refused:
        letters.request()
    (problem,) = refused.value.problems
    assert "letters/tone" in problem.message
    assert problem.fix == "name it: judge: {model: gpt-4.1}"


async def test_a_judge_that_is_not_there_is_found_out_before_money_is_spent(letters, host):
    letters.change(
        letters.target, "model: gpt-4.1}", "model: gpt-4.1, deployments: {gpt-4.1: gone}}"
    )
    run = letters.request()
    with pytest.raises(ConfigurationError, match="nothing answers as gone"):
        await letters.prepare(run)
    assert not host.asked


@pytest.mark.slow
async def test_a_judge_that_is_down_leaves_answers_unscored_and_is_asked_when_the_run_goes_on(
    letters, host
):
    run = letters.request()
    await letters.prepare(run)
    down, host.url = host.url, "http://127.0.0.1:9/v1"
    letters.change(
        letters.target,
        "judge: {model: gpt-4.1}",
        f'judge: {{model: gpt-4.1, openai: {{base_url: "{host.url}", key_variable: none}}}}',
    )
    await steps.ask_round(letters.settings, run, 1)
    with open_run(letters.settings, run) as opened:
        (suite,) = opened.plan.suites
        scores = list(opened.evaluation.scores("candidate", suite))
    assert len(scores) == 40
    assert all(score.unscored for score in scores)
    letters.change(letters.target, host.url, down)
    verdict = await letters.judge(run)
    assert verdict.outcome == "PASS"
    assert host.asked == {CANDIDATE: 40, JUDGE: 40}


@pytest.mark.slow
async def test_a_refusing_judge_makes_the_run_inconclusive_never_a_score(letters, host):
    host.judge_down = True
    run = letters.request()
    await letters.prepare(run)
    verdict = await letters.judge(run)
    assert verdict.outcome == "INCONCLUSIVE"
    (check,) = verdict.checks
    assert check.candidate is None


@pytest.mark.slow
async def test_judges_spend_from_the_runs_budget_and_say_when_it_is_used_up(letters, host):
    # 40 answers of 110 tokens each fit, and then about ten verdicts.
    letters.change(letters.target, "max_attempts: 2}", "max_attempts: 2, budget_tokens: 7000}")
    run = letters.request()
    await letters.prepare(run)
    verdict = await letters.judge(run)
    assert verdict.outcome == "INCONCLUSIVE"
    assert any(
        "judges were not asked on: the budget of 7,000 tokens" in why for why in verdict.reasons
    )
    spent = judge_costs(letters.settings.run_folder(run))
    assert 0 < spent.calls == host.asked[JUDGE] < 40
    assert spent.tokens + host.asked[CANDIDATE] * 110 <= 7000


@pytest.mark.slow
async def test_what_a_killed_run_paid_its_judges_is_not_forgotten(letters, host):
    run = letters.request()
    await letters.prepare(run)
    await steps.ask_round(letters.settings, run, 1)
    folder = letters.settings.run_folder(run)
    # As after a SIGKILL while scores were written: the second half is lost, and the last line of the ledger torn.
    (scores,) = (folder / "scores").glob("candidate-letters-*.jsonl")
    rows = scores.read_bytes().splitlines()
    scores.write_bytes(b"\n".join(rows[:20]))
    with (folder / "judges.jsonl").open("ab") as ledger:
        ledger.write(json.dumps({"model": JUDGE}).encode()[:9])
    await letters.judge(run)
    assert host.asked[CANDIDATE] == 40
    with open_run(letters.settings, run) as opened:
        assert gather(opened).sampling["completion_tokens"] == 40 * 10  # this process asked nothing
    assert judge_costs(folder).calls == host.asked[JUDGE] > 40
    read = json_lines_below(folder)
    assert {row["model"] for row in read["judges.jsonl"]} == {JUDGE}
    assert len(read["judges.jsonl"]) == host.asked[JUDGE]
