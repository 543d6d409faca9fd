"""The manuals agree with the code: every switch of the emulator, every command, role and target file they show."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import httpx
import msgspec
import pytest
import yaml

from flows.cli import app
from flows.config.target import load_target
from flows.emulator.switches import Switches
from flows.platforms.azure.arm.documents import put_body
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.errors.meanings import MEANINGS
from flows.platforms.azure.options import AzureOptions, SourceOptions, read_options
from flows.platforms.azure.region.fine_tune_offers import offer_table
from flows.platforms.base import SlotSpec
from flows.platforms.deadlines import PollingPace
from flows.platforms.fine_tuning.jobs import walk_jobs
from flows.platforms.model_lifetimes import LifetimeTable, tables

ROOT = Path(__file__).resolve().parents[2]
AZURE = (ROOT / "docs" / "azure.md").read_text("utf-8")
RULES = (ROOT / "docs" / "azure_rules.md").read_text("utf-8")
EMULATOR = (ROOT / "docs" / "emulator.md").read_text("utf-8")
ACCOUNT = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/embedded"
    "/providers/Microsoft.CognitiveServices/accounts/embedded"
)
SWITCHES = msgspec.to_builtins(Switches())


@pytest.mark.parametrize("name", list(SWITCHES))
def test_every_switch_is_documented_with_its_default(name):
    rows = [row for row in EMULATOR.splitlines() if row.startswith(f"| `{name}` |")]
    assert len(rows) == 1
    assert rows[0].startswith(f"| `{name}` | `{json.dumps(SWITCHES[name])}` | ")


def test_no_switch_is_documented_that_is_not_there():
    assert set(re.findall(r"^\| `([a-z_0-9]+)` \|", EMULATOR, re.MULTILINE)) == set(SWITCHES)


def test_every_line_of_the_checklist_is_documented_and_has_a_test():
    documented = {int(number) for number in re.findall(r"^- \*\*(\d+)\*\*", EMULATOR, re.MULTILINE)}
    tests = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "tests" / "flows" / "emulator").glob("test_checklist_*.py")
    )
    tested = {int(number) for number in re.findall(r"def test_line_(\d+)", tests)}
    assert documented == tested == set(range(1, 21)) - {16}  # 16 went with the hosted evals


def test_the_commands_of_the_manual_exist():
    there = {
        info.name or info.callback.__name__ for info in app.registered_commands if info.callback
    }
    named = set(re.findall(r"gatewright ([a-z]+)", AZURE))
    assert named <= there
    assert {"doctor", "promote", "sweep", "rollback", "report", "live"} <= named


def test_the_target_of_the_manual_is_one(tmp_path):
    block = re.search(r"```yaml\n(# flows/targets/support-triage.yaml.*?)```", AZURE, re.DOTALL)
    (tmp_path / "support-triage.yaml").write_text(block.group(1), "utf-8")
    target = load_target(tmp_path, "support-triage")
    assert read_options(target.options).account == "acme-swc"
    other = re.search(r"```yaml\n(azure_openai:.*?)```", AZURE, re.DOTALL).group(1)
    assert read_options(yaml.safe_load(other)["azure_openai"]).source.account == "acme-swc"


def cells(*texts: object) -> str:
    return f"| {' | '.join(str(text or '–') for text in texts)} |"


def test_the_deployment_types_of_fine_tunes_are_those_of_the_data():
    types = offer_table().types
    rows = [
        cells("fine-tunes of", *(f"`{name}`" for name in types)),
        "|---" * (len(types) + 1) + "|",
    ]
    for base in types["GlobalStandard"]:
        places = [models.get(base, []) for models in types.values()]
        rows.append(cells(base, *(p if isinstance(p, str) else ", ".join(p) for p in places)))
    assert "\n".join(rows) in AZURE


def test_the_last_days_of_models_are_those_of_the_data():
    what = ("jobs until", "untuned until", "fine-tunes until")
    rows = [
        cells("base model", *(f"{vendor}: {one}" for vendor in ("Azure", "OpenAI") for one in what))
    ]
    rows.append("|---" * 7 + "|")
    known = [LifetimeTable("azure_openai"), LifetimeTable("openai")]
    for base in sorted({model for figures in tables() for model in figures.models}):
        dates = [table.published(base) for table in known]
        days = [(d.training_ends, d.base_inference_ends, d.fine_tunes_end) for d in dates]
        doubtful = [
            one.models[base].base_inference_ends
            for one in tables()
            if one.uncertain and base in one.models
        ]
        untuned = f"{days[0][1]} (?)" if days[0][1] in doubtful else days[0][1]
        rows.append(cells(base, days[0][0], untuned, days[0][2], *days[1]))
    assert "\n".join(rows) in AZURE


@pytest.mark.slow
def test_the_account_to_practise_on_opens_with_the_credentials_shown(emulator):
    practice = AZURE.partition("## Practising")[2]
    env = dict(re.findall(r"([A-Z_]+)=([a-z-]+)", practice))
    block = re.search(r"```yaml\n(azure_openai:.*?)```", practice, re.DOTALL).group(1)
    here = yaml.safe_load(block.replace("http://127.0.0.1:8790", emulator.url))["azure_openai"]

    async def look():
        platform = AzureOpenAIPlatform(read_options(here), env)
        try:
            return await platform.list_deployments(), [job async for job in walk_jobs(platform)]
        finally:
            await platform.aclose()

    standing, jobs = asyncio.run(look())
    assert standing == ()
    assert len(jobs) >= 2, "those of this account; other files of tests may have added to them"


def test_every_key_of_the_azure_block_is_explained():
    for key in AzureOptions.__struct_fields__:
        assert f"`{key}`" in AZURE or f"\n  {key}: " in AZURE, key
    for key in SourceOptions.__struct_fields__:
        assert f"`source.{key}`" in AZURE, key


def test_the_waits_that_can_be_set_have_the_documented_defaults():
    pace = PollingPace()
    for key, seconds in (("deploy_within_s", pace.deploy), ("ready_within_s", pace.ready)):
        assert re.search(rf"^\| `{key}` \| .*\b{seconds:.0f} when left out", AZURE, re.MULTILINE)


def test_pausing_with_a_smaller_role_is_practised_as_shown(emulator):
    """The request for a token in the page on the emulator, and what its role may and may not do."""
    shown = re.search(r"_emulator/tokens -d '(\{\"roles\".*?)'", EMULATOR)[1]
    answer = httpx.post(f"{emulator.url}/_emulator/tokens", content=shown, timeout=900)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    account = f"{emulator.url}{ACCOUNT}"
    asked = {"params": {"api-version": "2025-06-01"}, "headers": headers, "timeout": 900}
    assert httpx.get(f"{account}/deployments", **asked).status_code == 200
    refused = httpx.post(f"{account}/deployments/any/pause", **asked)
    assert refused.status_code == 403
    assert "deployments/pause/action" in refused.json()["error"]["message"]


def test_an_account_of_another_region_is_practised_as_shown(emulator):
    shown = re.search(r"_emulator/switches -d '(\{\"accounts\".*?)'", EMULATOR)[1]
    block = re.search(r"```yaml\n(azure_openai:.*?)```", EMULATOR, re.DOTALL)[1]
    options = read_options(
        yaml.safe_load(block.replace("http://127.0.0.1:8790", emulator.url))["azure_openai"]
    )
    env = {
        "AZURE_OPENAI_API_KEY": "acme-ncus-api-key",
        "GATEWRIGHT_ARM_TOKEN": "embedded-arm-token",
    }
    env |= dict(re.findall(r"(AZURE_OPENAI_SOURCE_API_KEY)=([a-z-]+)", EMULATOR))
    httpx.post(f"{emulator.url}/_emulator/switches", content=shown, timeout=900)

    async def look():
        platform = AzureOpenAIPlatform(options, env)
        try:
            return await platform.list_deployments(), [job async for job in walk_jobs(platform)]
        finally:
            await platform.aclose()

    standing, _jobs = asyncio.run(look())
    assert standing == ()
    assert options.model_source.account_id.endswith("/accounts/embedded")


def test_roles_that_errors_ask_for_and_codes_of_the_table_are_real():
    for role in ("Cognitive Services OpenAI Contributor", "Cognitive Services Usages Reader"):
        assert f'--role "{role}"' in AZURE
    table = AZURE.partition("## When it does not work")[2]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    codes = [code for row in rows for code in re.findall(r"`([A-Za-z]+|\d+-\d+)`", row)]
    assert len(codes) >= 20
    assert set(codes) <= set(MEANINGS)


def test_the_lines_for_az_say_what_gatewright_sends():
    """`az … deployment create` of the page on Azure's rules, against the body of the same deployment."""
    line = re.search(r"deployment create (--name .*?)\n```", RULES, re.DOTALL)[1].replace(
        "\\\n", " "
    )
    said = dict(re.findall(r"--([a-z-]+) (\S+)", line))
    slot = SlotSpec(slot="developer", sku=said["sku-name"], capacity=int(said["sku-capacity"]))
    sent = put_body(said["model-name"], slot, {})
    assert sent["sku"] == {"name": "DeveloperTier", "capacity": 100}
    assert sent["properties"]["model"] == {
        "format": said["model-format"],
        "name": said["model-name"],
        "version": said["model-version"],
    }
    for option in ("versionUpgradeOption", "tags", "content_policy", "--model-source"):
        assert option in RULES


def test_every_code_that_is_explained_has_an_explanation_and_something_to_do():
    assert all(meaning and fix for meaning, fix in MEANINGS.values())
