"""Suites as they were when a run was judged by them: copies of their files, by fingerprint, kept for ever.

A copy holds what reading the suite takes: suite.yaml and each file that it names. The training file is empty there, since
no verdict is counted from it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from evals.errors import ConfigurationError
from evals.files import room_for, sync_folder
from evals.suites.cache import named_files, open_kept_suite
from evals.suites.opened import OpenedSuite

__all__ = ["keep_suite", "open_suite_as_judged"]

_FILES = "files"


def keep_suite(place: Path, opened: OpenedSuite) -> bool:
    """Copy a suite to `place`, unless it is there; False when its files are by now others than those that were opened.

    A kill leaves nothing half-kept. Raises OSError, a DiskFullError where there is no room.
    """
    goal = _folder(place, opened.fingerprint)
    if goal.is_dir():
        return True
    with room_for(place):
        place.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place))
        try:
            _copy(opened, draft)
            if _opened(draft, opened.fingerprint, None) is None:
                return False
            draft.replace(goal)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        sync_folder(place)
    return True


def open_suite_as_judged(
    place: Path, fingerprint: str, model_client: Any = None
) -> OpenedSuite | None:
    """Open the kept suite with this fingerprint, None when there is none that still has it."""
    return _opened(_folder(place, fingerprint), fingerprint, model_client)


def _folder(place: Path, fingerprint: str) -> Path:
    return place / fingerprint.removeprefix("sha256:")[:32]


def _copy(opened: OpenedSuite, draft: Path) -> None:
    folder = opened.suite.folder.resolve()
    case_file = opened.suite.case_file
    files = {folder / "suite.yaml", *named_files(folder)}
    files |= (
        {folder / case_file.relative_to(opened.suite.folder)} if case_file is not None else set()
    )
    plain = {Path(os.path.normpath(path)) for path in files}
    root = Path(os.path.commonpath([folder, *(path.parent for path in plain)]))
    training = opened.suite.training
    empty = Path(os.path.normpath(training.resolve())) if training is not None else None
    for path in plain:
        copy = draft / _FILES / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch() if path == empty else shutil.copyfile(path, copy)
    (draft / "suite").symlink_to(Path(_FILES) / folder.relative_to(root))


def _opened(folder: Path, fingerprint: str, model_client: Any) -> OpenedSuite | None:
    try:
        opened = open_kept_suite((folder / "suite").resolve(), model_client)
    except ConfigurationError:
        return None
    return opened if opened.fingerprint == fingerprint else None
