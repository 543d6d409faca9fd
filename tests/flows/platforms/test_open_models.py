"""Open models fine-tuned in Foundry: their format comes from the target or the account's list, and a wrong one is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.emulator import TrainedModels, fine_tuned_open_model
from support.scripted_server import ACCOUNT, azure_at, embedded_at, shown

from evals.errors import ConfigurationError, PlatformError
from flows.emulator.server import Emulator
from flows.platforms.azure.options import read_options
from flows.platforms.azure.region.formats import format_finding
from flows.platforms.base import SlotSpec, TriggerRef

SLOT = SlotSpec(slot="developer", sku="DeveloperTier", capacity=1)
QWEN = "qwen3-32b.ft-" + "ab12" * 8 + "-router"
AT = f"{ACCOUNT}/deployments/cand-1"


@pytest.fixture
def qwen(emulator: Emulator, models: TrainedModels) -> Iterator[str]:
    with fine_tuned_open_model(emulator, models.first, "qwen3-32b") as model_id:
        yield model_id


async def test_the_format_is_that_of_the_accounts_list(embedded, emulator, qwen) -> None:
    candidate = await embedded.resolve(TriggerRef(model_id=qwen), target="t")
    assert candidate.base_model == "qwen3-32b"
    found = {one.name: one.level for one in await embedded.preflight(candidate, (SLOT,))}
    assert (found["sku developer"], found["lifetime"], found["quota developer"]) == ("ok",) * 3
    deployed = await embedded.deploy("cand-1", qwen, SLOT, tags={})
    await embedded.wait_ready(deployed)


async def test_a_wrong_format_is_a_failure_that_names_the_key(emulator, qwen) -> None:
    platform = embedded_at(emulator.url, model_format="OpenAI")
    with pytest.raises(PlatformError, match="InternalServerError") as caught:
        await platform.deploy("cand-1", qwen, SLOT, tags={})
    assert "sent with the format 'OpenAI'" in str(caught.value.hint)
    assert "'model_format'" in str(caught.value.hint)
    await platform.aclose()


OSS = {"name": "gpt-oss-20b", "version": "11", "format": "OpenAI-OSS"}
NEW = {"name": "kimi-k2", "version": "1", "format": "Moonshot"}


@pytest.mark.parametrize(
    ("base", "options", "listed", "sent"),
    [
        ("qwen3-32b", {"model_format": "Meta"}, [], "Meta"),
        ("qwen3-32b", {}, [{"name": "QWEN3-32B", "version": "1", "format": "Alibaba"}], "Alibaba"),
        ("Qwen-3-32B", {}, [{"name": "Qwen3-32B", "version": "1", "format": None}], "Alibaba"),
        ("qwen3-32b", {}, None, "Alibaba"),
        ("Ministral-3B", {}, [], "Mistral AI"),
        ("llama-3.3-70b-instruct", {}, [], "Meta"),
        ("gpt-oss-20b-11", {}, None, "Microsoft"),
        ("gpt-oss-20b", {}, [OSS], "Microsoft"),
        ("gpt-oss-20b", {"model_format": "OpenAI-OSS"}, [OSS], "OpenAI-OSS"),
        ("kimi-k2", {}, [NEW], "Moonshot"),
        ("kimi-k3", {}, [NEW], "OpenAI"),
        ("gpt-4.1-mini-2025-04-14", {}, [OSS], "OpenAI"),
    ],
)
async def test_the_target_says_the_format_then_the_family_then_the_list(
    server, base, options, listed, sent
) -> None:
    model = f"{base}.ft-" + "ab12" * 8
    platform = azure_at(server.url, **options)
    assert await _sent(server, platform, model, listed) == sent
    await platform.aclose()


async def test_an_untuned_model_is_what_the_list_says(server, azure) -> None:
    assert await _sent(server, azure, "gpt-oss-20b", [OSS]) == "OpenAI-OSS"


async def _sent(server, platform, model: str, listed: object) -> str:
    """The format that a deployment of the model is asked for with."""
    none = (404, {"error": {"code": "ResourceNotFound", "message": "none"}})
    version = "1" if ".ft-" in model else "2025-08-05"
    standing = shown(model=model, sku="GlobalStandard", version=version)
    server.on(f"GET {AT}", none, (200, standing))
    server.on(f"PUT {AT}", (201, standing))
    if listed is not None:
        server.on(f"GET {ACCOUNT}/models", (200, {"value": listed}))
    slot = SlotSpec(slot="developer", sku="GlobalStandard", capacity=100)
    await platform.deploy("cand-1", model, slot, tags={})
    return str(server.asked(f"PUT {AT}")[0].body["properties"]["model"]["format"])


def test_a_format_in_other_capitals_is_a_mistake_before_anything_is_sent() -> None:
    block = {"subscription": "s", "resource_group": "g", "account": "a", "model_format": "alibaba"}
    with pytest.raises(ConfigurationError, match="expected 'Alibaba'; found 'alibaba'"):
        read_options(block)
    assert read_options({**block, "model_format": "DeepSeek"}).model_format == "DeepSeek"


@pytest.mark.parametrize(
    ("base", "stated", "needed"),
    [
        ("Qwen3-32B", None, "'model_format: Alibaba'"),
        ("gpt-oss-20b-11", None, "'model_format: Microsoft'"),
        ("Qwen3-32B", "Alibaba", None),
        ("gpt-4.1-mini", None, None),
    ],
)
def test_the_format_of_a_checkpoint_that_no_job_lists_is_asked_for(base, stated, needed) -> None:
    found = format_finding("ftchkpt-" + "0a" * 16, base, stated)
    assert bool(found) is bool(needed)
    assert found is None or (found.level == "warn" and str(needed) in found.fix)
