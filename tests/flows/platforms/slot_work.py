"""What one process does to one deployment of an emulator; run by test_killed.py, which kills it."""

from __future__ import annotations

import asyncio
import sys

from flows.platforms.base import SlotSpec
from flows.platforms.table import open_platform


async def main(url, what, model):
    platform = open_platform("embedded", {}, {"GATEWRIGHT_EMBEDDED_URL": url})
    slot = SlotSpec(slot="production", sku="GlobalStandard", capacity=10)
    print("begun", flush=True)
    if what == "deploy":
        await platform.deploy("live", model, slot, tags={"run": "r"})
    elif what == "replace":
        await platform.replace("live", model, slot, tags={"run": "r"})
    else:
        await platform.delete("live")
    await platform.aclose()


asyncio.run(main(*sys.argv[1:]))
