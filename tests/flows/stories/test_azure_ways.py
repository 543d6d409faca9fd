"""The ways through Azure: each ends right, or with one clear message that says what to do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from support.emulator import LIVING, finish_operations

from evals.errors import ConfigurationError, PlatformError, RefusedError
from flows.deployments.identity import slot_name
from flows.evaluation import steps
from flows.evaluation.open_run import open_run
from flows.evaluation.request import note_weights, resolve
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform

pytestmark = pytest.mark.slow
REGION = {"name": "acme-ncus", "location": "northcentralus"}


def ticked(answer, name):
    """The line of a thing in doctor's table, without its tick."""
    rows = [row for row in answer.out.splitlines() if row.split()[1:2] == [name]]
    assert len(rows) == 1, answer.out
    return rows[0]


def refused(account, run_id):
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(account.evaluate(run_id))
    return caught.value.problems


def test_in_the_same_region_doctor_is_content_and_the_model_goes_live(account, models):
    answer = account.doctor(models.first.model_id)
    assert answer.code == 0, answer.out
    for line in ("credentials", "account", "rights", "model", "lifetime", "price", "deployments"):
        assert ticked(answer, line).startswith("✓"), answer.out
    assert "deployments can be read, written and deleted" in ticked(answer, "rights")
    assert "$1,241 a month for the production deployment" in ticked(answer, "hosting")
    assert "a developer slot lives 24 h" in ticked(answer, "time")
    outcome = account.promoted(models.first.model_id)
    assert outcome.state == "live"
    assert list(account.standing().values()) == [models.first.model_id]


def test_a_fine_tune_goes_live_after_its_base_has_retired(account, emulator, models):
    past = (datetime.now(UTC) - timedelta(days=40)).date().isoformat()
    dates = {**LIVING["*"], "base_inference_ends": past}
    emulator.set(model_dates={"gpt-4.1-mini": dates}, list_fine_tunes=False)
    base = "gpt-4.1-mini-2025-04-14"
    account.azure(lifetimes={base: {"fine_tunes_end": "2099-10-14"}})
    account.is_set_up()
    answer = account.doctor(models.first.model_id)
    assert answer.code == 0, answer.out
    assert f"the fine-tune of {base} lives until 2099-10-14" in ticked(answer, "lifetime")
    assert f"a successor can be trained on {base} until 2099" in ticked(answer, "successor")
    assert account.promoted(models.first.model_id).state == "live"
    untuned = account.doctor(base)
    assert untuned.code == 3
    assert ticked(untuned, "lifetime").startswith("✗")
    assert "DeveloperTier takes fine-tuned models only" in untuned.out


def test_doctor_says_what_a_run_costs_and_says_so_when_a_price_is_not_known(
    account, models, monkeypatch
):
    account.promoted(models.first.model_id)
    answer = account.doctor(models.second.model_id)
    told = ticked(answer, "cost")
    assert "144 questions to 2 model(s)" in told
    assert "at most about $0.00" in told
    monkeypatch.setattr(AzureOpenAIPlatform, "price", lambda *_: None)
    unknown = account.doctor(models.second.model_id)
    assert unknown.code == 0
    assert "the cost is not known, because the price of" in ticked(unknown, "cost")
    assert "the price of hosting is not known" in ticked(unknown, "hosting")
    assert "$" not in ticked(unknown, "cost")


def test_in_another_region_the_model_comes_from_its_source(account, emulator, models, monkeypatch):
    emulator.set(accounts=[REGION])
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "acme-ncus-api-key")
    monkeypatch.setenv("AZURE_OPENAI_SOURCE_API_KEY", "embedded-api-key")
    there = {"account": "acme-ncus", "endpoint": f"{emulator.url}/accounts/acme-ncus"}
    account.azure(**there)
    answer = account.doctor(models.first.model_id)
    assert answer.code == 3
    assert "for a model of another account name it under 'source'" in answer.out
    account.azure(**there, source={"account": "embedded", "endpoint": emulator.url})
    assert account.doctor(models.first.model_id).code == 0
    outcome = account.promoted("", job_id=models.first.id)
    assert outcome.state == "live"
    assert "/accounts/acme-ncus/" in outcome.pointer.endpoint.base_url
    assert account.standing() == {}


