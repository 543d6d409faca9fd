"""Files of a journal: for each role and suite numbered segments, plain while they grow, zstd once closed.

`candidate.support-triage.0001.jsonl` becomes `….jsonl.zst`; what is asked after that goes to segment 0002. A crash between
the two steps of closing leaves both forms of one segment: the compressed one is whole then, and the plain one is removed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import zstandard

from evals.errors import InfrastructureError
from evals.files import sync_folder, whole_lines
from evals.files.full_disk import full_disk

__all__ = [
    "compress",
    "lines",
    "names",
    "next_segment",
    "segments",
    "stem",
]


def stem(role: str, suite: str) -> str:
    """Return the common beginning of the segments' file names."""
    return f"{role}.{quote(suite, safe='').replace('.', '%2E')}"


def names(folder: Path) -> list[tuple[str, str]]:
    """Return (role, suite) of every journal in `folder`, sorted."""
    stems = {path.name.split(".jsonl")[0][:-5] for path in folder.glob("*.*.[0-9]*.jsonl*")}
    pairs = [name.split(".", 1) for name in stems]
    return sorted((role, unquote(suite)) for role, suite in pairs)


def segments(folder: Path, name: str) -> list[Path]:
    """Return the segments of one journal in order, one file each."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"{name}.[0-9]*.jsonl*")):
        if path.suffix in (".jsonl", ".zst"):
            found[path.name.removesuffix(".zst")] = path  # '.zst' sorts last and wins
    return list(found.values())


def next_segment(folder: Path, name: str) -> Path:
    """Return the plain file to append to: the open segment, or a new one after the closed ones."""
    existing = segments(folder, name)
    if existing and existing[-1].suffix == ".jsonl":
        return existing[-1]
    number = int(existing[-1].name.split(".jsonl")[0][-4:]) + 1 if existing else 1
    leftover = folder / existing[-1].name.removesuffix(".zst") if existing else None
    if leftover:
        leftover.unlink(missing_ok=True)
    return folder / f"{name}.{number:04d}.jsonl"


def lines(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a segment without their ends; a torn last line is not yielded."""
    if path.suffix != ".zst":
        yield from whole_lines(path)
        return
    with path.open("rb") as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        try:
            for line in io.BufferedReader(reader, 1 << 16):
                yield line.removesuffix(b"\n")
        except zstandard.ZstdError as error:
            raise InfrastructureError(f"a closed journal segment is damaged: {error}") from error


def compress(path: Path) -> None:
    """Replace a plain segment by its zstd form, in such an order that a crash never loses it."""
    closed = path.with_name(path.name + ".zst")
    draft = path.with_name(path.name + ".zst.draft")
    try:
        with path.open("rb") as source, draft.open("wb") as sink:
            zstandard.ZstdCompressor(level=3, write_checksum=True).copy_stream(source, sink)
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(closed)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if full_disk(error, draft) is None:
            raise
        return  # the plain form is whole; it is made smaller once there is room to do so
    sync_folder(path.parent)
    path.unlink()
