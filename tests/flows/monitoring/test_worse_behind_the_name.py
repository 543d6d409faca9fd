"""A worse model behind the live name: the deployment still has its name, its absolute checks still hold, and the next run says worse."""

from __future__ import annotations

import os
import time
from typing import Any

import httpx
import pytest
from support.promoted import SYSTEM, TARGET, Place, sentences

from evals.records import encode
from flows.evaluation import steps
from flows.evaluation.kept.fresh_pass import pass_over
from flows.evaluation.request import request_run, resolve
from flows.monitoring.regression_outcome import apply_outcome
from flows.platforms.base import TriggerRef
from flows.platforms.fine_tuning import jobs
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry
from flows.registry.regression_outcomes import RegressionOutcome

pytestmark = pytest.mark.slow


async def worse_model() -> str:
    """Train a model that calls every bug a matter of billing; returns its id."""
    platform = open_platform("embedded", {}, os.environ)
    rows: list[dict[str, Any]] = [
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": text},
                {"role": "assistant", "content": "billing" if number < 28 else label},
            ]
        }
        for number, (text, label) in enumerate(sentences(0, 15))
    ]
    try:
        content = b"".join(encode(row) + b"\n" for row in rows)
        file = await jobs.upload_file(platform, content, poll_s=0.05)
        job = await jobs.create_job(
            platform, model="gpt-4.1-mini-2025-04-14", training_file=file, suffix="v3", seed=1
        )
        done = await jobs.wait_finished(platform, job.id, poll_s=0.1)
        assert done.model_id is not None
        return done.model_id
    finally:
        await platform.aclose()


def serve_instead(place: Place, deployment: str, model: str) -> None:
    """Put another model behind a deployment's name, past Gatewright."""
    place.emulator.set(retarget_finetuned="allow", update_s=0.0)
    account = (
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/embedded"
        "/providers/Microsoft.CognitiveServices/accounts/embedded"
    )
    asked: dict[str, Any] = {
        "url": f"{place.emulator.url}{account}/deployments/{deployment}",
        "params": {"api-version": "2025-06-01"},
        "headers": {"Authorization": "Bearer embedded-arm-token"},
    }
    answer = httpx.put(
        **asked,
        json={
            "sku": {"name": "GlobalStandard", "capacity": 200},
            "properties": {"model": {"format": "OpenAI", "name": model, "version": "1"}},
        },
    )
    assert answer.is_success, answer.text
    for _ in range(600):  # until then the model of before goes on answering
        if httpx.get(**asked).json()["properties"]["provisioningState"] == "Succeeded":
            return
        time.sleep(0.1)
    raise AssertionError(f"{deployment} was never ready")


async def regressed(place: Place, model: str, again: str) -> RegressionOutcome:
    run, _ = request_run(
        place.settings,
        TARGET,
        TriggerRef(model_id=model),
        kind="regression",
        actor="cron",
        again=again,
    )
    await resolve(place.settings, run.run_id)
    await steps.ask_round(place.settings, run.run_id, 1)
    steps.conclude(place.settings, run.run_id)
    apply_outcome(place.settings, run.run_id)
    with open_registry(place.settings) as registry:
        found = registry.regression_outcome(run.run_id)
    assert found is not None
    return found


async def test_a_refused_model_behind_the_live_name_is_told_worse_by_the_next_regression_run(
    place: Place,
) -> None:
    place.change(place.gates / f"{TARGET}.yaml", "at_least: 0.5", "at_least: 0.2")
    made = await pass_over(place.settings, place.runs[1])
    assert made is not None and made.kept is not None, made
    with open_registry(place.settings) as registry:
        live = registry.live(TARGET)
    assert live is not None and live.deployment is not None
    assert (await regressed(place, live.model_id, "before")).outcome == "steady"
    serve_instead(place, live.deployment, await worse_model())
    try:
        found = await regressed(place, live.model_id, "after")
    finally:  # other tests share the emulator
        serve_instead(place, live.deployment, live.model_id)
        place.emulator.set(retarget_finetuned="refuse", update_s=0.4)
    assert (found.outcome, found.compared_with) == ("worse", "reference")
    with open_registry(place.settings) as registry:
        verdict = registry.verdict(found.run_id)
    assert verdict is not None
    assert [check.outcome for check in verdict.checks] == ["PASS", "FAIL"]
