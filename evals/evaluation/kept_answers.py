"""A model's answers to its suites, kept for good: pinned with how they were asked, by whom graded, and their digests.

What is kept outlives the folder of its run. It serves whatever is compared with a model of before: the anchor of a gate,
the look at whether the live model still answers as it did. `kept.json` is the record and `<suite>.jsonl.zst` the answers, each
line with the digest of its case, so that what did not change since can be told. Both are checked when they are read.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from evals.codec import decoder
from evals.errors import InfrastructureError
from evals.files import replace_file, room_for, sync_folder
from evals.records import Case, Price, Record, Response, decode, digest, encode
from evals.sampling.journal.entries import Entry
from evals.suites.opened import OpenedSuite

__all__ = [
    "AnswersToKeep",
    "KeptAnswers",
    "KeptAnswersError",
    "KeptRecord",
    "KeptSuite",
    "case_digest",
    "deployment_marks",
    "keep_answers",
    "open_kept",
]

_RECORD = "kept.json"


class KeptAnswersError(InfrastructureError):
    """Kept answers that are on record are missing, or are not what they were."""


class KeptSuite(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One model's answers to one suite: to `cases` of its cases, each `repeats` times.

    `asked_with` is what of a request has a say in the answer, besides the messages. `deployments` are the system
    fingerprints and model names that the service gave with the answers. `digest` is that of the answers' lines.
    """

    suite: str
    fingerprint: str
    repeats: int
    asked_with: dict[str, Any]
    grader_versions: dict[str, str]
    cases: int
    answers: int
    digest: str
    deployments: tuple[str, ...] = ()


class KeptRecord(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Whose answers they are, from which run, and what its tokens cost then. `kept_at` is UTC, ISO 8601."""

    target: str
    model_id: str
    run_id: str
    kept_at: str
    suites: tuple[KeptSuite, ...]
    price: Price | None = None

    def suite(self, name: str) -> KeptSuite | None:
        """Return the answers to one suite, None when there are none."""
        return next((one for one in self.suites if one.suite == name), None)


class KeptLine(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One answer, and the digest of the case it was given to."""

    case: str
    response: Response


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersToKeep:
    """What is to be kept of one suite: `entries` of its journal, as far as they are to cases of `rows`, shape (cases,).

    `own_names` are names under which the endpoint was asked: a service that only echoes them tells nothing by it.
    """

    opened: OpenedSuite
    entries: Iterable[Entry]
    rows: NDArray[np.bool_]
    repeats: int
    asked_with: dict[str, Any]
    own_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswers:
    """Kept answers in their folder, the record checked; the answers are checked while they are read."""

    folder: Path
    record: KeptRecord

    def lines(self, suite: str) -> Iterator[KeptLine]:
        """Yield the answers to a suite in the order in which they came, none for a suite that was not asked.

        Raises KeptAnswersError, at the latest after the last one, when they are not what was kept.
        """
        kept = self.record.suite(suite)
        if kept is None:
            return
        total, reader = hashlib.sha256(), decoder(KeptLine)
        try:
            for line in _lines(self.folder / _file_name(suite)):
                total.update(line)
                yield reader.decode(line)
        except (OSError, zstandard.ZstdError, msgspec.DecodeError) as error:
            raise _damaged(self.folder, self.record, str(error)) from error
        if "sha256:" + total.hexdigest() != kept.digest:
            raise _damaged(self.folder, self.record, f"the answers to {suite} were altered")


def case_digest(case: Case) -> str:
    """Return what tells whether a case is the one that was answered: all of it, rendered messages and expected answer."""
    return digest(case)


def keep_answers(
    place: Path, origin: Mapping[str, Any], suites: Iterable[AnswersToKeep]
) -> tuple[KeptAnswers, str]:
    """Keep answers in a folder of their own below `place`, named by their digest; return them and the digest.

    The same answers again find what is there. A kill leaves nothing half-kept. `origin` are the fields of `KeptRecord` but
    for the suites. Raises OSError when nothing can be written.
    """
    with room_for(place):
        return _keep(place, origin, suites)


def _keep(
    place: Path, origin: Mapping[str, Any], suites: Iterable[AnswersToKeep]
) -> tuple[KeptAnswers, str]:
    place.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place))
    draft.chmod(0o755)  # readable like all else below the home
    try:
        parts = tuple(_write_suite(draft, part) for part in suites)
        record = KeptRecord(**origin, suites=parts)
        replace_file(draft / _RECORD, encode(record) + b"\n")
        found = digest(record)
        folder = place / folder_name(found)
        if not folder.is_dir():
            draft.replace(folder)
            sync_folder(place)
        return open_kept(place, found), found
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def open_kept(place: Path, kept: str) -> KeptAnswers:
    """Open the answers that were kept below `place` with a digest. Raises KeptAnswersError when they are not there."""
    folder = place / folder_name(kept)
    try:
        record = decode((folder / _RECORD).read_bytes(), KeptRecord)
    except OSError as error:
        raise KeptAnswersError(
            f"the kept answers in {folder} are missing: bring the folder back from a backup"
        ) from error
    except msgspec.DecodeError as error:
        raise _damaged(folder, None, str(error)) from error
    if digest(record) != kept:
        raise _damaged(folder, record, "the record was altered")
    return KeptAnswers(folder=folder, record=record)


