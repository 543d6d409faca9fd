"""A frozen baseline is carried to another registry as one file; what is not that file is refused, and leaves nothing."""

from __future__ import annotations

import asyncio
import io
import shutil
import socket
import sqlite3
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from support.letters import model_host
from support.project import Project
from support.promoted import new_signing_key
from support.succession import CASES, Succession

from evals.errors import ConfigurationError, RegistryError
from evals.records import decode, encode
from flows.evaluation.kept.frozen import frozen_folder, open_frozen
from flows.freezing.archive import export
from flows.freezing.freeze import freeze, question_of
from flows.freezing.unpack import import_frozen
from flows.monitoring.verify import verify_target
from flows.registry.opening import open_registry
from flows.settings import Settings

pytestmark = pytest.mark.slow

Members = list[tuple[tarfile.TarInfo, bytes]]


@dataclass
class Carried:
    """A file that was written by one installation, and another one to read it in."""

    file: Path
    elsewhere: Settings

    def read(self, file: Path | None = None) -> bool:
        return import_frozen(self.elsewhere, "line", file or self.file)[1]

    def refused(self, content: bytes) -> str:
        """Read in other bytes and return what is said; nothing may come of it."""
        other = self.file.with_name("other.tar.zst")
        other.write_bytes(content)
        with pytest.raises(ConfigurationError) as error:
            self.read(other)
        with open_registry(self.elsewhere) as registry:
            assert registry.frozen("line") == ()
        assert [path for path in (self.elsewhere.home / "kept").rglob("*") if path.is_file()] == []
        (problem,) = error.value.problems
        return str(problem)

    def rewritten(self, change: Callable[[Members], Members]) -> bytes:
        """The file with other members."""
        packed = zstandard.ZstdDecompressor().stream_reader(self.file.read_bytes())
        with tarfile.open(fileobj=io.BytesIO(packed.read())) as tar:
            members = [(one, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]
        goal = io.BytesIO()
        with tarfile.open(fileobj=goal, mode="w") as tar:
            for member, data in change(members):
                tar.addfile(member, io.BytesIO(data))
        return zstandard.compress(goal.getvalue())


@pytest.fixture(scope="module")
def key() -> str:
    return new_signing_key()


@pytest.fixture(scope="module")
def here(
    tmp_path_factory: pytest.TempPathFactory, live_v1: Path, listening: socket.socket, key: str
) -> Project:
    """Where v1 was frozen and exported; made once, and not changed."""
    folder = tmp_path_factory.mktemp("here")
    shutil.copytree(live_v1, folder, dirs_exist_ok=True)

    async def frozen() -> None:
        async with model_host(listening) as host:
            line = Succession(folder, host)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("GATEWRIGHT_SIGNING_KEY", key)
                done = await freeze(question_of(line.settings, "line", repeats=1))
            export(line.settings, done.on_record, folder / "baseline.tar.zst")

    asyncio.run(frozen())
    return Project(folder)


@pytest.fixture
def carried(here: Project, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> Carried:
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", key)
    file = shutil.copy(here.folder / "baseline.tar.zst", tmp_path)
    (home := tmp_path / "home").mkdir()
    url = f"sqlite:///{home / 'registry.db'}"
    return Carried(Path(file), replace(here.settings, home=home, registry_url=url, actor="eve"))


async def test_what_was_frozen_here_is_on_record_there_with_all_its_files(
    carried: Carried, here: Project
) -> None:
    assert carried.read()
    assert not carried.read(), "twice is once"
    with open_registry(carried.elsewhere) as there, open_registry(here.settings) as source:
        (found,), (original,) = there.frozen("line"), source.frozen("line")
        assert there.verify() == ()
        event = there.history("line")[0]
    assert (found.baseline, found.envelope) == (original.baseline, original.envelope)
    assert (event.actor, event.kind) == ("eve", "frozen")
    assert "imported from baseline.tar.zst" in event.reason
    kept = open_frozen(carried.elsewhere, found.baseline)
    assert sum(1 for _ in kept.lines("line")) == CASES


async def test_reading_it_in_again_mends_what_was_lost_since(carried: Carried) -> None:
    carried.read()
    with open_registry(carried.elsewhere) as registry:
        (found,) = registry.frozen("line")
    (frozen_folder(carried.elsewhere, found.baseline) / "line.jsonl.zst").unlink()
    assert not carried.read()
    open_frozen(carried.elsewhere, found.baseline)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            "UPDATE frozen SET record = replace(record, '\"repeats\":1', '\"repeats\":9')",
            "was altered",
        ),
        ("UPDATE frozen SET envelope = replace(envelope, 'keyid', 'keyId')", "was altered"),
        ("UPDATE frozen SET model_id = 'another'", "was altered"),
        ("DELETE FROM frozen", "was removed"),
    ],
)
async def test_a_row_that_was_edited_is_named_and_nothing_goes_live_on_it(
    carried: Carried, edit: str, said: str
) -> None:
    carried.read()
    with sqlite3.connect(carried.elsewhere.home / "registry.db") as database:
        database.execute(edit)
    database.close()
    with open_registry(carried.elsewhere) as registry:
        (problem,) = registry.verify()
        with pytest.raises(RegistryError, match="changed past Gatewright"):
            registry.require_intact("line")
    assert said in problem


