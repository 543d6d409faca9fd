"""Reads the file of a frozen baseline in: everything is checked before any of it counts, and nothing is half-imported.

The file comes from elsewhere. What it may unpack to follows from its first member, names are taken from a fixed pattern and
never from the file's own paths, and only plain files that the record lists are read.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import msgspec
import zstandard

from evals.codec import convert, decode
from evals.errors import ConfigurationError, Problem
from evals.evaluation.kept_answers import KeptAnswersError, folder_name, open_kept
from evals.files import room_for, sync_folder
from evals.version import VERSION
from flows.evaluation.kept.frozen import SEALED, open_frozen, sealed_scores, unpacked
from flows.evaluation.kept.keep import kept_place
from flows.freezing.archive import ARCHIVE_FORMAT, HEAD, ArchiveHead
from flows.freezing.bounded_stream import BoundedStream, TooMuchError
from flows.freezing.statement import statement_problems
from flows.registry.frozen import FrozenBaseline, FrozenOnRecord, by_id
from flows.registry.opening import open_registry
from flows.release.signing import verifying_key
from flows.settings import Settings

__all__ = ["import_frozen"]

_HEAD_BYTES = 16 << 20
_MOST_BYTES = 8 << 30
"""The most that an exported file may hold, packed or unpacked: more than ten million answers."""
_BLOCKS = 4096
"""What a member of a tar takes besides its content, at most."""
_LINE_BYTES = 64 << 20
_FILE = re.compile(
    rf"kept\.json|(?:{SEALED}/)?[A-Za-z0-9_~%-][A-Za-z0-9._~%-]{{0,200}}\.jsonl\.zst"
)
_BOOK = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}\.jsonl")
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_NOT_OURS = "it is not a file that 'gatewright freeze --to' wrote"
_NAME = "name the file that it wrote, such as baseline.tar.zst"
_DAMAGED = "it is cut off or damaged"
_COPY = "copy it again from the machine that wrote it"
_ID = re.compile(r"[0-9a-f]{12}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def import_frozen(settings: Settings, target: str, path: Path) -> tuple[FrozenOnRecord, bool]:
    """Put the frozen baseline of a file on record for its target; the second value is False when it was there already.

    With GATEWRIGHT_VERIFY_KEY (or a signing key, which has a public one) its signature has to be by that key.

    Raises:
        ConfigurationError: the file is of another target, unsigned or signed by another key, of a newer version,
            truncated, altered, or no such file at all.
        OSError: nothing can be written.
    """
    place = kept_place(settings, target)
    with _draft(place) as draft:
        head = _unpack(path, target, draft)
        _check_content(path, head.baseline, draft)
        folder = place / folder_name(head.baseline.kept)
        if not folder.is_dir():
            draft.replace(folder)
            sync_folder(place)
    return _put_on_record(settings, path, head)


def _put_on_record(
    settings: Settings, path: Path, head: ArchiveHead
) -> tuple[FrozenOnRecord, bool]:
    baseline = head.baseline
    try:
        open_frozen(settings, baseline)  # also what had been there before
    except KeptAnswersError:
        _restore(settings, path, baseline)
        open_frozen(settings, baseline)
    with open_registry(settings) as registry:
        new = registry.put_frozen(
            baseline, head.envelope, actor=settings.actor, imported_from=path.name
        )
        found = by_id(registry.frozen(baseline.target), baseline.frozen_id)
    assert found is not None  # it was put there
    return found, new


def _restore(settings: Settings, path: Path, baseline: FrozenBaseline) -> None:
    """Put the files of a folder back that were altered or lost since: the file has them."""
    place = kept_place(settings, baseline.target)
    folder = place / folder_name(baseline.kept)
    with _draft(place) as draft:
        _unpack(path, baseline.target, draft)
        for file in baseline.files:
            (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
            (draft / file.name).replace(folder / file.name)


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place))
    draft.chmod(0o755)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unpack(path: Path, target: str, draft: Path) -> ArchiveHead:
    """Write the members of the file below a folder, as far as its first member lists them."""
    try:
        with path.open("rb") as raw:
            _require_compressed(path, raw)
            stream = BoundedStream(raw, _HEAD_BYTES)
            with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", errorlevel=2) as tar:
                head = _head(path, target, tar)
                files = {file.name: file for file in head.baseline.files}
                stream.left += sum(file.size + _BLOCKS for file in files.values())
                while (member := tar.next()) is not None:
                    file = files.pop(member.name, None)
                    if file is None or not member.isreg() or member.size != file.size:
                        _refuse(path, "it holds something that its record does not list")
                    _write(path, draft / file.name, tar.extractfile(member), file.digest)
            if files or not stream.ended():
                _refuse(path, _DAMAGED, _COPY)
            return head
    except FileNotFoundError as error:
        raise ConfigurationError(
            Problem(where=str(path), message="expected the file of a frozen baseline; found none")
        ) from error
    except TooMuchError as error:
        _refuse(path, str(error))
    except (tarfile.TarError, zstandard.ZstdError, EOFError):
        _refuse(path, _DAMAGED, _COPY)
    except IsADirectoryError:
        _refuse(path, "it is a folder")


def _require_compressed(path: Path, raw: IO[bytes]) -> None:
    begins = raw.read(len(_ZSTANDARD))
    if not _ZSTANDARD.startswith(begins):
        _refuse(path, _NOT_OURS, _NAME)
    raw.seek(0)


def _head(path: Path, target: str, tar: tarfile.TarFile) -> ArchiveHead:
    first = tar.next()
    content = tar.extractfile(first) if first is not None and first.isreg() else None
    if first is None or content is None or first.name != HEAD or first.size > _HEAD_BYTES:
        _refuse(path, _NOT_OURS, _NAME)
    try:
        data = decode(content.read())
        _require_known(path, data)
        head = convert(data, ArchiveHead)
    except (msgspec.MsgspecError, ValueError) as error:
        _refuse(path, f"its record can't be read: {error}")
    if problem := _problem(head, target):
        _refuse(path, problem)
    return head


def _require_known(path: Path, data: Any) -> None:
    found = data.get("format") if isinstance(data, dict) else None
    if isinstance(found, int) and found > ARCHIVE_FORMAT:
        _refuse(
            path,
            f"it was written by Gatewright {data.get('written_by')} in format {found}; this is {VERSION}, which reads formats"
            f" up to {ARCHIVE_FORMAT}: upgrade it",
        )


def _problem(head: ArchiveHead, target: str) -> str:
    """Why a record is not taken, "" when it is: whose it is, who signed it, and what it says of its files."""
    baseline = head.baseline
    if baseline.target != target:
        return f"it is a baseline of {baseline.target}, not of {target}"
    sound = _ID.fullmatch(baseline.frozen_id) and _DIGEST.fullmatch(baseline.kept)
    if not sound or not baseline.kept.startswith(f"sha256:{baseline.frozen_id}"):
        return "its id does not follow from its answers"
    names = [file.name for file in baseline.files]
    if len(set(names)) != len(names) or not all(_FILE.fullmatch(name) for name in names):
        return "it lists a file that no frozen baseline has"
    if "kept.json" not in names or not all(_BOOK.fullmatch(b) for b in baseline.scored_by.values()):
        return "its record lists no answers, or scores in a place where none belong"
    if any(sealed_scores(suite) not in names for suite in baseline.scored_by):
        return "it lists scores that are not there"
    if any(file.size < 0 for file in baseline.files):
        return "it lists a file of less than nothing"
    if sum(file.size for file in baseline.files) > _MOST_BYTES:
        return f"it lists more than {_MOST_BYTES >> 30} GiB"
    if problems := statement_problems(baseline, head.envelope, verifying_key()):
        return f"{'; '.join(problems)} (GATEWRIGHT_VERIFY_KEY names the public key of who froze it)"
    return ""


def _write(path: Path, goal: Path, content: IO[bytes] | None, digest: str) -> None:
    assert content is not None  # a regular file has some
    goal.parent.mkdir(parents=True, exist_ok=True)
    total = hashlib.sha256()
    with room_for(goal), goal.open("wb") as file:
        while piece := content.read(1 << 20):
            total.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if "sha256:" + total.hexdigest() != digest:
        _refuse(path, f"{goal.name} in it is not what was frozen")


def _check_content(path: Path, baseline: FrozenBaseline, draft: Path) -> None:
    """See that the answers are those of the record and can be read to their end, within bounds."""
    try:
        for file in baseline.files:
            if file.name.endswith(".zst"):
                _require_bounded(path, draft / file.name)
        with tempfile.TemporaryDirectory(prefix=".draft-", dir=draft.parent) as place:
            (Path(place) / folder_name(baseline.kept)).symlink_to(draft)
            kept = open_kept(Path(place), baseline.kept)
            if (kept.record.target, kept.record.model_id) != (baseline.target, baseline.model_id):
                _refuse(path, "its answers are of another model than its record says")
            for suite in kept.record.suites:
                for _ in kept.lines(suite.suite):
                    pass
    except (KeptAnswersError, zstandard.ZstdError) as error:
        _refuse(path, f"its answers are not what was frozen ({error})")


def _require_bounded(path: Path, file: Path) -> None:
    total = line = 0
    for piece in unpacked(file):
        total += len(piece)
        cut = piece.rfind(b"\n")
        line = line + len(piece) if cut < 0 else len(piece) - cut - 1
        if total > _MOST_BYTES or line > _LINE_BYTES:
            _refuse(path, f"{file.name} in it unpacks to more than any answers would")


def _refuse(
    path: Path,
    why: str,
    fix: str = "export it again (gatewright freeze TARGET --to FILE) and compare the two files",
) -> NoReturn:
    message = f"{why}; nothing was imported"
    raise ConfigurationError(Problem(where=str(path), message=message, fix=fix))
