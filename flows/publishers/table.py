"""The table of publishers, and making them from the `publish` list of a target file.

A new one is a class with the methods of `Publisher`, a record of its options, and one line in PUBLISHERS. Another
distribution registers a `PublisherKind` of its own by an entry point in the group `gatewright.publishers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evals.codec import convert
from evals.config.plugins import load_plugin, plugin_names
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
        try:
            name, options, kind = _kind_of(entry)
            read = _options(name, kind, options)
            made.append(kind.make(target, read, root))
        except ConfigurationError as error:
            problems += [_placed(problem, where, field) for problem in error.problems]
    if problems:
        raise ConfigurationError(problems)
    return tuple(made)


def _kind_of(entry: Any) -> tuple[str, Any, PublisherKind]:
    """Return an entry's name, its options as authored, and how it is made."""
    if not isinstance(entry, Mapping) or len(entry) != 1:
        message = "expected one publisher, such as 'file: {path: …}'; found " + repr(entry)[:80]
        raise _problem("", message)
    ((name, given),) = entry.items()
    kind = PUBLISHERS.get(name) or load_plugin(
        "gatewright.publishers",
        str(name),
        expected="a flows.publishers.table.PublisherKind",
        fits=lambda found: isinstance(found, PublisherKind),
    )
    if kind is None:
        known = (*PUBLISHERS, *plugin_names("gatewright.publishers"))
        raise _problem("", f"there is no publisher {name!r}", nearest(str(name), known))
    return str(name), given, kind


def _options(name: str, kind: PublisherKind, given: Any) -> Record:
    known = kind.options.__struct_fields__
    strangers = [key for key in given if key not in known] if isinstance(given, Mapping) else []
    if strangers:
        raise ConfigurationError(
            Problem(
                where="",
                field=name,
                message=f"{name} has no option {key!r}",
                fix=nearest(str(key), known),
            )
            for key in strangers
        )
    try:
        return convert(given or {}, kind.options)
    except msgspec.ValidationError as error:
        raise _problem(name, str(error)) from error


def _problem(field: str, message: str, fix: str | None = None) -> ConfigurationError:
    return ConfigurationError(Problem(where="", field=field, message=message, fix=fix))


def _placed(problem: Problem, where: str, field: str) -> Problem:
    inner = f"{field}.{problem.field}" if problem.field else field
    return Problem(where=where, field=inner, message=problem.message, fix=problem.fix)
