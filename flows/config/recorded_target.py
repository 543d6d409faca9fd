"""A target as plain data: what is kept of it with each run, and which parts of it an approval is bound to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from evals.records import Edit
from evals.sampling.redaction import redact_keys
from flows.config.target import Target

__all__ = ["plain_target", "serving_change", "target_edits"]

_SERVES = {
    "platform": "platform",
    "options": "address",
    "developer": "developer slot",
    "production": "production slot",
    "strategy": "promotion strategy",
    "deployment": "deployment",
}
"""Where a model answers and goes live, with the word for it."""
_NOT_TOLD = frozenset({"name", "path", "digest"})


def plain_target(target: Target) -> dict[str, Any]:
    """Return a target as JSON data. Its file names where secrets are; one that stands there itself is cut out."""
    found: dict[str, Any] = _redacted(msgspec.to_builtins(target))
    return {key: value for key, value in found.items() if key != "path"}


def target_edits(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Edit, ...]:
    """Return every difference between two targets as plain data, key by key."""
    before, after = dict(_leaves(was)), dict(_leaves(now))
    return tuple(
        Edit(
            of="target", field=key, change=f"{before.get(key, 'none')} -> {after.get(key, 'none')}"
        )
        for key in dict.fromkeys((*before, *after))
        if before.get(key, "none") != after.get(key, "none")
    )


def serving_change(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return which part of where a model answers differs ("address"), the first of them; empty when none does."""
    before, after = _serving(was), _serving(now)
    return next((word for name, word in _SERVES.items() if before[name] != after[name]), "")


def _serving(target: Mapping[str, Any]) -> dict[str, Any]:
    promotion = target.get("promotion", {})
    return {name: promotion.get(name, target.get(name)) for name in _SERVES}


def _leaves(data: Any, at: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            if at or key not in _NOT_TOLD:
                yield from _leaves(value, f"{at}.{key}" if at else str(key))
    elif isinstance(data, list | tuple) and any(isinstance(one, Mapping) for one in data):
        for number, value in enumerate(data):
            yield from _leaves(value, f"{at}[{number}]")
    else:
        shown = ", ".join(map(str, data)) if isinstance(data, list | tuple) else data
        yield at, "none" if shown in (None, "", {}) else str(shown)


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact_keys(value)
    if isinstance(value, Mapping):
        return {key: _redacted(item) for key, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list | tuple) else value
