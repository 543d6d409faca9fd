"""Turns cases into the questions that a model is asked, suites whose questions have the same shape together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from evals.records import Case, Message, Role, encode
from evals.sampling.request_spec import ModelRequest
from evals.suites.opened import OpenedSuite

__all__ = ["questions", "same_shape"]


def same_shape(suites: Sequence[OpenedSuite]) -> list[tuple[OpenedSuite, ...]]:
    """Group suites whose requests have the same shape, so that they can be asked in one go."""
    groups: dict[bytes, tuple[OpenedSuite, ...]] = {}
    for opened in suites:
        suite = opened.suite
        shape = encode([suite.response_format, suite.tools, dict(suite.sampling)])
        groups[shape] = (*groups.get(shape, ()), opened)
    return list(groups.values())


def questions(
    role: Role, suite: str, cases: Iterable[Case], repeats: int, system_prompt: str | None
) -> Iterator[ModelRequest]:
    """Yield every repeat of every case as a request; `system_prompt` replaces the case's own system message."""
    for case in cases:
        messages = _with_system_prompt(case.messages, system_prompt)
        for repeat in range(repeats):
            yield ModelRequest(
                role=role, suite=suite, case_id=case.id, repeat=repeat, messages=messages
            )


def _with_system_prompt(
    messages: tuple[Message, ...], system_prompt: str | None
) -> tuple[Message, ...]:
    if system_prompt is None:
        return messages
    rest: Iterable[Message] = (
        message for message in messages if message.role not in ("system", "developer")
    )
    return (Message(role="system", content=system_prompt), *rest)
