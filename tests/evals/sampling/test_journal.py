"""The journal: durable before it counts, whole after any crash, small when closed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.errors import InfrastructureError
from evals.files.versions import mark_format
from evals.records import Response, Usage
from evals.sampling.journal import segments
from evals.sampling.journal.entries import Entry, decode_entry, encode_entry
from evals.sampling.journal.journal import Journal
from evals.sampling.journal.keys import AnsweredKeys


def entry(case_id: str, outcome: str = "answered", repeat: int = 0, text: str = "yes") -> Entry:
    usage = Usage(prompt_tokens=10, completion_tokens=2) if outcome == "answered" else None
    response = Response(
        case_id=case_id, model_id="m", outcome=outcome, repeat=repeat, text=text, usage=usage
    )
    return Entry(at=1.5, response=response, request_id="r-1")


async def write(journal: Journal, *entries: Entry, suite: str = "triage") -> None:
    await asyncio.gather(*(journal.put("candidate", suite, encode_entry(e)) for e in entries))


def cases(folder: Path, suite: str = "triage") -> list[str]:
    journal = Journal.open(folder, read_only=True)
    return [response.case_id for response in journal.responses("candidate", suite)]


async def test_what_is_said_to_be_durable_is_in_the_file(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    await write(journal, entry("a"), entry("b"))
    lines = (tmp_path / "candidate.triage.0001.jsonl").read_bytes().splitlines()
    assert [decode_entry(line).response.case_id for line in lines] == ["a", "b"]
    journal.close(compress=False)


async def test_closing_compresses_and_going_on_starts_a_new_segment(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        await write(journal, entry("a"))
    with Journal.open(tmp_path) as journal:
        assert ("a", 0) in journal.answered("candidate", "triage")
        await write(journal, entry("b"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "candidate.triage.0001.jsonl.zst",
        "candidate.triage.0002.jsonl.zst",
        "journal.lock",
    ]
    assert cases(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("torn", [b'{"at":1.5,"resp', b"\x00" * 50, b'{"at":1.5}'])
async def test_a_torn_last_line_is_dropped(tmp_path: Path, torn: bytes) -> None:
    journal = Journal.open(tmp_path)
    await write(journal, entry("a"))
    journal.close(compress=False)
    with (tmp_path / "candidate.triage.0001.jsonl").open("ab") as file:
        file.write(torn)
    assert cases(tmp_path) == ["a"]
    with Journal.open(tmp_path) as journal:
        await write(journal, entry("b"))
    assert cases(tmp_path) == ["a", "b"]


async def test_a_crash_while_closing_loses_and_doubles_nothing(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    await write(journal, entry("a"))
    journal.close(compress=False)
    plain = tmp_path / "candidate.triage.0001.jsonl"
    before = plain.read_bytes()
    segments.compress(plain)
    plain.write_bytes(before)  # killed before the plain form was removed
    (tmp_path / "candidate.triage.0001.jsonl.zst.draft").write_bytes(b"half")
    assert cases(tmp_path) == ["a"]
    with Journal.open(tmp_path) as journal:
        await write(journal, entry("b"))
    assert cases(tmp_path) == ["a", "b"]
    assert not plain.exists()


async def test_infrastructure_failures_are_superseded_by_a_later_try(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        await write(
            journal, entry("a", "server_error"), entry("b", "timed_out"), entry("c", "refused")
        )
        await write(journal, entry("a", "rate_limited"), entry("d", "invalid_request"))
        await write(journal, entry("a"))
        assert len(journal.answered("candidate", "triage")) == 3
        assert ("b", 0) not in journal.answered("candidate", "triage")
        outcomes = {r.case_id: r.outcome for r in journal.responses("candidate", "triage")}
    assert outcomes == {
        "a": "answered",
        "b": "timed_out",
        "c": "refused",
        "d": "invalid_request",
    }


async def test_the_history_says_what_was_paid_for(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        await write(journal, entry("a"), entry("b"), entry("c", "server_error"))
        history = journal.history("candidate", "triage")
    assert (history.prompt_tokens, history.completion_tokens) == (20, 4)
    assert history.outcomes == {"answered": 2, "server_error": 1}


async def test_one_writer_at_a_time(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    with pytest.raises(InfrastructureError, match="another process"):
        Journal.open(tmp_path)
    Journal.open(tmp_path, read_only=True)
    journal.close()
    Journal.open(tmp_path).close()


@pytest.mark.parametrize(
    ("marked", "said"), [(True, "is damaged"), (False, r"by Gatewright 0\.1\.0 or an unreleased")]
)
async def test_a_line_that_is_no_entry_is_named_and_not_skipped(
    tmp_path: Path, marked: bool, said: str
) -> None:
    (tmp_path / "candidate.triage.0001.jsonl").write_bytes(b'{"odd":1}\n')
    if marked:
        mark_format(tmp_path)
    with pytest.raises(InfrastructureError, match=said):
        cases(tmp_path)


async def test_a_damaged_closed_segment_is_named(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        await write(journal, *(entry(f"c{n}", text=os.urandom(40).hex()) for n in range(50)))
    closed = tmp_path / "candidate.triage.0001.jsonl.zst"
    data = bytearray(closed.read_bytes())
    data[len(data) // 2] ^= 0xFF
    closed.write_bytes(data)
    with pytest.raises(InfrastructureError, match="damaged"):
        cases(tmp_path)


async def test_a_full_disk_is_an_error_and_not_a_lost_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(tmp_path)
    await write(journal, entry("a"))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evals.files.durable.os.write", full)
    for name in ("b", "c"):
        with pytest.raises(InfrastructureError, match="is full"):
            await write(journal, entry(name))
    monkeypatch.undo()
    journal.close()
    assert cases(tmp_path) == ["a"]


async def test_what_was_not_yet_durable_is_written_when_closing(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.put("candidate", "triage", encode_entry(entry("a")))
    journal.close()
    assert cases(tmp_path) == ["a"]


@given(
    st.text(min_size=1, max_size=20).filter(lambda s: s.isprintable()),
    st.lists(st.tuples(st.text(max_size=10), st.integers(0, 3)), unique=True, max_size=8),
    st.text(max_size=50),
)
def test_any_names_and_texts_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, suite: str, keys: list[tuple[str, int]], text: str
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    written = [entry(case_id, repeat=repeat, text=text) for case_id, repeat in keys]

    async def play() -> None:
        with Journal.open(folder) as journal:
            await write(journal, *written, suite=suite)

    asyncio.run(play())
    journal = Journal.open(folder, read_only=True)
    assert list(journal.entries("candidate", suite)) == written
    assert journal.names() == ([("candidate", suite)] if written else [])
    answered = journal.answered("candidate", suite)
    assert all(key in answered for key in keys)
    assert len(answered) == len(keys)


@given(st.sets(st.tuples(st.text(max_size=8), st.integers(0, 5)), max_size=60), st.text(max_size=8))
def test_answered_keys_behave_like_a_set(keys: set[tuple[str, int]], other: str) -> None:
    answered = AnsweredKeys()
    for number, key in enumerate(sorted(keys)):
        answered.add(*key)
        if number % 3 == 0:
            assert key in answered
    assert len(answered) == len(keys)
    assert all(key in answered for key in keys)
    assert ((other, 6) in answered) is False
    assert "text" not in answered