def test_in_another_tenant_a_token_of_each_is_needed_and_enough(account, emulator, models, partner):
    partner()
    assert account.doctor(models.first.model_id).code == 0
    before = len(emulator.log)
    assert account.promoted(models.first.model_id).state == "live"
    assert any(entry.method == "PUT" for entry in emulator.log[before:])


def test_in_another_tenant_a_missing_role_at_the_source_is_named(account, models, partner):
    partner(roles={"*": "Reader"})
    answer = account.doctor(models.first.model_id)
    assert answer.code == 3
    (row,) = [row for row in answer.out.splitlines() if "source rights" in row]
    assert row.startswith("✗")
    assert "accounts/embedded: Microsoft.CognitiveServices/accounts/deployments/write" in row
    (problem,) = refused(account, account.begin(models.first.model_id))
    assert problem.field == "source rights"
    assert "'Cognitive Services OpenAI Contributor'" in problem.fix


def test_a_role_at_the_source_that_goes_after_the_look_is_told_by_the_write(
    account, models, partner
):
    partner()
    run_id = account.begin(models.first.model_id)
    asyncio.run(resolve(account.settings, run_id))
    partner(roles={"*": "Reader"})
    with pytest.raises(PlatformError, match="'Cognitive Services OpenAI Contributor'") as caught:
        asyncio.run(steps.deploy_candidate(account.settings, run_id))
    assert caught.value.code == "LinkedAuthorizationFailed"
    assert caught.value.status == 403


def test_a_checkpoint_is_deployed_by_its_own_id(account, models):
    answer = account.command("doctor", "router", "--checkpoint", models.checkpoints[0].id)
    assert answer.code == 0, answer.out
    outcome = account.promoted("", checkpoint=models.checkpoints[0].id)
    assert outcome.pointer.model_id == models.checkpoints[0].id
    assert list(account.standing().values()) == [models.checkpoints[0].id]


def test_a_checkpoint_that_no_job_lists_has_no_try_beside_that_of_its_model(
    account, emulator, models
):
    assert account.promoted(models.first.model_id).state == "live"
    emulator.set(unlisted_checkpoints=["*"], checkpoint_echo="job")
    run_id = account.begin("", checkpoint=models.checkpoints[-1].id)
    for _ in range(2):
        with pytest.raises(RefusedError, match="was tried already"):
            asyncio.run(account.evaluate(run_id))
    with (  # as an answer may call itself
        open_run(account.settings, run_id) as run,
        pytest.raises(RefusedError, match="was tried already"),
    ):
        note_weights(run, "", models.first.model_id.upper())


@pytest.mark.parametrize("option", ["--checkpoint", "--model"])
def test_what_a_checkpoint_costs_and_how_long_it_lives_follow_from_its_jobs_base(
    account, models, option
):
    answer = account.command("doctor", "router", option, models.checkpoints[0].id)
    assert f"is a checkpoint of {models.first.id}" in ticked(answer, "model")
    assert "$0.40 in, $1.60 out" in ticked(answer, "price")
    assert "$1,241 a month" in ticked(answer, "hosting")
    assert "the fine-tune of gpt-4.1-mini-2025-04-14 lives until" in ticked(answer, "lifetime")
    assert "at most about $" in ticked(answer, "cost")
    assert "!" not in {row[:1] for row in answer.out.partition("installation")[0].splitlines()}


def test_a_live_checkpoint_has_a_price_for_the_next_run_to_keep_its_budget_by(account, models):
    account.promoted("", checkpoint=models.checkpoints[0].id)
    assert "144 questions to 2 model(s)" in ticked(account.doctor(models.second.model_id), "cost")
    assert "unknown" not in ticked(account.doctor(models.second.model_id), "cost")
    account.is_set_up(sampling={**account.target["sampling"], "budget_usd": 5.0})
    assert account.promoted(models.second.model_id).state == "live"


