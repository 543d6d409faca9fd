"""Suites that this process has read and checked already are not read again while their files are the same.

Every step of a run opens what it works with anew, so that it can be a process of its own. Where steps follow one
another in one process, reading the suites would be most of what a short step does. A suite is the same while no file
of its folder, or that its suite.yaml names, was added, removed or changed: by device, inode, size and the times of
its last change. A file that was changed so shortly before it was read that another change could bear the same time is
known by its content, too.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from evals.config.documents import load_yaml
from evals.graders.table import build
from evals.suites.opened import OpenedSuite, open_suite

__all__ = ["named_files", "open_kept_suite"]

_MOST = 16
_JUST_NOW_S = 2.0
"""More than the steps in which any file system counts time."""

Marks = Mapping[Path, tuple[int, ...]]
Digests = Mapping[Path, str]


class _Kept(NamedTuple):
    """A suite without problems, the files named outside of its folder, the marks of all, and what those held that were just changed."""

    opened: OpenedSuite
    named: tuple[Path, ...]
    marks: Marks
    young: Digests

    def is_as_it_was(self, folder: Path) -> bool:
        return self.marks == _marks(folder, self.named) and self.young == _digests(self.young)


_KEPT: dict[Path, _Kept] = {}


def open_kept_suite(folder: Path, model_client: Any = None) -> OpenedSuite:
    """Do as `evals.suites.opened.open_suite` with the same result, reading nothing that is as it was; graders are made anew.

    Raises:
        ConfigurationError: with every problem of suite.yaml, of the cases, and of what the graders miss in them.
    """
    kept = _KEPT.pop(folder, None)
    if kept is not None and folder.is_absolute() and kept.is_as_it_was(folder):
        _KEPT[folder] = kept  # as the newest one
        return replace(kept.opened, graders=build(kept.opened.suite, model_client))
    began = time.time()
    before = _digests(_young(_marks(folder, ()), began))
    opened = open_suite(folder, model_client)
    named = tuple(named_files(folder))
    marks = _marks(folder, named)
    young = _digests(_young(marks, began))
    if all(marks.values()) and young.items() <= before.items():  # nothing changed meanwhile
        _KEPT[folder] = _Kept(replace(opened, graders=()), named, marks, young)
        for oldest in list(_KEPT)[:-_MOST]:
            _KEPT.pop(oldest, None)
    return opened


def named_files(folder: Path) -> Iterator[Path]:
    """The files that suite.yaml may name: any of its texts that is the path of a file."""
    pending = [load_yaml(folder / "suite.yaml").data]
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list):
            pending.extend(value.values() if isinstance(value, dict) else value)
        elif isinstance(value, str) and _is_file(folder / value):
            yield folder / value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # most texts are no paths, and some could not be
        return False


def _marks(folder: Path, named: tuple[Path, ...]) -> Marks:
    """What tells of each file whether it is the same; nothing of one that is not there."""
    return {path: _mark(path) for path in (*named, *folder.rglob("*"))}


def _mark(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _young(marks: Marks, began: float) -> Iterator[Path]:
    """The files that were changed shortly before they were read, or while they were."""
    latest = int((began - _JUST_NOW_S) * 1e9)
    return (path for path, mark in marks.items() if mark and max(mark[-2:]) >= latest)


def _digests(paths: Iterable[Path]) -> Digests:
    """What files hold; a folder, whose files are looked at themselves, holds nothing of its own."""
    return {path: _digest(path) for path in paths}


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
