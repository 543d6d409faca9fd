"""A frozen baseline as one file: a compressed tar with its record and statement first, then every file that they list."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import IO, Any

import msgspec
import zstandard

from evals.errors import ConfigurationError, Problem
from evals.files import room_for, sync_folder
from evals.records import Record, encode
from evals.version import VERSION
from flows.evaluation.kept.frozen import frozen_folder, open_frozen
from flows.registry.frozen import FrozenBaseline, FrozenOnRecord
from flows.settings import Settings

__all__ = ["ARCHIVE_FORMAT", "HEAD", "ArchiveHead", "export", "require_free"]

ARCHIVE_FORMAT = 1
"""The layout of the file; a change that an older version can't read gets the next number."""
HEAD = "frozen.json"
"""The name of the first member, which says what all others are."""


class ArchiveHead(Record, frozen=True, kw_only=True):
    """The first member. `format` and `written_by` are read before anything else."""

    format: int
    written_by: str
    baseline: FrozenBaseline
    envelope: dict[str, Any]


def require_free(path: Path) -> None:
    """Raise ConfigurationError where a file can't be written, or would overwrite one, before anything is asked."""
    problem = ""
    if path.exists():
        problem = "expected a new file; found one of that name"
    elif not path.parent.is_dir():
        problem = f"expected a folder {path.parent}; found none"
    elif not os.access(path.parent, os.W_OK):
        problem = f"the folder {path.parent} can't be written to"
    if problem:
        raise ConfigurationError(
            Problem(
                where="--to", message=problem, fix="name another file, such as baseline.tar.zst"
            )
        )


def export(settings: Settings, found: FrozenOnRecord, path: Path) -> int:
    """Write a frozen baseline to a file, whole or not at all; return its size in bytes.

    Raises:
        KeptAnswersError: what is to be written is not what was frozen.
        OSError: it can't be written.
    """
    open_frozen(settings, found.baseline)
    require_free(path)
    folder = frozen_folder(settings, found.baseline)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with room_for(path), draft.open("wb") as raw:
            _write(raw, found, folder)
            raw.flush()
            os.fsync(raw.fileno())
        os.link(draft, path)  # refuses to overwrite what came there meanwhile
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)
    return path.stat().st_size


def _write(raw: IO[bytes], found: FrozenOnRecord, folder: Path) -> None:
    head = ArchiveHead(
        format=ARCHIVE_FORMAT,
        written_by=VERSION,
        baseline=found.baseline,
        envelope=msgspec.to_builtins(found.envelope),
    )
    # The answers are compressed already.
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
    with (
        compressor.stream_writer(raw, closefd=False) as sink,
        tarfile.open(fileobj=sink, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
    ):
        data = encode(head)
        _add(tar, HEAD, len(data), io.BytesIO(data))
        for file in found.baseline.files:
            with (folder / file.name).open("rb") as content:
                _add(tar, file.name, file.size, content)


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    """Nothing of this machine goes into it: no owner, no time, no mode."""
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)
