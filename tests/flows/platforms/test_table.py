"""Opening platforms: names, options and credentials; what is wrong is named with the nearest right thing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from evals.errors import ConfigurationError, CredentialError
from evals.records import Price
from flows.platforms import prices
from flows.platforms.asking.readiness import agreement
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.credentials import IdentityTokens, source_tokens
from flows.platforms.azure.options import read_options
from flows.platforms.base import SlotSpec, TriggerRef
from flows.platforms.model_names import (
    base_of,
    base_parts,
    is_checkpoint_id,
    is_fine_tuned,
    job_of,
    same_model,
    step_checkpoint,
)
from flows.platforms.prices import PriceTable
from flows.platforms.table import PLATFORMS, open_platform

OPTIONS = {"subscription": "s", "resource_group": "g", "account": "acme-swc"}
HEX = "5d1e" * 8


def test_every_platform_of_the_table_opens_without_network_or_credentials() -> None:
    for name in PLATFORMS:
        options = OPTIONS if name == "azure_openai" else {}
        assert open_platform(name, options, {}).name == name


def test_a_misspelt_platform_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'azure_openai'"):
        open_platform("azure-openai", {}, {})


def test_every_problem_of_the_options_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_options({"subscripton": "s", "account": "a"})
    text = str(caught.value)
    assert "did you mean 'subscription'" in text
    assert "'resource_group'" in text
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    "shown",
    [
        "https://acme.openai.azure.com/openai/v1/",
        "https://acme.openai.azure.com/openai/",
        "https://acme.openai.azure.com/openai/v1/chat/completions",
        "https://acme.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        "https://acme.openai.azure.com/api/projects/p",
        "https://acme.openai.azure.com/api/projects/p/openai/v1/",
        "https://ACME.openai.azure.com:443/?api-version=2024-10-21",
        "https://acme.openai.azure.com//",
    ],
)
def test_an_address_is_taken_as_portals_show_it(shown: str) -> None:
    source = {"account": "b", "endpoint": shown}
    options = read_options({**OPTIONS, "endpoint": shown, "source": source})
    assert options.data_endpoint == "https://acme.openai.azure.com"
    assert options.training_endpoint == "https://acme.openai.azure.com"


def test_what_stands_before_the_path_of_the_api_is_kept() -> None:
    shown = "https://gateway.acme.com/openai-eu/accounts/one/"
    options = read_options({**OPTIONS, "endpoint": f"{shown}openai/v1"})
    assert options.data_endpoint == shown.rstrip("/")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": {"account": "b", "endpoint": "http://x.com"}}, "source.endpoint"),
        ({"source": {"account": "b", "endpoint": "nonsense"}}, "source.endpoint"),
        ({"api": "v2"}, "api"),
        ({"api": "dated", "api_version": "latest"}, "expected a date such as '2024-10-21'"),
        ({"source": {"acount": "x"}}, "source"),
        ({"prices": {"m": {"input": 1.0}}}, "output"),
        ({"arm_endpoint": "http://management.example"}, "expected an https address"),
        ({"prices": {"m": {"input": -1.0, "output": 1.0}}}, "expected USD, zero or more"),
    ],
)
def test_options_that_do_not_fit_are_named(changes, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        open_platform("azure_openai", {**OPTIONS, **changes}, {})


def test_the_addresses_follow_from_the_options() -> None:
    platform = open_platform("azure_openai", OPTIONS, {})
    endpoint = platform.connect("cand-1", f"m.ft-{HEX}", "developer").endpoint
    assert endpoint.base_url == "https://acme-swc.openai.azure.com/openai/v1"
    assert (endpoint.model, endpoint.api_version) == ("cand-1", None)
    dated = open_platform(
        "azure_openai", {**OPTIONS, "api": "dated", "endpoint": "https://x.example/"}, {}
    )
    endpoint = dated.connect("cand-1", "m", "production").endpoint
    assert endpoint.base_url == "https://x.example/openai/deployments/cand-1"
    assert endpoint.api_version == "2024-10-21"


async def test_a_key_is_sent_as_a_key_and_a_token_as_a_bearer() -> None:
    key = open_platform("azure_openai", OPTIONS, {"AZURE_OPENAI_API_KEY": "k"})
    assert await key.connect("d", "m", "developer").auth() == {"api-key": "k"}
    token = open_platform("azure_openai", OPTIONS, {"AZURE_OPENAI_AD_TOKEN": "t"})
    assert await token.connect("d", "m", "developer").auth() == {"Authorization": "Bearer t"}


async def test_no_credential_names_every_way_to_give_one(monkeypatch, server) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # asks nobody
    for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)
    here = {**OPTIONS, "endpoint": server.url, "arm_endpoint": server.url}
    platform = open_platform("azure_openai", here, {})
    with pytest.raises(CredentialError, match="AZURE_OPENAI_API_KEY") as caught:
        await platform.resolve(TriggerRef(job_id="ftjob-1"), target="t")
    assert "az login" in str(caught.value)
    with pytest.raises(CredentialError, match="AZURE_CLIENT_ID") as caught:
        await platform.get("cand-1")
    assert caught.value.exit_code == 3
    slots = (SlotSpec(slot="developer"),)
    from evals.records import Candidate

    found = await platform.preflight(Candidate(model_id="m", target="t"), slots)
    assert [one.level for one in found if one.name in {"credentials", "model"}] == ["fail", "fail"]
    assert not server.seen
    await platform.aclose()


@dataclass
class Issued:
    token: str
    expires_on: int


class Issuer:
    """A credential in azure-identity's form, with a lifetime of its own."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s, self.asked, self.closed = lifetime_s, [], False

    async def get_token(self, scope: str, **named: str) -> Issued:
        self.asked.append((scope, named))
        return Issued(f"token-{len(self.asked)}", int(time.time() + self.lifetime_s))

    async def close(self) -> None:
        self.closed = True


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    long = Issuer(3600)
    tokens = IdentityTokens(credential=long, tenant="tenant-1")
    assert [await tokens.token("a"), await tokens.token("a"), await tokens.token("b")] == [
        "token-1",
        "token-1",
        "token-2",
    ]
    assert await tokens.token("a", fresh=True) == "token-3"
    assert long.asked[0] == ("a", {"tenant_id": "tenant-1"})
    await tokens.aclose()
    assert long.closed

    short = IdentityTokens(credential=Issuer(200))
    assert [await short.token("a"), await short.token("a")] == ["token-1", "token-2"]


