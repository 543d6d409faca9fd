"""Frozen answers on disk: opened, checked by their digests, their scores as they were when they were frozen.

They lie where all kept answers of a target do. What belongs to them is listed in the registry's record with size and digest; the
scores that were made then have a sealed copy, from which the book that runs read is put back.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import zstandard

from evals.evaluation.kept_answers import (
    KeptAnswers,
    KeptAnswersError,
    folder_name,
    open_kept,
)
from evals.files import replace_file
from flows.evaluation.kept.keep import kept_place
from flows.registry.frozen import FrozenBaseline, FrozenFile
from flows.settings import Settings

__all__ = ["SEALED", "file_of", "frozen_folder", "open_frozen", "sealed_scores", "unpacked"]

SEALED = "sealed"
"""The folder of what is frozen besides the answers: scores, and the prompts of production."""


def frozen_folder(settings: Settings, baseline: FrozenBaseline) -> Path:
    """Return the folder with the answers of a frozen baseline."""
    return kept_place(settings, baseline.target) / folder_name(baseline.kept)


def sealed_scores(suite: str) -> str:
    """Return the name of the file with a suite's scores as they were made when it was frozen."""
    return f"{SEALED}/{suite}.scores.jsonl.zst"


def file_of(folder: Path, name: str) -> FrozenFile:
    """Return what a file below the folder is now. Raises OSError."""
    with (folder / name).open("rb") as file:
        digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        return FrozenFile(name=name, size=file.seek(0, io.SEEK_END), digest=digest)


def open_frozen(settings: Settings, baseline: FrozenBaseline) -> KeptAnswers:
    """Open a frozen baseline, every file of it checked, its scores put back as they were.

    Raises KeptAnswersError when anything of it is missing or is not what was frozen.
    """
    folder = frozen_folder(settings, baseline)
    for file in baseline.files:
        _require(folder, file, baseline)
    kept = open_kept(kept_place(settings, baseline.target), baseline.kept)
    for suite, book in baseline.scored_by.items():
        _put_back(folder / "scores" / book, folder / sealed_scores(suite))
    return kept


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield what a compressed file holds, piece by piece. Raises OSError and zstandard.ZstdError."""
    with path.open("rb") as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        while piece := reader.read(1 << 20):
            yield piece


def _put_back(book: Path, sealed: Path) -> None:
    """Make a book of scores what it was: one that was written to since decides nothing."""
    scores = b"".join(unpacked(sealed))
    if not book.exists() or book.read_bytes() != scores:
        replace_file(book, scores)


def _require(folder: Path, file: FrozenFile, baseline: FrozenBaseline) -> None:
    path = folder / file.name
    try:
        same = file_of(folder, file.name) == file
    except OSError as error:
        raise KeptAnswersError(
            f"of the frozen baseline {baseline.frozen_id} of {baseline.model_id} the file {path} is missing"
            f" ({error.strerror}): {_MEND}"
        ) from error
    if not same:
        raise KeptAnswersError(
            f"the frozen baseline {baseline.frozen_id} of {baseline.model_id} was altered: {path} is not what was"
            f" frozen; {_MEND}"
        )


_MEND = (
    "bring the folder back from a backup, or read it in again from its file (gatewright freeze --from); where neither is"
    " there, gatewright freeze TARGET --set-aside ID has others taken"
)
