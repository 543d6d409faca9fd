"""`gatewright doctor` and `gatewright promote` on Azure as a person types them: the real commands, on a real Prefect server.

Same region, other region, other tenant, checkpoint, no quota, missing role, unknown type, a slot that expires while it is
asked, a service that goes on answering with the old model, writes of others: each ends right, or with one clear message.
"""

from __future__ import annotations

import pytest
from support.emulator import finish_operations

pytestmark = [
    pytest.mark.slow,
    # Prefect's clients leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

REGION = {"name": "acme-ncus", "location": "northcentralus"}
ROW = "OpenAI.DeveloperTier.gpt4.1-mini-finetune"
WRITE = "Microsoft.CognitiveServices/accounts/deployments/write"


@pytest.fixture
def promote(account, prefect_server, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    return lambda *named: account.command("promote", "router", *named, "--json")


def one_line(answer):
    """The one message of a command that was refused."""
    (told,) = [text for key, text in answer.json.items() if key == "error"]
    assert "Traceback" not in told
    return told


def test_a_model_of_the_account_goes_live_and_its_successor_after_it(promote, account, models):
    assert account.doctor(models.first.model_id).code == 0
    first = promote("--job", models.first.id)
    assert first.code == 0, first.err
    assert first.json["state"] == "promoted"
    second = promote("--model", models.second.model_id)
    assert second.code == 0, second.err
    assert account.live().model_id == models.second.model_id
    assert len(account.standing()) == 2, "the previous one stays warm, no developer slot is left"


def test_the_same_model_named_otherwise_gets_no_second_try(promote, models):
    assert promote("--job", models.first.id).code == 0
    again = promote("--model", models.first.model_id)
    assert again.code == 1
    assert "was tried already" in again.out
    assert "--again" in again.out


def test_a_checkpoint_goes_live(promote, account, models):
    assert account.doctor(models.checkpoints[0].id).code == 0
    answer = promote("--checkpoint", models.checkpoints[0].id)
    assert answer.code == 0, answer.err
    assert account.live().model_id == models.checkpoints[0].id


def test_a_model_of_another_region_goes_live(promote, account, emulator, models, monkeypatch):
    emulator.set(accounts=[REGION])
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "acme-ncus-api-key")
    monkeypatch.setenv("AZURE_OPENAI_SOURCE_API_KEY", "embedded-api-key")
    account.azure(
        account="acme-ncus",
        endpoint=f"{emulator.url}/accounts/acme-ncus",
        source={"account": "embedded", "endpoint": emulator.url},
    )
    assert account.doctor(models.first.model_id).code == 0
    answer = promote("--job", models.first.id)
    assert answer.code == 0, answer.err
    assert "/accounts/acme-ncus/" in account.live().endpoint.base_url


def test_a_model_of_another_tenant_goes_live_with_a_token_of_each(
    promote, account, models, partner
):
    partner()
    assert account.doctor(models.first.model_id).code == 0
    answer = promote("--model", models.first.model_id)
    assert answer.code == 0, answer.err
    assert "/accounts/partner/" in account.live().endpoint.base_url


def test_without_a_role_at_the_other_tenants_account_that_role_is_named(
    promote, account, models, partner
):
    partner(roles={"*": "Reader"})
    answer = promote("--model", models.first.model_id)
    assert answer.code == 3
    told = one_line(answer)
    assert "source rights" in told
    assert "'Cognitive Services OpenAI Contributor' assigned at the source account" in told
    assert account.live() is None


def test_without_quota_it_ends_before_anything_is_written(promote, account, emulator, models):
    emulator.set(quota_limits={ROW: 4})
    doctor, answer = account.doctor(models.first.model_id), promote("--job", models.first.id)
    assert (doctor.code, answer.code) == (3, 3)
    for told in (doctor.out, one_line(answer)):
        assert f"{ROW}: needed 10, left 4 of 4" in told
    assert account.standing() == {}


def test_without_the_role_it_ends_with_the_action_that_is_missing(
    promote, account, emulator, models, monkeypatch
):
    monkeypatch.setenv("GATEWRIGHT_ARM_TOKEN", emulator.token(roles={"*": "Reader"}))
    doctor, answer = account.doctor(models.first.model_id), promote("--job", models.first.id)
    assert (doctor.code, answer.code) == (3, 3)
    assert WRITE in doctor.out
    assert WRITE in one_line(answer)
    assert account.standing() == {}


def test_what_the_service_refuses_is_told_once_and_not_tried_again(
    promote, account, emulator, models
):
    refusal = {"match": "PUT /subscriptions", "kind": "status", "status": 403}
    emulator.set(faults=[{**refusal, "code": "AuthorizationFailed"}])
    before = len(emulator.log)
    answer = promote("--job", models.first.id)
    assert answer.code == 3
    assert "a role is missing" in one_line(answer)
    assert len([one for one in emulator.log[before:] if one.method == "PUT"]) == 1


def test_an_unknown_sku_ends_with_those_there_are(promote, account, models):
    account.is_set_up(slots={"developer": {"sku": "DeveloperTeir", "capacity": 10}})
    doctor, answer = account.doctor(models.first.model_id), promote("--job", models.first.id)
    assert (doctor.code, answer.code) == (3, 3)
    for told in (doctor.out, one_line(answer)):
        assert "DeveloperTeir is not offered" in told
        assert "DeveloperTier" in told


def test_an_unknown_model_is_wrong_input(promote, models):
    answer = promote("--model", "gpt-4.1-mini-2025-04-14.ft-ffffffffffffffffffffffffffffffff")
    assert answer.code == 3
    assert "there is no model" in one_line(answer)


def asked(emulator, since):
    return [one for one in emulator.log[since:] if one.path.endswith("/chat/completions")]


def test_a_slot_that_expires_while_it_is_asked_is_deployed_again_and_the_model_goes_live(
    promote, account, emulator, models, meanwhile
):
    assert account.doctor(models.first.model_id).code == 0
    emulator.set(latency_ms=[20, 30])
    account.is_set_up(sampling={**account.target["sampling"], "concurrency": 2})
    before = len(emulator.log)
    meanwhile(lambda: len(asked(emulator, before)) > 20, lambda: emulator.clock.advance(25 * 3600))
    answer = promote("--job", models.first.id)
    assert answer.code == 0, answer.out
    puts = [one.path for one in emulator.log[before:] if (one.method, one.status) == ("PUT", 201)]
    slot = puts[0]
    assert puts.count(slot) == 2, "the developer slot was made, and made again"
    assert len(account.standing()) == 1


def test_while_the_old_model_still_answers_under_the_name_nothing_goes_live(
    promote, account, emulator, models
):
    account.is_set_up(promotion={**account.target["promotion"], "strategy": "replace"})
    assert promote("--job", models.first.id).code == 0
    emulator.set(stale_serving_s=1.0)
    assert "it will not answer for about" in account.doctor(models.second.model_id).out
    answer = promote("--model", models.second.model_id)
    assert answer.code == 0, answer.out
    assert account.standing() == {"router": models.second.model_id}
    with account.registry() as registry:
        (run,) = [
            one for one in registry.runs("router") if one.candidate_model == models.second.model_id
        ]
    (done,) = [
        one for one in account.steps(run.run_id) if (one.step, one.phase) == ("deploying", "done")
    ]
    assert done.detail["downtime_s"] >= 1.0


def test_writes_of_others_to_the_account_are_waited_for(
    promote, account, emulator, models, meanwhile
):
    assert account.doctor(models.first.model_id).code == 0
    emulator.set(provisioning_s=3600)  # theirs is under way until we were refused because of it
    account.begun_by_hand("theirs", models.second.model_id)
    emulator.set(provisioning_s=0.03)
    before = len(emulator.log)
    refused = lambda: 409 in {one.status for one in emulator.log[before:]}  # noqa: E731
    meanwhile(refused, lambda: finish_operations(emulator))
    answer = promote("--job", models.first.id)
    assert answer.code == 0, answer.out
    assert refused()
    assert sorted(account.standing().values()) == sorted(
        [models.first.model_id, models.second.model_id]
    )