async def test_the_newer_scope_is_tried_when_the_older_is_refused(server) -> None:
    issuer = Issuer(3600)
    here = {**OPTIONS, "endpoint": server.url, "arm_endpoint": server.url}
    platform = AzureOpenAIPlatform(read_options(here), {}, tokens=IdentityTokens(credential=issuer))
    refused = (401, {"error": {"code": "401", "message": "wrong audience"}})
    job = {"id": "ftjob-1", "status": "failed"}
    server.on("GET /openai/v1/fine_tuning/jobs/ftjob-1", refused, (200, job))
    with pytest.raises(Exception, match="ftjob-1 failed"):
        await platform.resolve(TriggerRef(job_id="ftjob-1"), target="t")
    assert [scope for scope, _ in issuer.asked] == [
        "https://cognitiveservices.azure.com/.default",
        "https://ai.azure.com/.default",
    ]
    await platform.aclose()


def test_the_source_tenant_has_a_credential_of_its_own() -> None:
    own = {"AZURE_SOURCE_CLIENT_ID": "id", "AZURE_SOURCE_CLIENT_SECRET": "secret"}
    assert type(
        source_tokens(own, "00000000-0000-0000-0000-00000000bbbb")._credential
    ).__name__ == (  # type: ignore[attr-defined]
        "ClientSecretCredential"
    )


