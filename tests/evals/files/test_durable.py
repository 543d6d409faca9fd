"""What is written down survives a kill: files are whole, and lines stand on lines of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evals.files import append_lines, replace_file


def test_a_replaced_file_keeps_its_mode_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "live.json"
    replace_file(path, b"old")
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o600)
    replace_file(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert os.listdir(path.parent) == ["live.json"]


def test_a_file_that_could_not_be_replaced_is_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.json"
    replace_file(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["live.json"]


def test_appended_lines_take_the_place_of_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "run" / "looks.jsonl"
    append_lines(path, [b"1", b"2"])
    append_lines(path, [b"3"])
    with path.open("ab") as file:
        file.write(b'{"tor')
    append_lines(path, [b"4"])
    assert path.read_bytes() == b"1\n2\n3\n4\n"
