"""A tiny scripted HTTP server, and platforms pointed at it or at the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from support.scripted_server import HASTY, Scripted, azure_at, embedded_at

from flows.platforms.azure.arm.transport import ArmClient
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.credentials import FixedToken


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    script = Scripted()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", script.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    script.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield script
    await runner.cleanup()


@pytest.fixture
async def arm(server: Scripted) -> AsyncIterator[ArmClient]:
    client = ArmClient(FixedToken("arm-1"), base_url=server.url, pace=HASTY)
    yield client
    await client.aclose()


@pytest.fixture
async def azure(server: Scripted) -> AsyncIterator[AzureOpenAIPlatform]:
    platform = azure_at(server.url)
    yield platform
    await platform.aclose()


@pytest.fixture
async def embedded(emulator: Any) -> AsyncIterator[Any]:
    platform = embedded_at(emulator.url)
    yield platform
    await platform.aclose()
