"""The table of publishers, and making them from the `publish` list of a target file.

A new one is a class with the methods of `Publisher`, a record of its options, and one line in PUBLISHERS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evals.errors import ConfigurationError, Problem, nearest
from evals.records import Record
from flows.publishers.azure_app_configuration import (
    AzureAppConfigurationOptions,
    AzureAppConfigurationPublisher,
)
from flows.publishers.base import Publisher
from flows.publishers.file import FileOptions, FilePublisher
from flows.publishers.litellm import LitellmOptions, LitellmPublisher
from flows.publishers.prefect_variable import PrefectVariableOptions, PrefectVariablePublisher
from flows.publishers.webhook import WebhookOptions, WebhookPublisher

__all__ = ["PUBLISHERS", "PublisherKind", "build_publishers"]


class PublisherKind(NamedTuple):
    """How one kind of publisher is made: from (target, its options, root of relative paths)."""

    make: Callable[[str, Any, Path], Publisher]
    options: type[Record]


PUBLISHERS: Mapping[str, PublisherKind] = {
    "azure_app_configuration": PublisherKind(
        AzureAppConfigurationPublisher, AzureAppConfigurationOptions
    ),
    "file": PublisherKind(FilePublisher, FileOptions),
    "litellm": PublisherKind(LitellmPublisher, LitellmOptions),
    "prefect_variable": PublisherKind(PrefectVariablePublisher, PrefectVariableOptions),
    "webhook": PublisherKind(WebhookPublisher, WebhookOptions),
}


def build_publishers(
    entries: Sequence[Mapping[str, Any]], *, target: str, root: Path, where: str = "target file"
) -> tuple[Publisher, ...]:
    """Make the publishers of a target; nothing is contacted and no credential is read.

    `entries` is the authored list, such as [{"file": {"path": "live/x.json"}}]; `where` names its file in errors.
    Raises ConfigurationError with every problem of the list.
    """
    made: list[Publisher] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        field = f"publish[{index}]"
        found = list(_entry_problems(entry, where, field))
        problems += found
        if found:
            continue
        ((kind, given),) = entry.items()
        try:
            options = msgspec.convert(given or {}, PUBLISHERS[kind].options)
            made.append(PUBLISHERS[kind].make(target, options, root))
        except msgspec.ValidationError as error:
            problems.append(Problem(where=where, field=f"{field}.{kind}", message=str(error)))
        except ConfigurationError as error:
            problems += [_placed(problem, where, field) for problem in error.problems]
    if problems:
        raise ConfigurationError(problems)
    return tuple(made)


def _entry_problems(entry: Any, where: str, field: str) -> Iterator[Problem]:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        message = "expected one publisher, such as 'file: {path: …}'; found " + repr(entry)[:80]
        yield Problem(where=where, field=field, message=message)
        return
    ((kind, given),) = entry.items()
    if kind not in PUBLISHERS:
        message = f"there is no publisher {kind!r}"
        yield Problem(
            where=where, field=field, message=message, fix=nearest(str(kind), tuple(PUBLISHERS))
        )
        return
    known = PUBLISHERS[kind].options.__struct_fields__
    for key in given if isinstance(given, Mapping) else ():
        if key not in known:
            message = f"{kind} has no option {key!r}"
            yield Problem(
                where=where, field=f"{field}.{kind}", message=message, fix=nearest(str(key), known)
            )


def _placed(problem: Problem, where: str, field: str) -> Problem:
    inner = f"{field}.{problem.field}" if problem.field else field
    return Problem(where=where, field=inner, message=problem.message, fix=problem.fix)