def test_doctor_takes_a_job_as_a_promotion_does_and_says_when_there_is_none(account, models):
    answer = account.command("doctor", "router", "--job", models.first.id)
    assert answer.code == 0, answer.out
    assert f"{models.first.model_id} is there" in ticked(answer, "model")
    unknown = account.command("doctor", "router", "--job", "ftjob-nope")
    assert unknown.code == 3
    assert "there is no fine-tuning job ftjob-nope" in ticked(unknown, "model")
    wrong = ("doctor", "router", "--model", models.first.model_id, "--base-model", "gpt-4o")
    refused = account.command(*wrong)
    assert refused.code == 3
    assert "and gpt-4o was given (--base-model)" in ticked(refused, "model")
    account.azure(account="nobody")
    elsewhere = account.command("doctor", "router")
    assert elsewhere.code == 3
    assert "there is no such resource" in ticked(elsewhere, "platform")
    assert "→ check the account's name" in elsewhere.out
    both = account.command("doctor", "router", "--job", "ftjob-nope", "--model", "x")
    assert both.code == 3
    assert "expected exactly one of --job, --model and --checkpoint" in both.err


def test_without_quota_the_row_the_need_and_what_is_left_are_named_before_anything_is_written(
    account, emulator, models
):
    row = "OpenAI.DeveloperTier.gpt4.1-mini-finetune"
    emulator.set(quota_limits={row: 4})
    answer = account.doctor(models.first.model_id)
    assert answer.code == 3
    assert f"{row}: needed 10, left 4 of 4" in answer.out
    assert "→ lower the slot's capacity, or ask for more in the portal under 'Quota'" in answer.out
    (problem,) = refused(account, account.begin(models.first.model_id))
    assert problem.field == "quota developer"
    assert account.standing() == {}


def test_quota_that_went_between_the_look_and_the_write_is_told_with_its_numbers(
    account, emulator, models, monkeypatch
):
    run_id = account.begin(models.first.model_id)
    asyncio.run(resolve(account.settings, run_id))
    emulator.set(quota_limits={"OpenAI.DeveloperTier.gpt4.1-mini-finetune": 4})
    with pytest.raises(PlatformError, match=r"needed 10, left 4 .*lower the slot's capacity to 4"):
        asyncio.run(steps.deploy_candidate(account.settings, run_id))


def test_a_missing_role_names_each_action_and_the_scope(account, emulator, models, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_ARM_TOKEN", emulator.token(roles={"*": "Reader"}))
    answer = account.doctor(models.first.model_id)
    assert answer.code == 3
    assert ticked(answer, "rights").startswith("✗")
    assert "Microsoft.CognitiveServices/accounts/deployments/write" in ticked(answer, "rights")
    assert "/accounts/embedded" in ticked(answer, "rights")
    assert "have 'Cognitive Services OpenAI Contributor' assigned at the account" in answer.out
    (problem,) = refused(account, account.begin(models.first.model_id))
    assert problem.field == "rights"
    assert account.standing() == {}


@pytest.mark.parametrize("sku", ["GlobalStandrad", "DataZoneStandard"])
def test_a_sku_that_is_not_there_is_told_with_those_that_are(
    account, emulator, models, sku, monkeypatch
):
    emulator.set(accounts=[{"name": "acme-brs", "location": "brazilsouth"}])
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "acme-brs-api-key")
    monkeypatch.setenv("AZURE_OPENAI_SOURCE_API_KEY", "embedded-api-key")
    account.azure(
        account="acme-brs",
        endpoint=f"{emulator.url}/accounts/acme-brs",
        source={"account": "embedded", "endpoint": emulator.url},
    )
    account.is_set_up(
        slots={
            "developer": {"sku": "DeveloperTier", "capacity": 10},
            "production": {"sku": sku, "capacity": 10},
        }
    )
    answer = account.doctor(models.first.model_id)
    assert answer.code == 3
    assert f"{sku} is not offered for this model in this region" in answer.out
    assert "→ offered here: " in answer.out
    assert "GlobalStandard" in answer.out.split("→ offered here: ")[1].splitlines()[0]
    problems = refused(account, account.begin(models.first.model_id))
    assert [problem.field for problem in problems] == ["sku production", "fine-tuning"]


def asked(emulator, since=0):
    return [one for one in emulator.log[since:] if one.path.endswith("/chat/completions")]