async def test_verify_names_an_answer_that_was_altered(carried: Carried) -> None:
    carried.read()
    _live, whole = await verify_target(carried.elsewhere, "line", offline=True)
    assert (whole.name, whole.level) == ("frozen", "ok")
    (answers,) = (carried.elsewhere.home / "kept").rglob("line.jsonl.zst")
    answers.write_bytes(b"")
    _live, broken = await verify_target(carried.elsewhere, "line", offline=True)
    assert (broken.name, broken.level) == ("frozen", "fail")
    assert "was altered" in broken.message


async def test_a_file_that_is_cut_off_or_altered_is_refused(carried: Carried) -> None:
    whole = carried.file.read_bytes()
    for cut in (0, 1, 10, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        said = carried.refused(whole[:cut])
        assert "it is cut off or damaged; nothing was imported (copy it again" in said
    for place in range(5, len(whole), len(whole) // 23):
        altered = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        assert "nothing was imported" in carried.refused(altered)
    assert "nothing was imported" in carried.refused(whole + b"more")
    for other in (b"PK\x03\x04 no such thing", zstandard.compress(b"\0" * 10240)):
        assert "it is not a file that 'gatewright freeze --to' wrote" in carried.refused(other)


async def test_an_answer_that_was_changed_inside_is_refused(carried: Carried) -> None:
    def change(members: Members) -> Members:
        return [(m, d[::-1] if m.name == "line.jsonl.zst" else d) for m, d in members]

    assert "line.jsonl.zst in it is not what was frozen" in carried.refused(
        carried.rewritten(change)
    )


def with_head(change: Callable[[dict[str, Any]], object]) -> Callable[[Members], Members]:
    def rewrite(members: Members) -> Members:
        (first, data), *others = members
        head = decode(data, dict)
        change(head)
        first.size = len(encoded := encode(head))
        return [(first, encoded), *others]

    return rewrite


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda head: head.update(format=7, news=1), "in format 7; this is"),
        (lambda head: head["baseline"].update(answers=1), "its statement is about something else"),
        (lambda head: head["baseline"].update(target="other"), "a baseline of other, not of line"),
        (lambda head: head["envelope"].update(signatures=[]), "the statement is not signed"),
        (lambda head: head["baseline"].update(kept="sha256:" + "0" * 64), "does not follow"),
        (
            lambda head: head["baseline"]["files"][0].update(name="../../evil.jsonl.zst"),
            "lists a file",
        ),
        (
            lambda head: head["baseline"]["files"][0].update(name="/etc/evil.jsonl.zst"),
            "lists a file",
        ),
        (lambda head: head["baseline"]["scored_by"].update(line="../x.jsonl"), "where none belong"),
        (lambda head: head["baseline"]["files"][0].update(size=1 << 50), "lists more than"),
        (lambda head: head.update(baseline=[]), "its record can't be read"),
    ],
)
async def test_a_record_that_is_not_ours_is_refused(
    carried: Carried, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    assert said in carried.refused(carried.rewritten(with_head(change)))


async def test_no_member_is_written_that_the_record_does_not_list(carried: Carried) -> None:
    def named(name: str, kind: bytes = tarfile.REGTYPE) -> Callable[[Members], Members]:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        return lambda members: [members[0], (member, b""), *members[1:]]

    for change in (
        named("../../evil"),
        named("/tmp/evil"),
        named("kept.json", tarfile.SYMTYPE),
        named("kept.json", tarfile.LNKTYPE),
        named("more.jsonl.zst"),
    ):
        assert "does not list" in carried.refused(carried.rewritten(change))


async def test_a_bomb_is_not_unpacked(carried: Carried) -> None:
    for byte in (b"\0", b"x"):
        assert "nothing was imported" in carried.refused(zstandard.compress(byte * (1 << 26)))

    def longer(members: Members) -> Members:
        members[1][0].size = 1 << 26
        return [members[0], (members[1][0], bytes(1 << 26)), *members[2:]]

    assert "nothing was imported" in carried.refused(carried.rewritten(longer))


async def test_another_key_and_no_key(carried: Carried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", new_signing_key())
    assert "signature is not by" in carried.refused(carried.file.read_bytes())
    monkeypatch.delenv("GATEWRIGHT_SIGNING_KEY")
    assert carried.read(), "without a key the digests alone are checked"


def test_an_unsigned_one_is_called_unsigned(
    carried: Carried, here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEWRIGHT_SIGNING_KEY")
    carried.file.write_bytes(
        carried.rewritten(with_head(lambda head: head["envelope"].update(signatures=[])))
    )
    home = {"GATEWRIGHT_HOME": str(carried.elsewhere.home)}
    read = here.command("freeze", "line", "--from", str(carried.file), **home)
    assert "Imported. It is unsigned; its digests were checked." in read.out
    (one,) = here.command("freeze", "--list", "--json", **home).json
    told = f"nothing is live; frozen baseline {one['frozen_id']} (v1) is here"
    assert told in here.command("live", "line", **home).out
    (status,) = here.command("status", "line", "--offline", "--json", **home).json["targets"]
    assert (status["live"], status["frozen"]["name"]) == (None, "v1")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("promote", "line", "--model", "m", "--against", "frozen:zzz"), "found 'frozen:zzz'"),
        (("evaluate", "line", "--model", "m", "--against", "yesterday"), "found 'yesterday'"),
        (("promote", "line", "--candidates", "a,b", "--against", "frozen"), "found several"),
    ],
)
def test_a_baseline_that_is_not_frozen_is_one_error_before_anything_is_on_record(
    here: Project, command: tuple[str, ...], said: str
) -> None:
    refused = here.command(*command)
    assert (refused.code, said in refused.err) == (3, True), refused.err
    with open_registry(here.settings) as registry:
        assert [run.kind for run in registry.runs("line", None)] == ["promotion"]


