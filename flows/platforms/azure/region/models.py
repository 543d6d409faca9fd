"""What the account's list of models tells of one model: its deployment types, quota rows and last days.

The list is about base models. Whether it also holds the account's fine-tunes, and whether dates and state of such an entry
are those of the fine-tune or copied from its base, is not documented: `own_word` takes what differs from the base.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from flows.platforms.azure.arm.documents import SKUS
from flows.platforms.model_names import same_id

__all__ = [
    "ends_of",
    "find_entry",
    "inference_ends",
    "is_for_training_only",
    "is_retired",
    "listed_skus",
    "offered_skus",
    "own_sku_ends",
    "own_word",
    "sku_ends",
    "training_ends",
    "usage_names",
]

Entry = Mapping[str, Any]

_BY_LOWER = {sku.lower(): sku for sku in SKUS}


def find_entry(models: Iterable[Entry], name: str, version: str | None = None) -> Entry | None:
    """Return the entry of a model, None when the region does not list it.

    `name` may hold the version, as fine-tunes write it: 'gpt-35-turbo-0125' is 'gpt-35-turbo' of version '0125'.
    """
    fitting = [model for model in models if _fits(model, name, version)]
    # without a version the one that a deployment would get
    return max(fitting, key=lambda model: bool(model.get("isDefaultVersion")), default=None)


def listed_skus(entry: Entry | None) -> tuple[str, ...]:
    """Return the deployment types of ours that the entry names."""
    names = [str(sku.get("name")).lower() for sku in _all_skus(entry)]
    return tuple(dict.fromkeys(_BY_LOWER[name] for name in names if name in _BY_LOWER))


def offered_skus(entry: Entry | None, today: date) -> tuple[str, ...]:
    """Return the deployment types of ours that a base model's entry offers and that have not ended."""
    ends = {sku: sku_ends(entry, sku) for sku in listed_skus(entry)}
    return tuple(sku for sku, end in ends.items() if end is None or end > today)


def own_sku_ends(entry: Entry | None, sku: str, base: Entry | None) -> date | None:
    """Return the day of a fine-tune's deployment type, None where its entry repeats its base's or has one for all."""
    repeated = (sku_ends(base, sku), inference_ends(base), inference_ends(entry))
    ends = sku_ends(entry, sku)
    return None if ends in repeated else ends


def usage_names(entry: Entry | None, sku: str) -> tuple[str, ...]:
    """Return what the entry calls the quota row of a deployment type."""
    return tuple(str(one["usageName"]) for one in _skus(entry, sku) if one.get("usageName"))


def inference_ends(entry: Entry | None) -> date | None:
    """Return the day after which a listed model does not answer any more, None when none is announced."""
    return ends_of(_deprecation(entry).get("inference"))


def training_ends(entry: Entry | None) -> date | None:
    """Return `deprecation.fineTune`, None when it is not given or only repeats the end of inference.

    No document says whether it is the end of training on the model or of models trained on it. In recorded lists it comes
    before the end of inference, and null was seen where a region can't train the model: so it is read as the end of training,
    on which no refusal depends. Models that nobody can train have it, too, with the day on which inference ends.
    """
    return own_word(ends_of(_deprecation(entry).get("fineTune")), inference_ends(entry))


def sku_ends(entry: Entry | None, sku: str) -> date | None:
    """Return the day on which one deployment type of a listed model ends, None when none is announced."""
    days = [ends_of(one.get("deprecationDate")) for one in _skus(entry, sku)]
    return max((day for day in days if day is not None), default=None)


def is_retired(entry: Entry | None) -> bool:
    """True when the list says so: 'Deprecated' is the service's word for what its documentation calls retired."""
    return str((entry or {}).get("lifecycleStatus") or "").lower() == "deprecated"


def is_for_training_only(entry: Entry | None) -> bool:
    """True when the list says that the model itself does not answer: `capabilities.inference` is "false"."""
    able = (entry or {}).get("capabilities")
    told = able.get("inference") if isinstance(able, Mapping) else None
    return str(told).lower() == "false"


def own_word(own: date | None, base: date | None) -> date | None:
    """Return the day that a fine-tune's own entry tells, None where it only repeats its base's."""
    return own if own != base else None


def ends_of(text: Any) -> date | None:
    """Read a moment of the list as a day in UTC, None when it is none."""
    try:
        moment = datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return moment.date() if moment else None
    return moment.astimezone(UTC).date()


def _fits(model: Entry, name: str, version: str | None) -> bool:
    own, of = str(model.get("name") or ""), str(model.get("version") or "")
    return (same_id(own, name) and version in (None, of)) or same_id(f"{own}-{of}", name)


def _deprecation(entry: Entry | None) -> Entry:
    told = (entry or {}).get("deprecation")
    return told if isinstance(told, Mapping) else {}


def _skus(entry: Entry | None, sku: str) -> list[Entry]:
    return [one for one in _all_skus(entry) if str(one.get("name")).lower() == sku.lower()]


def _all_skus(entry: Entry | None) -> list[Entry]:
    told = (entry or {}).get("skus")
    return (
        [one for one in told if isinstance(one, Mapping)] if isinstance(told, list | tuple) else []
    )
