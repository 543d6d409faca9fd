"""Asking a slot whether it is there, past the SDK: the address applications use, one try each, nothing believed blindly."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import msgspec
import pytest
from support.scripted_server import shown

from evals.errors import CredentialError, PlatformError
from flows.platforms.azure.arm.documents import ArmDeployment, to_deployment
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.options import read_options

CHAT = "POST /openai/v1/chat/completions"
ACCOUNT = "/subscriptions/sub-1/resourceGroups/acme-ai/providers/Microsoft.CognitiveServices/accounts/acme-swc"
AT = f"GET {ACCOUNT}/deployments/cand-1"
TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8


@pytest.fixture
def ready(server, azure):
    server.on(AT, (200, shown()))
    return to_deployment(msgspec.convert(shown(), ArmDeployment))


async def test_the_key_goes_in_its_header_and_the_slot_s_name_in_the_body(server, azure, ready):
    server.on(CHAT, (200, {"model": TUNED}))
    await azure.wait_ready(ready)
    (sent,) = server.asked(CHAT)
    assert sent.headers["api-key"] == "key-1"
    assert sent.body["model"] == "cand-1"


@pytest.mark.parametrize("rubbish", [(200, None), (200, "signed in?"), (200, ["x"])])
async def test_an_answer_that_is_no_completion_is_no_proof_of_the_model(
    server, azure, ready, rubbish
):
    azure._pace = replace(azure._pace, ready=0.3)
    server.on(CHAT, rubbish)
    with pytest.raises(PlatformError, match=r"did not answer with .*no completion"):
        await azure.wait_ready(ready)


async def test_a_refused_credential_is_told_at_once_when_there_is_no_other(server, azure, ready):
    server.on(CHAT, (401, {"error": {"code": "401", "message": "bad key"}}))
    with pytest.raises(CredentialError, match="refuses the credential"):
        await azure.wait_ready(ready)
    assert len(server.asked(CHAT)) == 1


class Tokens:
    """Tokens that say what they are good for."""

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        return scope

    async def aclose(self) -> None:
        return


async def test_the_newer_scope_is_tried_when_the_older_is_refused(server):
    options = {"subscription": "sub-1", "resource_group": "acme-ai", "account": "acme-swc"}
    here = read_options({**options, "endpoint": server.url, "arm_endpoint": server.url})
    platform = AzureOpenAIPlatform(here, {}, tokens=Tokens())
    server.on(AT, (200, shown()))
    server.on(CHAT, (401, {"error": {"message": "wrong audience"}}), (200, {"model": TUNED}))
    await platform.wait_ready(to_deployment(msgspec.convert(shown(), ArmDeployment)))
    assert [one.headers["authorization"] for one in server.asked(CHAT)] == [
        "Bearer https://cognitiveservices.azure.com/.default",
        "Bearer https://ai.azure.com/.default",
    ]
    await platform.aclose()


async def test_the_server_s_wish_to_wait_is_followed(server, azure, ready):
    late = (429, {"error": {"code": "429", "message": "slow down"}}, {"retry-after-ms": "30"})
    server.on(CHAT, late, (200, {"model": TUNED}))
    await azure.wait_ready(ready)
    assert len(server.asked(CHAT)) == 2


@pytest.mark.slow
def test_waiting_for_a_slot_loads_no_sdk():
    code = (
        "import asyncio, sys\n"
        "from evals.records import Endpoint\n"
        "from flows.platforms.base import Connection\n"
        "from flows.platforms.data_plane import DataPlane\n"
        "from flows.platforms.asking.readiness import probe_until_ready\n"
        "from flows.platforms.deadlines import Deadline, PollingPace\n"
        "async def no_headers(): return {}\n"
        "end = Endpoint(base_url='http://127.0.0.1:9/v1', model='m', model_id='m')\n"
        "plane = DataPlane('http://127.0.0.1:9', None, no_headers, credential='KEY')\n"
        "work = probe_until_ready(plane, Connection(endpoint=end, auth=no_headers), pace=PollingPace(),"
        " deadline=Deadline(0.1))\n"
        "try: asyncio.run(work)\n"
        "except Exception as error: print(error)\n"
        "print({'openai', 'aiohttp'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, loaded = done.stdout.strip().splitlines()
    assert "nothing answers at http://127.0.0.1:9" in said
    assert loaded == "set()"