def test_the_command_says_what_it_did_and_refuses_in_one_line(
    carried: Carried, here: Project, tmp_path: Path
) -> None:
    with open_registry(here.settings) as registry:
        (one,) = registry.frozen("line")
    two, home = str(tmp_path / "two.tar.zst"), {"GATEWRIGHT_HOME": str(carried.elsewhere.home)}
    made = here.command("freeze", "line", "--repeats", "1", "--to", two)
    assert made.code == 0, made.err
    assert "nothing was asked" in made.out
    assert "gatewright freeze line --from two.tar.zst" in made.out
    by_id = here.command("freeze", "line", "--id", one.baseline.frozen_id, "--to", two)
    assert (by_id.code, "found one of that name" in by_id.err) == (3, True)
    read = here.command("freeze", "line", "--from", two, **home)
    assert read.code == 0, read.err
    assert "signature was not checked" in read.out
    listed = here.command("freeze", "--list", "--json", **home)
    assert [each["frozen_id"] for each in listed.json] == [one.baseline.frozen_id]
    assert here.command("live", "line", "--json").json["frozen"] == one.baseline.frozen_id
    for wrong in (
        ("line", "--from", "missing.tar.zst"),
        ("line", "--from", "."),
        ("line", "--from", "targets/line.yaml"),
        ("line", "--from", two, "--to", two),
        ("line", "--to", "no/such/folder.tar.zst"),
        ("line", "--id", "abc", "--to", "x.tar.zst"),
        ("line", "--prompts", "missing.jsonl"),
        ("lien", "--list"),
        (),
    ):
        refused = here.command("freeze", *wrong)
        assert (refused.code, "Traceback" in refused.err) == (3, False), wrong