def folder_name(kept: str) -> str:
    """Return the name of the folder of kept answers with this digest."""
    return kept.removeprefix("sha256:")[:24]


def _write_suite(folder: Path, part: AnswersToKeep) -> KeptSuite:
    suite, total = part.opened.suite, hashlib.sha256()
    answered: set[str] = set()
    deployments: set[str] = set()
    answers = 0
    path = folder / _file_name(suite.name)
    compressor = zstandard.ZstdCompressor(level=6, write_checksum=True)
    with path.open("wb") as raw:
        with compressor.stream_writer(raw, closefd=False) as sink:
            for entry, case in _asked(part):
                line = encode(KeptLine(case=case_digest(case), response=entry.response)) + b"\n"
                total.update(line)
                sink.write(line)
                answered.add(case.id)
                answers += 1
                deployments.update(deployment_marks(entry, part.own_names))
        raw.flush()
        os.fsync(raw.fileno())
    return KeptSuite(
        suite=suite.name,
        fingerprint=part.opened.fingerprint,
        repeats=part.repeats,
        asked_with=part.asked_with,
        grader_versions={grader.name: grader.version for grader in part.opened.graders},
        cases=len(answered),
        answers=answers,
        digest="sha256:" + total.hexdigest(),
        deployments=tuple(sorted(deployments)),
    )


def _asked(part: AnswersToKeep) -> Iterator[tuple[Entry, Case]]:
    cases = part.opened.suite.cases
    for entry in part.entries:
        row = cases.row(entry.response.case_id)
        if row is not None and part.rows[row]:
            yield entry, cases[row]


def deployment_marks(entry: Entry, own_names: frozenset[str]) -> Iterator[str]:
    """Yield what an answer tells of the deployment that gave it: its system fingerprint, and a model name of its own."""
    if entry.fingerprint:
        yield f"system fingerprint {entry.fingerprint}"
    if entry.served_by and entry.served_by not in own_names:
        yield f"model {entry.served_by}"


def _file_name(suite: str) -> str:
    return f"{quote(suite, safe='').replace('.', '%2E')}.jsonl.zst"


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        yield from io.BufferedReader(reader, 1 << 16)


def _damaged(folder: Path, record: KeptRecord | None, why: str) -> KeptAnswersError:
    whose = f" of {record.model_id}" if record else ""
    return KeptAnswersError(
        f"the kept answers{whose} in {folder} are damaged ({why}): bring the folder back from a backup"
    )
