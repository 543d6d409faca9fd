"""Publishes to a file: JSON, or dotenv for programs that read their settings from the environment.

The file is replaced in one step and flushed to disk with its folder, so that a reader sees the old pointer or the new
one, never half of one, also after a power cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from evals.codec import convert
from evals.errors import Problem, PublishError
from evals.files import replace_file, sync_folder
from evals.records import LivePointer, Record, decode, encode

__all__ = ["FileOptions", "FilePublisher"]


class FileOptions(Record, frozen=True, kw_only=True):
    """`path` is relative to the root of publishing; `format` follows the suffix (.env is dotenv) unless given.

    `prefix` goes before every variable of a dotenv file.
    """

    path: str
    format: Literal["json", "dotenv"] | None = None
    prefix: str = "GATEWRIGHT_"


class FilePublisher:
    """One file for one target."""

    reads_back = True

    def __init__(self, target: str, options: FileOptions, root: Path) -> None:
        self.target = target
        self.path = root / Path(options.path).expanduser()
        self.name = f"file {options.path}"
        suffix = "dotenv" if self.path.suffix == ".env" or self.path.name == ".env" else "json"
        self._dotenv = (options.format or suffix) == "dotenv"
        self._prefix = options.prefix

    def problems(self) -> tuple[Problem, ...]:
        """Return nothing: folders are made when they are needed."""
        return ()

    async def publish(self, pointer: LivePointer) -> None:
        """Replace the file. Raises PublishError."""
        try:
            if await self._unchanged(pointer):
                return
            replace_file(self.path, self._written(pointer))
        except OSError as error:
            raise PublishError(f"{self.name} can't be written: {error}") from error

    async def read_back(self) -> LivePointer | None:
        """Read the file. Raises PublishError when it holds something else than a pointer."""
        try:
            data = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise PublishError(f"{self.name} can't be read: {error}") from error
        try:
            return _from_dotenv(data, self._prefix) if self._dotenv else decode(data, LivePointer)
        except (ValueError, msgspec.MsgspecError) as error:
            raise PublishError(f"{self.name} holds no live pointer: {error}") from error

    async def withdraw(self) -> None:
        """Remove the file; removing what is not there is no error."""
        try:
            self.path.unlink(missing_ok=True)
            if self.path.parent.exists():
                sync_folder(self.path.parent)
        except OSError as error:
            raise PublishError(f"{self.name} can't be removed: {error}") from error

    async def _unchanged(self, pointer: LivePointer) -> bool:
        try:
            return await self.read_back() == pointer
        except PublishError:
            return False  # what can't be read is replaced

    def _written(self, pointer: LivePointer) -> bytes:
        if self._dotenv:
            return _to_dotenv(pointer, self._prefix)
        return msgspec.json.format(encode(pointer), indent=2) + b"\n"


def _to_dotenv(pointer: LivePointer, prefix: str) -> bytes:
    plain: dict[str, Any] = msgspec.to_builtins(pointer)
    endpoint = {f"endpoint_{key}": value for key, value in plain.pop("endpoint").items()}
    lines = [
        f"{prefix}{key.upper()}={_quoted(key, str(value))}\n"
        for key, value in sorted({**plain, **endpoint}.items())
        if value is not None
    ]
    return "".join(lines).encode()


def _quoted(key: str, value: str) -> str:
    """Single quotes: within them neither a shell nor a dotenv reader expands anything."""
    if "'" in value or not value.isprintable():
        raise PublishError(f"{key} {value!r} can't be written to a dotenv file")
    return f"'{value}'"


def _from_dotenv(text: str, prefix: str) -> LivePointer:
    found: dict[str, Any] = {"endpoint": {}, "deployment": None}
    for line in filter(None, text.splitlines()):
        key, _, value = line.partition("=")
        if not key.startswith(prefix):
            raise ValueError(f"expected variables that begin with {prefix}; found {key[:40]!r}")
        field = key.removeprefix(prefix).lower()
        owner, name = found, field
        if field.startswith("endpoint_"):
            owner, name = found["endpoint"], field.removeprefix("endpoint_")
        owner[name] = value.removeprefix("'").removesuffix("'")
    return convert(found, LivePointer, strict=False)
