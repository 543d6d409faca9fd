"""Cases stand on disk and are read as they are needed, and nobody can tell the difference."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases.ids import Ids, all_different
from evals.cases.row_file import RowFile
from evals.cases.table import CaseTable
from evals.errors import ConfigurationError, InfrastructureError
from evals.records import Case, Message, encode
from evals.suites.case_arrays import cluster_codes, matching_all, tag_texts
from evals.suites.opened import open_suite

TEXTS = st.lists(st.text(max_size=6), unique=True, max_size=60)


def cases(size: int) -> list[Case]:
    system = Message(role="system", content="Same for all.")
    return [
        Case(
            id=f"c{number}",
            messages=(system, Message(role="user", content=f"case {number} ü")),
            expected={"z": number, "a": [1.5, None]},
            item={"text": f"case {number}"},
            tags={"plan": "free"} if number % 2 else {"plan": "team", "language": "de"},
            cluster=f"customer {number // 2}",
        )
        for number in range(size)
    ]


def test_a_table_holds_what_was_put_into_it_in_its_order() -> None:
    known = cases(500)
    table = CaseTable(known, shared=known[0].messages[:1])
    assert list(table) == known
    assert [table[row] for row in range(500)] == known
    assert (table[-1], table[2:4]) == (known[-1], tuple(known[2:4]))
    assert (table.get("c7"), table.get("c500"), table.row("c7"), table.line("c7")) == (
        known[7],
        None,
        7,
        8,
    )
    assert [encode(case) for case in table] == [encode(case) for case in known]
    assert list(table[0].expected) == ["z", "a"]  # as it was written, not sorted
    with pytest.raises(IndexError):
        table[500]
    with pytest.raises(ValueError, match="there already"):
        table.add(known[3], 9)


def test_what_is_needed_of_all_cases_is_there_as_columns() -> None:
    table = CaseTable(cases(4))
    texts = {name: column.tolist() for name, column in tag_texts(table).items()}
    assert texts == {"language": ["de", "", "de", ""], "plan": ["team", "free", "team", "free"]}
    where = {"plan": "team", "language": "de"}
    assert matching_all(table, where).tolist() == [True, False, True, False]
    assert not matching_all(table, {"plan": "enterprise"}).any()
    codes = cluster_codes(table)
    assert codes is not None
    assert codes.tolist() == [0, 0, 1, 1]
    assert cluster_codes(CaseTable([Case(id="a", messages=())])) is None


@given(texts=TEXTS, strangers=TEXTS)
def test_ids_are_found_by_place_and_by_text(texts: list[str], strangers: list[str]) -> None:
    ids = Ids(texts)
    assert (list(ids), len(ids)) == (texts, len(texts))
    for text in (*texts, *strangers):
        assert ids.find(text) == (texts.index(text) if text in texts else None)
    assert [ids[place] for place in ids.places()] == sorted(texts)
    assert ids == tuple(texts)
    assert (ids == Ids(strangers)) == (texts == strangers)
    assert all_different(ids)


def test_many_ids_are_sorted_in_parts() -> None:
    texts = [f"case-{number}" for number in range(70_000)]
    assert [*Ids(texts).places()] == sorted(range(70_000), key=texts.__getitem__)


@given(rows=st.lists(st.binary(max_size=40), max_size=50), room=st.sampled_from([0, 30, 10_000]))
def test_rows_are_the_same_in_memory_and_on_disk(rows: list[bytes], room: int) -> None:
    spool = RowFile(in_memory=room)
    assert [spool.append(row) for row in rows] == list(range(len(rows)))
    assert list(spool) == rows
    assert [spool[number] for number in range(len(rows))] == rows


def test_the_temporary_file_has_no_name_and_is_closed_with_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(os.listdir("/dev/fd"))
    spool = RowFile(in_memory=10)
    spool.append(b"x" * 100)
    assert len(os.listdir("/dev/fd")) == before + 1
    assert not list(tmp_path.iterdir())
    assert spool[0] == b"x" * 100
    del spool
    assert len(os.listdir("/dev/fd")) == before


def test_without_room_for_the_temporary_file_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(InfrastructureError, match=r"TMPDIR names no other folder.*gone"):
        RowFile(in_memory=10).append(b"x" * 100)


def test_a_suite_says_the_same_of_line_and_id_however_long_it_is(
    tmp_path: Path, folder_suite: Any
) -> None:
    folder_suite(3000)
    path = tmp_path / "triage" / "cases.jsonl"
    lines = path.read_text().splitlines()
    lines[1999] = json.dumps({"id": "c1999", "item": {}, "expected": "yes"})
    lines[2500] = json.dumps({"id": "c1999", "item": {"text": "a"}, "expected": "yes"})
    lines[2600] = json.dumps({"id": "c7", "item": {"text": "a"}, "expected": "yes"})
    lines[2700] = json.dumps({"id": "empty", "item": {"text": "a"}, "expected": ""})
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigurationError) as caught:
        open_suite(tmp_path / "triage")
    assert [(one.line, one.message.split(";")[-1]) for one in caught.value.problems] == [
        (2000, "the prompt can't be filled: '{{ item.text }}' has no value: no 'text' in item"),
        (2501, " 'c1999' is on line 2000 too"),
        (2601, " 'c7' is on line 8 too"),
        (2701, " found none"),
    ]


FINGERPRINT = "sha256:91d48e0aee2217c0fad11f2085cb2f3fe2eae7e31a38b068fb8c11b46d1324d4"


def test_a_suite_keeps_the_fingerprint_it_always_had(folder_suite: Any) -> None:
    assert folder_suite(50, tags=["plan"]).fingerprint == FINGERPRINT