def test_importing_the_platforms_loads_no_sdk() -> None:
    code = (
        "import sys, flows.platforms.table, flows.platforms.fine_tuning.jobs, flows.platforms.fine_tuning.webhooks\n"
        "heavy = [m for m in ('openai', 'azure.identity', 'prefect', 'sklearn') if m in sys.modules]\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_prices_are_those_of_a_model_in_any_letter_case() -> None:
    own = PriceTable("azure_openai", {"Qwen3-32B": Price(input=1.0, output=2.0)})
    tuned = own.price("QWEN3-32B.FT-" + "AB12" * 8)
    assert tuned is not None and tuned.input == 1.0
    assert own.price("GPT-4.1-mini-2025-04-14") == own.price("gpt-4.1-mini-2025-04-14")
    assert own.price("GPT-4.1-mini") is not None


def test_prices_are_known_by_the_base_overridable_and_otherwise_unknown() -> None:
    azure = PriceTable("azure_openai")
    tuned = azure.price(f"gpt-4.1-mini-2025-04-14.ft-{HEX}-triage")
    assert tuned is not None and tuned.input > 0 and tuned.hosting_per_hour == 1.70 and tuned.source
    base = azure.price("gpt-4.1-mini-2025-04-14")
    assert base is not None and base.hosting_per_hour is None
    assert azure.price(f"ftchkpt-{HEX}") is None
    assert azure.price(f"ftchkpt-{HEX}", "gpt-4.1-mini-2025-04-14") == tuned
    assert azure.price("never-heard-of") is None
    assert PriceTable("openai").price("ft:gpt-4.1-mini-2025-04-14:acme::x") is not None
    assert PriceTable("embedded").price(f"gpt-4o-mini-2024-07-18.ft-{HEX}") is not None
    mine = Price(input=9.0, output=9.0)
    for key in (f"gpt-4.1-2025-04-14.ft-{HEX}", "gpt-4.1-2025-04-14", "gpt-4.1"):
        own = PriceTable("azure_openai", {key: mine})
        assert own.price(f"gpt-4.1-2025-04-14.ft-{HEX}") == mine


def test_every_shipped_price_says_where_it_is_from_and_when_it_was_noted() -> None:
    """What could not be found in a vendor's or another public page is absent, and so is what depends on a guess."""
    shipped = json.loads((Path(prices.__file__).parent / "prices.json").read_text("utf-8"))
    told = 0
    for platform, kinds in shipped["platforms"].items():
        table = PriceTable(platform)
        for kind, models in kinds.items():
            for model, price in models.items():
                asked = f"{model}.ft-{HEX}" if kind == "fine_tuned" else model
                found = table.price(asked)
                if price is None:
                    assert found is None, (platform, model)
                    continue
                told += 1
                assert found is not None and found.input > 0 and found.output > found.input
                assert re.search(r"\w.*; noted 20\d\d-\d\d-\d\d$", found.source)
    assert told > 20


def test_a_version_that_costs_something_else_is_not_priced_like_its_name() -> None:
    openai, azure = PriceTable("openai"), PriceTable("azure_openai")
    old = openai.price("gpt-4o-2024-05-13")
    assert old is not None and old.input == 5.00
    assert openai.price("gpt-4o-2024-08-06").input == 2.50
    assert azure.price("gpt-4o-2024-05-13") is None


def test_model_ids_are_taken_apart() -> None:
    azure, openai = f"gpt-4.1-mini-2025-04-14.ft-{HEX}-triage", "ft:gpt-4.1-2025-04-14:acme::x"
    assert base_of(azure) == "gpt-4.1-mini-2025-04-14"
    assert base_of(f"{azure}:ckpt-step-90") == "gpt-4.1-mini-2025-04-14"
    assert base_of(openai) == "gpt-4.1-2025-04-14"
    assert base_of("gpt-4.1") is None
    assert job_of(azure) == f"ftjob-{HEX}"
    assert job_of(openai) is None
    assert step_checkpoint(f"{openai}:ckpt-step-88") == 88
    assert step_checkpoint(azure) is None
    assert is_checkpoint_id(f"ftchkpt-{HEX}") and is_checkpoint_id("ftckpt_AbC123")
    assert not is_checkpoint_id(azure)
    assert [is_fine_tuned(one) for one in (azure, openai, f"ftchkpt-{HEX}", "gpt-4.1")] == [
        True,
        True,
        True,
        False,
    ]
    assert base_parts("gpt-4o-2024-11-20") == ("gpt-4o", "2024-11-20")
    assert same_model("gpt-4o", "gpt-4o-2024-11-20")
    assert not same_model("gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
    assert not same_model(azure, f"gpt-4.1-mini-2025-04-14.ft-{HEX}")


def test_an_answer_agrees_disagrees_or_does_not_tell() -> None:
    azure, other = f"gpt-4.1-mini-2025-04-14.ft-{HEX}", "gpt-4.1-mini-2025-04-14.ft-" + "0" * 32
    assert agreement(azure, azure.upper()) == "yes"
    assert agreement(azure, other) == "no"
    assert agreement(azure, f"{azure}:ckpt-step-90") == "no"
    assert [agreement(azure, told) for told in (None, "", "cand-1", "gpt-4.1-mini-2025-04-14")] == [
        "unknown"
    ] * 4
    checkpoint = f"ftchkpt-{HEX}"
    assert agreement(checkpoint, other) == "unknown"
    assert agreement(checkpoint, other, [azure]) == "no"
    assert agreement(checkpoint, azure, [azure]) == "yes"
    assert agreement("gpt-4o-2024-11-20", "gpt-4o-2024-11-20") == "yes"
    assert agreement("gpt-4o-2024-11-20", "gpt-4o-2024-08-06") == "no"
    assert agreement("gpt-4o-2024-11-20", "gpt-4o") == agreement("gpt-4o", "gpt-4o-2024-08-06")
    assert agreement("gpt-4o-2024-11-20", other) == "no"
