"""`gatewright promote` on Azure as a person types it: the real command, its flow on a real Prefect server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

pytestmark = [
    pytest.mark.slow,
    # Prefect's clients leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

REGION = {"name": "acme-ncus", "location": "northcentralus"}


@pytest.fixture(scope="module")
def prefect_server() -> Iterator[str]:
    with (
        temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        prefect_test_harness(server_startup_timeout=120),
    ):
        yield str(PREFECT_API_URL.value())


@pytest.fixture
def promote(account, prefect_server, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    return lambda *named: account.command("promote", "router", *named, "--json")


def test_a_model_of_the_account_goes_live_and_its_successor_after_it(promote, account, models):
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
    answer = promote("--checkpoint", models.checkpoint)
    assert answer.code == 0, answer.err
    assert account.live().model_id == models.checkpoint


def test_a_model_of_another_region_goes_live(promote, account, emulator, models, monkeypatch):
    emulator.set(accounts=[REGION])
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "acme-ncus-api-key")
    monkeypatch.setenv("AZURE_OPENAI_SOURCE_API_KEY", "embedded-api-key")
    account.azure(
        account="acme-ncus",
        endpoint=f"{emulator.url}/accounts/acme-ncus",
        source={"account": "embedded", "endpoint": emulator.url},
    )
    answer = promote("--job", models.first.id)
    assert answer.code == 0, answer.err
    assert "/accounts/acme-ncus/" in account.live().endpoint.base_url


def test_without_quota_it_ends_before_anything_is_written(promote, account, emulator, models):
    row = "OpenAI.DeveloperTier.gpt4.1-mini-finetune"
    emulator.set(quota_limits={row: 4})
    answer = promote("--model", models.first.model_id)
    assert answer.code == 3
    assert f"{row}: needed 10, left 4 of 4" in answer.json["error"]
    assert account.standing() == {}


def test_without_the_role_it_ends_with_the_action_that_is_missing(
    promote, account, emulator, models, monkeypatch
):
    monkeypatch.setenv("GATEWRIGHT_ARM_TOKEN", emulator.token(roles={"*": "Reader"}))
    answer = promote("--model", models.first.model_id)
    assert answer.code == 3
    assert "Microsoft.CognitiveServices/accounts/deployments/write" in answer.json["error"]
    assert account.standing() == {}


def test_an_unknown_sku_ends_with_those_there_are(promote, account, models):
    account.is_set_up(slots={"developer": {"sku": "DeveloperTeir", "capacity": 10}})
    answer = promote("--model", models.first.model_id)
    assert answer.code == 3
    assert "DeveloperTier" in answer.json["error"]


def test_an_unknown_model_is_wrong_input(promote, models):
    answer = promote("--model", "gpt-4.1-mini-2025-04-14.ft-ffffffffffffffffffffffffffffffff")
    assert answer.code == 3
    assert "there is no model" in answer.json["error"]
