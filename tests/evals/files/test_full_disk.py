"""Where a disk is full, one sentence says which, how much is free and needed, and what was written before is kept."""

from __future__ import annotations

import asyncio
import errno
import resource
from pathlib import Path

import pytest
from support.small_disk import SmallDisk

from evals.cases.row_file import RowFile
from evals.errors import InfrastructureError
from evals.files import DiskFullError, append_lines, replace_file
from evals.files.full_disk import cause_in_full_disk, require_room
from evals.records import Response
from evals.sampling.journal.entries import Entry, encode_entry
from evals.sampling.journal.journal import Journal
from evals.sampling.response_store import ResponseStore


def test_a_file_on_a_full_disk_is_what_it_was_and_the_error_names_path_mount_and_sizes(
    disk: SmallDisk,
) -> None:
    path = disk.folder / "live.json"
    replace_file(path, b"old")
    disk.fill()
    with pytest.raises(DiskFullError) as caught:
        replace_file(path, bytes(300_000))
    said = str(caught.value)
    assert (
        f"{path} can't be written: the disk at {disk.folder} is full (0 B free, 293 KiB needed)."
        in said
    )
    assert said.endswith(" Free space and run the command again; it resumes")
    disk.free()
    assert path.read_bytes() == b"old"
    assert [one.name for one in disk.folder.iterdir()] == ["live.json"]


def test_lines_that_a_full_disk_has_torn_are_an_error_and_the_next_ones_stand_alone(
    disk: SmallDisk,
) -> None:
    path = disk.folder / "looks.jsonl"
    append_lines(path, [b"[1]"])
    disk.fill(but=4096)
    with pytest.raises(DiskFullError, match="needed"):
        append_lines(path, [b"[2," + bytes(9000) + b"]"])
    disk.free()
    append_lines(path, [b"[3]"])
    lines = path.read_bytes().splitlines()
    assert (lines[0], lines[-1]) == (b"[1]", b"[3]")


def entry(number: int) -> bytes:
    text = f"answer {number} " * 20
    said = Response(case_id=f"c{number}", model_id="m", outcome="answered", text=text)
    return encode_entry(Entry(at=1.0, response=said))


def test_a_journal_keeps_what_was_answered_and_goes_on_once_there_is_room(disk: SmallDisk) -> None:
    folder = disk.folder / "journal"

    async def answer(numbers: range) -> None:
        with Journal.open(folder) as journal:
            for number in numbers:
                await journal.put("candidate", "s", entry(number))

    asyncio.run(answer(range(3)))
    disk.fill(but=8192)
    with pytest.raises(
        DiskFullError,
        match=f"candidate.s.0002.jsonl can't be written: the disk at {disk.folder} is full",
    ):
        asyncio.run(answer(range(3, 200)))
    with Journal.open(folder, read_only=True) as journal:
        kept = len(journal.answered("candidate", "s"))
    assert 3 <= kept < 200
    disk.free()
    asyncio.run(answer(range(kept, 200)))
    with Journal.open(folder, read_only=True) as journal:
        found = [one.case_id for one in journal.responses("candidate", "s")]
    assert found == [f"c{number}" for number in range(200)], "none is lost, and none is there twice"


def test_a_journal_that_can_not_be_made_smaller_on_a_full_disk_stays_as_it_is(
    disk: SmallDisk,
) -> None:
    async def answer() -> None:
        with Journal.open(disk.folder / "journal") as journal:
            await journal.put("candidate", "s", entry(1))
            disk.fill()

    asyncio.run(answer())
    assert sorted(one.name for one in (disk.folder / "journal").iterdir()) == [
        "candidate.s.0001.jsonl",
        "journal.lock",
    ]


def test_answers_that_are_kept_for_reuse_say_it_as_well(disk: SmallDisk) -> None:
    said = Response(case_id="c", model_id="m", outcome="answered", text="long " * 100_000)
    store = ResponseStore(disk.folder)
    disk.fill()
    store.put(b"key", said)
    with pytest.raises(
        DiskFullError, match=r"responses.sqlite can't .* is full .*, 489 KiB needed"
    ):
        store.flush()
    disk.free()
    store.close()


def test_a_temporary_file_names_its_folder(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(disk.folder))
    disk.fill()
    rows = RowFile()
    with pytest.raises(InfrastructureError, match=f"TMPDIR.*the disk at {disk.folder} is full"):
        for _ in range(200):
            rows.append(bytes(100_000))


def test_a_limit_on_the_size_of_files_is_told_from_a_full_disk(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(DiskFullError, match=r"ulimit -f.* Raise that limit and run") as caught:
            replace_file(tmp_path / "report.html", bytes(10_000))
        assert "Free space" not in str(caught.value)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_an_error_nobody_expected_is_explained_by_the_disk_behind_it(disk: SmallDisk) -> None:
    def failed() -> Exception:
        try:
            try:
                raise OSError(errno.ENOSPC, "No space left on device", str(disk.folder / "x"))
            except OSError as full:
                raise ValueError("the server said 500") from full
        except ValueError as error:
            return error

    assert f"{disk.folder / 'x'} can't be written: the disk at {disk.folder} is full" in str(
        cause_in_full_disk(failed(), [])
    )
    assert cause_in_full_disk(ValueError("a bug"), []) is None
    disk.fill()
    explained = cause_in_full_disk(ValueError("the server said 500"), [disk.folder])
    assert f"the disk at {disk.folder} has too little room" in str(explained)


def test_room_is_asked_for_before_it_is_needed(tmp_path: Path) -> None:
    require_room(tmp_path / "not" / "there", 1, "a database is kept there")
    with pytest.raises(DiskFullError, match="a database is kept there, and the disk at"):
        require_room(tmp_path, 1 << 60, "a database is kept there")
