"""Reading JSON and plain data into records: the one place that uses a type for the first time.

msgspec looks into a type when it is first used, not when it is defined, and up to 0.22.0 the process dies of a
segmentation fault when two threads do so at once: the second finds a type that the first has half done. Here each type
is used for the first time under one lock. Writing needs no such care, so that `msgspec.json.encode` is used as it is.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, TypeVar, overload

import msgspec

__all__ = ["convert", "decode", "decoder"]

T = TypeVar("T")

_first_use = Lock()
_used: set[Any] = set()


@overload
def decode(data: bytes | str) -> Any: ...
@overload
def decode(data: bytes | str, kind: type[T]) -> T: ...
def decode(data: bytes | str, kind: Any = Any) -> Any:
    """Read JSON as a value of `kind`, as plain data when none is given. Raises msgspec.DecodeError, naming the field."""
    _use_alone(kind)
    return msgspec.json.decode(data, type=kind)


@overload
def convert(value: Any, kind: type[T], *, strict: bool = True) -> T: ...
@overload
def convert(value: Any, kind: Any, *, strict: bool = True) -> Any: ...
def convert(value: Any, kind: Any, *, strict: bool = True) -> Any:
    """Make a value of `kind` from plain data; not strict reads "1" as a number. Raises msgspec.ValidationError."""
    _use_alone(kind)
    return msgspec.convert(value, kind, strict=strict)


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return a decoder of one type, for what reads many lines."""
    _use_alone(kind)
    return msgspec.json.Decoder(kind)


def _use_alone(kind: Any) -> None:
    if kind not in _used:
        with _first_use:
            msgspec.json.Decoder(kind)  # looks into the type and all that it is made of
        _used.add(kind)
