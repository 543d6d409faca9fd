"""The whole way of models that Azure shows under other names: checkpoints, other letter case, an open model."""

from __future__ import annotations

import asyncio

import pytest
from support.azure import GATE
from support.emulator import fine_tuned_open_model

from evals.errors import RefusedError
from flows.evaluation import steps
from flows.platforms.azure.resolved import MODEL_TAG


def drift(account) -> str:
    answer = account.command("verify", "router")
    return next(line for line in answer.out.splitlines() if "drift" in line)


@pytest.mark.slow
@pytest.mark.parametrize("echo", ["model", "job"])
def test_a_checkpoint_that_is_shown_under_its_models_name_goes_live_and_back(
    account, emulator, models, echo
):
    emulator.set(checkpoint_echo=echo)
    early, late = models.checkpoints[-1], models.checkpoints[-2]
    assert "ckpt-step" in early.model_id
    old = account.promoted("", checkpoint=early.id).pointer
    new = account.promoted("", checkpoint=late.id).pointer
    assert (old.model_id, new.model_id) == (early.id, late.id)
    assert set(account.standing()) == {old.deployment, new.deployment}
    assert early.id not in account.standing().values()
    assert "is what is recorded" in drift(account)
    swept = account.command("sweep", "router", "--json").json["targets"][0]
    assert (set(swept["kept_warm"]), swept["problems"]) == ({old.deployment, new.deployment}, [])

    back = account.command("rollback", "router", "--reason", "wrong answers")
    assert "it was still warm" in back.out
    assert account.live().model_id == early.id
    assert "is what is recorded" in drift(account)

    name = account.live().deployment
    assert account.arm("GET", name).json()["tags"][MODEL_TAG] == early.id
    emulator.set(retarget_finetuned="allow")
    tags = account.arm("GET", name).json()["tags"]
    other = {"format": "OpenAI", "name": models.second.model_id, "version": "1"}
    body = {
        "sku": {"name": "GlobalStandard", "capacity": 10},
        "tags": tags,
        "properties": {"model": other},
    }
    assert account.arm("PUT", name, body).status_code == 200
    assert f"serves {models.second.model_id}" in drift(account), "whatever tags it carries"


@pytest.mark.slow
def test_an_open_model_whose_name_is_shown_in_small_letters_goes_live_and_back(
    account, emulator, models
):
    emulator.set(echo_letters="lower")
    with fine_tuned_open_model(emulator, models.first, "Ministral-3B") as ministral:
        first = account.promoted(ministral)
        assert first.pointer is not None, first
        old = first.pointer
        new = account.promoted(models.second.model_id).pointer
        assert account.standing()[old.deployment] == ministral.lower()
        shown = account.arm("GET", old.deployment).json()["properties"]["model"]
        assert shown["format"] == "Mistral AI"
        back = account.command("rollback", "router", "--reason", "wrong answers")
        assert "it was still warm" in back.out
        assert (account.live().model_id, account.live().deployment) == (ministral, old.deployment)
        assert "is what is recorded" in drift(account)
        assert new.deployment in account.standing()


@pytest.mark.slow
def test_a_checkpoint_that_turns_out_to_be_a_model_that_was_tried_is_refused(
    account, emulator, models
):
    emulator.set(unlisted_checkpoints=["*"], checkpoint_echo="job")
    tried = account.begin(models.first.model_id)
    assert asyncio.run(account.evaluate(tried)) == "PASS"
    asyncio.run(steps.clean_up(account.settings, tried))
    run_id = account.begin(checkpoint=models.checkpoints[-1].id)
    with pytest.raises(RefusedError, match="was tried already"):
        asyncio.run(account.evaluate(run_id))


@pytest.mark.slow
def test_an_untuned_model_asked_without_its_date_goes_live_and_back(account, emulator, models):
    slot = {"sku": "GlobalStandard", "capacity": 10}
    account.is_set_up(slots={"developer": slot, "production": slot})
    lax = {"metric": "routed", "at_least": 0.0, "max_drop": 0.9}
    account.project.write_gate("router", {**GATE, "checks": [lax]})
    old = account.promoted("gpt-4.1-mini").pointer
    new = account.promoted(models.second.model_id).pointer
    assert set(account.standing()) == {old.deployment, new.deployment}
    swept = account.command("sweep", "router", "--json").json["targets"][0]
    assert swept["problems"] == []
    back = account.command("rollback", "router", "--reason", "wrong answers")
    assert "it was still warm" in back.out
    assert account.live().model_id == "gpt-4.1-mini"
    assert "is what is recorded" in drift(account)
