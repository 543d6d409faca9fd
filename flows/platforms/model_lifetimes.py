"""Until when models live: a table in model_lifetimes.json, and a target's own dates over it. Unknown is None.

A fine-tune does not end with its base model: jobs are refused first, the untuned base stops answering next, and models that
were trained on it go on until a day of their own. Where a service says something itself, its platform puts that first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path

import msgspec

from evals.codec import decode
from evals.errors import Problem, nearest
from evals.records import Record
from flows.platforms.model_names import base_of, base_parts, folded_id

__all__ = ["LifetimeFigures", "LifetimeTable", "ModelDates", "lifetime_problems", "tables"]

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d")
_FILE = Path(__file__).with_name("model_lifetimes.json")


class ModelDates(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The days on which something ends for a base model; None = not known.

    `training_ends`: no fine-tuning jobs any more (vendors promise "not before"). `base_inference_ends`: the untuned model
    stops answering. `fine_tunes_end`: models fine-tuned on it stop answering, and can't be deployed.
    """

    training_ends: date | None = None
    base_inference_ends: date | None = None
    fine_tunes_end: date | None = None


class LifetimeFigures(Record, frozen=True, kw_only=True):
    """One published table: the platforms it is about, where it stands, the day it was noted, and its dates by model.

    `uncertain` dates are inferred, or were not seen where the vendor publishes them.
    """

    platforms: tuple[str, ...]
    source: str
    noted: date
    models: dict[str, ModelDates]
    uncertain: bool = False


class _File(msgspec.Struct, frozen=True):
    about: str
    tables: list[LifetimeFigures]


@cache
def tables() -> tuple[LifetimeFigures, ...]:
    """Return the published tables that come with Gatewright, earlier ones first."""
    return tuple(decode(_FILE.read_bytes(), _File).tables)


class LifetimeTable:
    """Dates on one platform. `overrides` maps a model id, or a base model with or without its date, to dates."""

    def __init__(
        self,
        platform: str,
        overrides: Mapping[str, ModelDates] | None = None,
        *,
        published: bool = True,
    ) -> None:
        self._figures = [one for one in tables() if platform in one.platforms and published]
        self._overrides = {folded_id(key): dates for key, dates in (overrides or {}).items()}

    def stated(self, model_id: str, base_model: str | None = None) -> ModelDates:
        """Return what the target states of a model, by its id or its base; every date None when it states nothing."""
        keys = _keys(model_id, base_model)
        return _merged(self._overrides[key] for key in reversed(keys) if key in self._overrides)

    def published(self, model_id: str, base_model: str | None = None) -> ModelDates:
        """Return what the vendor has published. A base without a date in its name gets the earliest of its versions'."""
        _own, base, name = _keys(model_id, base_model)
        if base == name:
            versions = {
                model
                for figures in self._figures
                for model in figures.models
                if base_parts(model)[0] == name
            }
            return _earliest(self._of(version) for version in versions)
        return self._of(base)

    def _of(self, base: str) -> ModelDates:
        return _merged(one.models[base] for one in self._figures if base in one.models)


def _keys(model_id: str, base_model: str | None) -> tuple[str, str, str]:
    """The model itself, its base, and the base without its date."""
    base = base_of(model_id) or base_model or model_id
    base = base_of(base) or base  # training that was continued names the earlier fine-tune
    return folded_id(model_id), folded_id(base), folded_id(base_parts(base)[0])


def _merged(dates: Iterable[ModelDates]) -> ModelDates:
    """Later ones go before earlier ones, date by date."""
    known: dict[str, date] = {}
    for one in dates:
        known |= {field: day for field, day in msgspec.structs.asdict(one).items() if day}
    return ModelDates(**known)


def _earliest(dates: Iterable[ModelDates]) -> ModelDates:
    every = list(dates)
    known = {
        field: [day for one in every if (day := getattr(one, field)) is not None]
        for field in ModelDates.__struct_fields__
    }
    return ModelDates(**{field: min(days, default=None) for field, days in known.items()})


def lifetime_problems(stated: object, where: str) -> list[Problem]:
    """Return what is wrong with the block `lifetimes` of a target: unknown keys, what is no date, an impossible order."""
    if not isinstance(stated, Mapping):
        return [Problem(where=where, field="lifetimes", message="expected dates by model")]
    return [
        Problem(where=where, field=f"lifetimes.{model}{field}", message=message, fix=fix)
        for model, dates in stated.items()
        for field, message, fix in _problems(dates)
    ]


def _problems(dates: object) -> Iterator[tuple[str, str, str | None]]:
    fields = ModelDates.__struct_fields__
    if not isinstance(dates, Mapping):
        yield "", f"expected some of {', '.join(fields)}; found {dates!r}", None
        return
    for key, value in dates.items():
        if key not in fields:
            yield f".{key}", "unknown key", nearest(str(key), fields)
        elif value is not None and _day(value) is None:
            yield f".{key}", f"expected a date such as 2027-10-14; found {value!r}", None
    training, tuned = _day(dates.get("training_ends")), _day(dates.get("fine_tunes_end"))
    if training and tuned and training > tuned:
        message = f"expected a day after training_ends, {training}; found {tuned}"
        yield ".fine_tunes_end", message, "fine-tunes outlive the training on their base"


def _day(value: object) -> date | None:
    """A date, or one written as `2027-10-14`: other ways of ISO 8601 are not read where the block is."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _WRITTEN.fullmatch(value):
            return date.fromisoformat(value)
        return None
    except ValueError:
        return None
