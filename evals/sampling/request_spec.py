"""What is asked, of whom, and how: the records that go into a sampling run."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from evals.errors import ConfigurationError, Problem
from evals.records import Endpoint, Message, Record, Role

__all__ = ["AuthHeaders", "Connection", "ModelRequest", "SamplingSettings", "interleave"]

AuthHeaders = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives the request headers that authenticate. Called again and again, so it should cache what it may."""


class Connection(Protocol):
    """An endpoint together with the way to authenticate to it."""

    @property
    def endpoint(self) -> Endpoint: ...

    @property
    def auth(self) -> AuthHeaders: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One question to one model. `messages` are final: rendered, with the role's own system prompt."""

    role: Role
    suite: str
    case_id: str
    repeat: int
    messages: tuple[Message, ...]


class SamplingSettings(Record, frozen=True, kw_only=True, omit_defaults=True):
    """How one role is asked. Times are in seconds; None leaves a field out of the request.

    The request gets `seed + repeat`, so that repeats differ and can be asked for again. `extra` goes into the body as it
    is. `concurrency` is a ceiling: the sampler finds out how much of it the service takes. `max_wait_s` is the longest
    wait a service may name and still be waited for. `reuse_max_age_s` lets stored answers stand in for new ones.

    Raises ConfigurationError, all problems at once, when a number is out of its range.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_completion_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    reasoning_effort: str | None = None
    response_format: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] | None = None
    tool_choice: str | dict[str, Any] | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    concurrency: int = 64
    timeout_s: float = 120.0
    connect_timeout_s: float = 10.0
    max_attempts: int = 8
    max_wait_s: float = 120.0
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    reuse_max_age_s: float | None = None

    def __post_init__(self) -> None:
        problems = [
            Problem(where="sampling", field=name, message=f"expected {expected}; found {value!r}")
            for name, expected, value, fits in self._ranges()
            if value is not None and not fits(value)
        ]
        if problems:
            raise ConfigurationError(problems)

    def _ranges(self) -> Iterator[tuple[str, str, Any, Callable[[Any], bool]]]:
        for name in ("concurrency", "max_attempts", "max_completion_tokens"):
            yield name, "a whole number of 1 or more", getattr(self, name), lambda v: v >= 1
        for name in ("requests_per_minute", "tokens_per_minute"):
            yield name, "a whole number of 1 or more", getattr(self, name), lambda v: v >= 1
        for name in ("timeout_s", "connect_timeout_s"):
            yield name, "seconds above 0", getattr(self, name), lambda v: 0 < v < math.inf
        for name in ("max_wait_s", "reuse_max_age_s"):
            yield name, "seconds of 0 or more", getattr(self, name), lambda v: 0 <= v < math.inf
        yield "temperature", "a number in [0, 2]", self.temperature, lambda v: 0 <= v <= 2
        yield "top_p", "a number in [0, 1]", self.top_p, lambda v: 0 <= v <= 1


def interleave(*streams: Iterable[ModelRequest]) -> Iterator[ModelRequest]:
    """Yield one request of each stream in turn until all have run out; no stream is read ahead."""
    running = [iter(stream) for stream in streams]
    while running:
        still = []
        for stream in running:
            request = next(stream, None)
            if request is not None:
                yield request
                still.append(stream)
        running = still
