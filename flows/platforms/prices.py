"""What models cost: a table in prices.json, and a target's own figures over it. Unknown is None, never zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import msgspec

from evals.codec import decode
from evals.errors import ConfigurationError, Problem
from evals.records import Price
from flows.platforms.model_names import base_of, base_parts, folded_id, is_fine_tuned

__all__ = ["PriceTable"]

_FILE = Path(__file__).with_name("prices.json")


class _Source(msgspec.Struct, frozen=True):
    what: str
    noted: date


class _Platform(msgspec.Struct, frozen=True):
    fine_tuned: dict[str, Price | None]
    base: dict[str, Price | None]


class _File(msgspec.Struct, frozen=True):
    about: str
    sources: dict[str, _Source]
    platforms: dict[str, _Platform]


class PriceTable:
    """Prices of one platform. `overrides` maps a model id, or a base model with or without its date, to a price."""

    def __init__(self, platform: str, overrides: Mapping[str, Price] | None = None) -> None:
        self._known = _shipped().platforms.get(platform, _Platform({}, {}))
        _refuse_nonsense(overrides or {})
        self._overrides = {folded_id(model): price for model, price in (overrides or {}).items()}

    def price(self, model_id: str, base_model: str | None = None) -> Price | None:
        """Return the price of a model: the target's own figure first, then the table's by its base; else None.

        The price's `source` says where the figure is from and when it was noted.
        """
        base = base_of(model_id) or base_model
        if base is not None:
            base = base_of(base) or base  # training that was continued names the earlier fine-tune
        name = base_parts(base or model_id)[0]
        for key in (model_id, base, name):
            if key is not None and folded_id(key) in self._overrides:
                return self._overrides[folded_id(key)]
        tuned = is_fine_tuned(model_id) or base_model is not None
        table = self._known.fine_tuned if tuned else self._known.base
        dated, name = folded_id(base or model_id), folded_id(name)
        return _sourced(table[dated] if dated in table else table.get(name))


@cache
def _shipped() -> _File:
    return decode(_FILE.read_bytes(), _File)


def _sourced(price: Price | None) -> Price | None:
    if price is None:
        return None
    source = _shipped().sources[price.source]
    return msgspec.structs.replace(price, source=f"{source.what}; noted {source.noted}")


def _refuse_nonsense(prices: Mapping[str, Price]) -> None:
    problems = [
        Problem(
            where="prices",
            field=f"{model}.{field}",
            message=f"expected USD, zero or more; found {value!r}",
        )
        for model, price in prices.items()
        for field in ("input", "output", "cached_input", "hosting_per_hour")
        if (value := getattr(price, field)) is not None
        and not (math.isfinite(value) and value >= 0)
    ]
    if problems:
        raise ConfigurationError(problems)
