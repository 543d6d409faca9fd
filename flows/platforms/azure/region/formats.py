"""What the control plane calls the kind of a model (`model.format`): the table in model_formats.json, then the region's list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path

import msgspec

from evals.codec import decode
from flows.platforms.azure.region.models import Entry, find_entry
from flows.platforms.base import Finding
from flows.platforms.model_names import base_parts, is_fine_tuned

__all__ = ["OPENAI", "format_finding", "known_format", "listed_format"]

OPENAI = "OpenAI"
"""The format of OpenAI's own models, fine-tuned ones too."""

_OPEN_WEIGHTS = "OpenAI-OSS"
"""How lists and the command line call models with open weights; fine-tunes of them are deployed as the table says."""
_FILE = Path(__file__).with_name("model_formats.json")


class FormatTable(msgspec.Struct, frozen=True):
    """How the name of a base model begins -> the format of its fine-tunes."""

    about: str
    source: str
    noted: date
    formats: dict[str, str]


@cache
def format_table() -> FormatTable:
    """Return the table that comes with Gatewright."""
    return decode(_FILE.read_bytes(), FormatTable)


def known_format(base: str) -> str | None:
    """Return the format of fine-tunes of a base by the table, however the name is written; None for other families."""
    plain, formats = re.sub(r"[^a-z0-9]", "", base.lower()), format_table().formats
    families = [family for family in formats if plain.startswith(family)]
    return formats[max(families, key=len)] if families else None


def listed_format(models: Iterable[Entry], model_id: str, base: str) -> str | None:
    """Return the format that a model or its base is listed with, None when neither is.

    The list's word for all open models is never sent for a fine-tune.
    """
    listed = list(models)
    entry = find_entry(listed, model_id) or find_entry(listed, *base_parts(base))
    told = str(entry["format"]) if entry and entry.get("format") else None
    open_weights = told == _OPEN_WEIGHTS and is_fine_tuned(model_id)
    return format_table().formats["gptoss"] if open_weights else told


def format_finding(model_id: str, base: str, stated: str | None) -> Finding | None:
    """Warn of a checkpoint of which no job will tell the format once it is deployed; None where OpenAI's is right, or `stated`."""
    needed = known_format(base)
    if stated or needed in (None, OPENAI):
        return None
    return Finding(
        name="format",
        level="warn",
        message=f"fine-tunes of {base} are deployed as '{needed}', and no job tells this of {model_id}",
        fix=f"set 'model_format: {needed}' in the target's azure_openai block",
    )
