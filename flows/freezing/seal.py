"""Keeps the outcome of a freeze for good: answers, scores, prompts, each file with its digest, and the statement about them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import zstandard

from evals.evaluation.kept_answers import AnswersToKeep, KeptAnswers, keep_answers
from evals.evaluation.kept_results import kept_scores
from evals.evaluation.score_store import ScoreStore
from evals.files import room_for, sync_folder
from evals.records import Price, SuiteResult, encode
from evals.sampling.journal.journal import Journal
from evals.suites.opened import OpenedSuite
from evals.version import VERSION
from flows.evaluation.kept.frozen import SEALED, file_of, sealed_scores
from flows.evaluation.kept.keep import how_asked, kept_place, names_of
from flows.freezing.asking import Asked
from flows.freezing.question import ROLE, Begun, Question
from flows.registry.frozen import FrozenBaseline, FrozenFile

__all__ = ["seal"]


def seal(question: Question, begun: Begun, asked: Asked) -> FrozenBaseline:
    """Keep all that was answered and return what is to go on record. Safe to do again: the same is found.

    Raises OSError when nothing can be written.
    """
    kept, digest = _keep(question, begun, asked.price)
    folder, plan, live = kept.folder, question.plan, question.live
    scored = {one.suite.name: _seal_scores(question, kept, one) for one in plan.suites}
    if question.prompts:
        cases = next(one for one in plan.suites if one.suite.name == question.prompts).suite.cases
        _write(folder / f"{SEALED}/{question.prompts}.prompts.jsonl.zst", map(encode, cases))
    models, evaluation = {ROLE: (live.model_id, asked.price)}, question.evaluation
    results = evaluation.summaries(evaluation.results(1, models))
    return FrozenBaseline(
        frozen_id=digest.removeprefix("sha256:")[:12],
        target=plan.target.name,
        model_id=live.model_id,
        base_model=question.base_model,
        platform=live.platform,
        deployment=live.deployment,
        generation=begun.generation,
        frozen_at=begun.began_at,
        frozen_by=begun.actor,
        repeats=question.repeats,
        question=question.digest,
        kept=digest,
        files=tuple(_files(folder)),
        scored_by={name: book for name, book in scored.items() if book},
        results=results,
        prompts=question.prompts,
        prompt_count=_cases(question, question.prompts),
        answers=sum(one.answered for one in results),
        lost=asked.lost,
        written_by=VERSION,
        unverified=asked.unverified,
        unscored=asked.unscored + _unjudged(question, results),
    )


def _keep(question: Question, begun: Begun, price: Price | None) -> tuple[KeptAnswers, str]:
    origin: dict[str, Any] = {
        "target": question.plan.target.name,
        "model_id": question.live.model_id,
        "run_id": question.folder.name,
        "kept_at": begun.began_at,
        "price": price,
    }
    place = kept_place(question.settings, question.plan.target.name)
    with Journal.open(question.folder / "journal", read_only=True) as journal:
        return keep_answers(place, origin, _parts(question, journal))


def _parts(question: Question, journal: Journal) -> Iterator[AnswersToKeep]:
    target, evaluation = question.plan.target, question.evaluation
    for opened in question.plan.suites:
        yield AnswersToKeep(
            opened=opened,
            entries=journal.entries(ROLE, opened.suite.name),
            rows=evaluation.asked(opened, 1, ROLE),
            repeats=question.repeats,
            asked_with=how_asked(target, opened, ROLE),
            own_names=names_of(question.live),
        )


def _seal_scores(question: Question, kept: KeptAnswers, opened: OpenedSuite) -> str:
    """Write a suite's scores beside its answers; return the name of the book that runs read.

    That is "" for a set without graders, and where a judge could not be asked: a run that takes the answers scores them.
    """
    made = ScoreStore(question.folder, ROLE, opened)
    if not opened.graders or made.lost() or question.unjudged(opened):
        return ""
    book = kept_scores(kept, opened)
    scores = [encode(found) for found in made.by_answer()]
    _write(kept.folder / sealed_scores(opened.suite.name), scores)
    return book.path.name


def _unjudged(question: Question, results: Sequence[SuiteResult]) -> int:
    suites = {one.suite.name for one in question.plan.suites if question.unjudged(one)}
    return sum(one.answered for one in results if one.suite in suites)


def _cases(question: Question, suite: str) -> int:
    return sum(len(one.suite.cases) for one in question.plan.suites if one.suite.name == suite)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines, compressed; a kill leaves the file whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    with room_for(path), draft.open("wb") as raw:
        with zstandard.ZstdCompressor(level=6, write_checksum=True).stream_writer(
            raw, closefd=False
        ) as sink:
            for line in lines:
                sink.write(line + b"\n")
        raw.flush()
        os.fsync(raw.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _files(folder: Path) -> Iterator[FrozenFile]:
    """All that belongs to it, but the books that runs write."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != "scores" and not path.name.startswith("."):
            yield file_of(folder, name.as_posix())