def test_a_slot_that_expires_while_it_is_asked_is_deployed_again_and_the_run_goes_on(
    account, emulator, models, meanwhile
):
    emulator.set(latency_ms=[20, 30])
    account.is_set_up(sampling={**account.target["sampling"], "concurrency": 2})
    run_id = account.begin(models.first.model_id)
    before = len(emulator.log)
    meanwhile(lambda: len(asked(emulator, before)) > 20, lambda: emulator.clock.advance(25 * 3600))
    assert asyncio.run(account.evaluate(run_id)) == "PASS"
    name = slot_name(account.run(run_id))
    made = [
        one
        for one in emulator.log[before:]
        if one.method == "PUT" and one.status == 201 and one.path.endswith(name)
    ]
    assert len(made) == 2
    answers = account.answers(run_id)
    assert len({one.case_id for one in answers}) == len(answers) == 72
    assert {one.outcome for one in answers} == {"answered"}


def test_while_the_old_model_answers_under_a_name_made_again_nothing_is_asked(
    account, emulator, models
):
    account.is_set_up(promotion={**account.target["promotion"], "strategy": "replace"})
    account.promoted(models.first.model_id)
    emulator.set(stale_serving_s=1.0)
    run_id = account.begin(models.second.model_id)
    outcome = asyncio.run(account.promote(run_id))
    assert outcome.state == "live"
    assert "router did not answer for" in outcome.detail
    (done,) = [
        one for one in account.steps(run_id) if (one.step, one.phase) == ("deploying", "done")
    ]
    assert done.detail["downtime_s"] >= 1.0


def test_writes_of_others_to_the_account_are_waited_for(account, emulator, models, meanwhile):
    emulator.set(
        provisioning_s=3600
    )  # theirs is under way until somebody was refused because of it
    body = {
        "sku": {"name": "GlobalStandard", "capacity": 1},
        "properties": {
            "model": {"format": "OpenAI", "name": models.second.model_id, "version": "1"}
        },
    }
    runs = [account.begin(models.first.model_id), account.begin(models.second.model_id)]

    async def both() -> None:
        for run_id in runs:
            await resolve(account.settings, run_id)
        assert account.arm("PUT", "theirs", body).status_code == 201
        emulator.set(provisioning_s=0.03)
        await asyncio.gather(*(steps.deploy_candidate(account.settings, run_id) for run_id in runs))

    before = len(emulator.log)
    refused = lambda: 409 in {one.status for one in emulator.log[before:]}  # noqa: E731
    meanwhile(refused, lambda: finish_operations(emulator))
    asyncio.run(both())
    assert refused()
    assert set(account.standing()) == {"theirs", *(slot_name(account.run(one)) for one in runs)}


def test_a_key_of_the_account_that_is_misspelt_is_named_with_file_and_line(account, models):
    account.azure(acount="x")
    answer = account.doctor(models.first.model_id)
    assert answer.code == 3
    path = account.folder / "targets" / "router.yaml"
    line = 1 + next(
        i for i, text in enumerate(path.read_text().splitlines()) if "acount: x" in text
    )
    assert f"{path}:{line}: field 'azure_openai.acount': unknown key" in answer.out
    assert "did you mean 'account'" in answer.out
    refused = account.command("promote", "router", "--model", models.first.model_id)
    assert refused.code == 3
    assert f"{path}:{line}: field 'azure_openai.acount'" in refused.err


def test_a_refused_token_is_told_once_and_not_in_every_line(account, models, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_ARM_TOKEN", "wrong")
    answer = account.doctor(models.first.model_id)
    assert answer.code == 3
    assert answer.out.count("the token was refused") == 1
    assert ticked(answer, "account").startswith("✗")
    assert ticked(answer, "price").startswith("✓"), "what needs no token is still looked at"


def test_quota_held_by_another_targets_deployment_of_the_same_model_does_not_count_as_ours(
    account, models
):
    slots = {"gatewright": "production", "gatewright-target": "another"}
    account.made_by_hand("another-1", models.first.model_id, **slots)
    assert (
        ": needed 10, left"
        in account.doctor(models.first.model_id).out.partition("quota production")[2]
    )
