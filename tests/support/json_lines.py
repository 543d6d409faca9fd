"""Reads files of JSON Lines as anybody's reader does: every line is a JSON value, and nothing stands between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zstandard

__all__ = ["json_lines", "json_lines_below"]


def json_lines(path: Path) -> list[Any]:
    """Read a file, plain or zstd. Raises AssertionError naming the first line that is no JSON."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    assert not data or data.endswith(b"\n"), f"{path.name} ends within a line"
    found = []
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise AssertionError(f"{path.name}, line {number}: {line[:40]!r}: {error}") from error
    return found


def json_lines_below(folder: Path) -> dict[str, list[Any]]:
    """Read every such file below a folder, by its name."""
    return {path.name: json_lines(path) for path in sorted(folder.rglob("*.jsonl*"))}
