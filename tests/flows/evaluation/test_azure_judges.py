"""Judges that are deployments of an Azure account: reached by key and by Entra token, paid for, and never a contestant."""

from __future__ import annotations

import asyncio
import json

import pytest
import yaml

from evals.errors import ConfigurationError
from flows.emulator.gateway.auth import DATA_AUDIENCES
from flows.evaluation import steps
from flows.evaluation.judges import judge_costs
from flows.evaluation.open_run import open_run
from flows.evaluation.request import resolve
from flows.platforms.embedded import open_embedded
from flows.platforms.fine_tuning import jobs

WORDS = ("billing", "login", "shipping")
DEPLOYMENT = "the-judge"
MODEL = "department-judge"
GRADERS = [
    {
        "name": "is_department",
        "type": "score_model",
        "model": MODEL,
        "input": [{"role": "user", "content": "Is this a department? {{ sample.output_text }}"}],
    },
    {
        "name": "in_words",
        "type": "judge",
        "model": MODEL,
        "rubric": "Is it a department?",
        "scale": [0, 1],
    },
]
GATE = {
    "version": 1,
    "name": "router",
    "first_release": "absolute_checks",
    "early_stop": False,
    "checks": [{"metric": grader["name"], "at_least": 0.8} for grader in GRADERS],
}


def verdict(good: bool) -> str:
    return json.dumps({"steps": [], "result": float(good)})


def lessons() -> bytes:
    """What makes a small model a judge: departments are good answers, fruit is not."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Is this a department? {word} {number}"},
                {"role": "assistant", "content": verdict(word in WORDS)},
            ]
        }
        for number in range(12)
        for word in (*WORDS, "apple", "pear", "plum")
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


async def train(url: str) -> str:
    platform = open_embedded({}, {"GATEWRIGHT_EMBEDDED_URL": url})
    file = await jobs.upload_file(platform, lessons(), poll_s=0.02)
    job = await jobs.create_job(
        platform, model="gpt-4.1-nano-2025-04-14", training_file=file, suffix="judge"
    )
    done = await jobs.wait_finished(platform, job.id, poll_s=0.05, timeout_s=900)
    await platform.aclose()
    assert done.model_id is not None
    return done.model_id


@pytest.fixture(scope="session")
def judge_model(running) -> str:
    return asyncio.run(train(running[0].url))


@pytest.fixture
def judged(account, judge_model):
    """The target's answers are judged by a model that stands in the account under another name."""
    suite = account.folder / "datasets" / "routing" / "suite.yaml"
    suite.write_text(
        yaml.safe_dump({**yaml.safe_load(suite.read_text()), "graders": GRADERS}), "utf-8"
    )
    (account.folder / "gates" / "router.yaml").write_text(yaml.safe_dump(GATE), "utf-8")
    account.is_set_up(judge={"model": MODEL, "deployments": {MODEL: DEPLOYMENT}})
    account.made_by_hand(DEPLOYMENT, judge_model)
    return account


def by_key(monkeypatch, emulator) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "embedded-api-key")


def by_token(monkeypatch, emulator) -> None:
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", emulator.token(audience=DATA_AUDIENCES[0]))


@pytest.mark.slow
@pytest.mark.parametrize("api", ["v1", "dated"])
@pytest.mark.parametrize("signed_in", [by_key, by_token])
def test_a_deployment_of_the_account_judges(judged, models, emulator, monkeypatch, signed_in, api):
    signed_in(monkeypatch, emulator)
    judged.azure(api=api)
    run_id = judged.begin(models.first.model_id, kind="evaluation")
    assert asyncio.run(judged.evaluate(run_id)) == "PASS"
    costs = judge_costs(judged.settings.run_folder(run_id))
    assert (costs.calls, costs.stopped) == (2 * 72, "")
    assert costs.tokens > 0
    with open_run(judged.settings, run_id) as run:
        (suite,) = run.plan.suites
        scores = run.evaluation.scores("candidate", suite)
    assert {score.grader for score in scores} == {"is_department", "in_words"}
    assert all(score.value is not None for score in scores)


def test_a_judge_that_is_not_deployed_is_found_out_before_money_is_spent(judged, models):
    judged.is_set_up(judge={"model": MODEL, "deployments": {MODEL: "gone"}})
    run_id = judged.begin(models.first.model_id, kind="evaluation")
    with pytest.raises(ConfigurationError, match="nothing answers as gone, which judge"):
        asyncio.run(first_steps(judged, run_id))


def test_a_deployment_that_is_the_candidate_itself_may_not_judge(judged, models):
    judged.made_by_hand("other", models.first.model_id)
    judged.is_set_up(judge={"model": MODEL, "deployments": {MODEL: "other"}})
    run_id = judged.begin(models.first.model_id, kind="evaluation")
    with pytest.raises(ConfigurationError, match="is the candidate and can't judge itself"):
        asyncio.run(first_steps(judged, run_id))


async def first_steps(account, run_id: str) -> None:
    await resolve(account.settings, run_id)
    await steps.preflight(account.settings, run_id)
