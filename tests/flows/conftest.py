"""What the tests of several rooms begin with; each fixture stands where its things are described, in tests/support."""

from __future__ import annotations

from support.azure import account, emulator, meanwhile, models, partner, running
from support.letters import ask_of, host, letters
from support.project import project
from support.promoted import original, place, place_emulator, signing_key
from support.promotion import clock, folder, open_world, parts, world

__all__ = [
    "account",
    "ask_of",
    "clock",
    "emulator",
    "folder",
    "host",
    "letters",
    "meanwhile",
    "models",
    "open_world",
    "original",
    "partner",
    "parts",
    "place",
    "place_emulator",
    "project",
    "running",
    "signing_key",
    "world",
]
