"""Turns functions on an open transaction into methods of the registry, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from flows.registry.database.engine import Database, Writer

__all__ = ["HasDatabase", "reading", "writing"]

P = ParamSpec("P")
R = TypeVar("R")


class HasDatabase(Protocol):
    """What has a database to open transactions on."""

    @property
    def database(self) -> Database: ...


def reading(
    operation: Callable[Concatenate[Connection, P], R],
) -> Callable[Concatenate[HasDatabase, P], R]:
    """Make a method that runs `operation` on one consistent state."""

    @wraps(operation)
    def method(self: HasDatabase, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.database.read() as connection:
            return operation(connection, *args, **kwargs)

    return method


def writing(
    operation: Callable[Concatenate[Writer, P], R],
) -> Callable[Concatenate[HasDatabase, P], R]:
    """Make a method that runs `operation` while nobody else writes: all of it happens, with its events, or nothing."""

    @wraps(operation)
    def method(self: HasDatabase, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.database.write() as writer:
            return operation(writer, *args, **kwargs)

    return method
