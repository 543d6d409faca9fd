"""Finds cases that a model may have been trained on: the same question, or nearly the same, in the training file.

Texts are compared without case, punctuation and spacing, and without the words of the prompt around them. Two are nearly the same when their sets of five-character
pieces have a Jaccard index of at least 0.7. Every pair is compared, none left to chance: how many pieces two texts
share is a product of sparse matrices.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from evals.cases.suite_file import Suite
from evals.config.documents import iter_jsonl, raise_problems
from evals.errors import Problem
from evals.records import Case, Message
from evals.suites.prompt_frame import frame_of

__all__ = [
    "NEAR",
    "Overlap",
    "OverlappingPair",
    "normalised",
    "question",
    "similar_pairs",
    "training_overlap",
]

NEAR = 0.7
_PIECE = 5
_BLOCK = 256  # rows multiplied at once: bounds the memory of the product
_ROUNDING = 1e-12  # a share of exactly 0.7 must not be lost to rounding
_NO_WORD = re.compile(r"[\W_]+")

Pieces = frozenset[str]
View = tuple[list[str], list[str]]
"""Texts of the cases and of the examples, to be held against each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlappingPair:
    """A case and the training example it resembles. `similarity` is the Jaccard index, 1.0 for the same text."""

    case_id: str
    line: int
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Cases that are also in the training file; a case is in one of the two at most, with its best match."""

    exact: tuple[OverlappingPair, ...]
    near: tuple[OverlappingPair, ...]
    cases: int
    examples: int


def training_overlap(suite: Suite, training_file: Path, *, near: float = NEAR) -> Overlap:
    """Hold a suite's questions against those of an OpenAI chat fine-tuning file.

    Lines are examples with `messages`; in files of another shape the values of an `item`, or of all texts, are the
    question.

    Raises:
        ConfigurationError: the file can't be read.
    """
    problems: list[Problem] = []
    read = [(line, normalised(_asked(row))) for line, row in iter_jsonl(training_file, problems)]
    raise_problems(problems)
    lines, examples = [line for line, _ in read], [text for _, text in read]
    cases = [normalised(question(case)) for case in suite.cases]
    views = list(_views(cases, examples))
    exact = _exact([(cases, examples), *views], lines)
    alike = _near(views, lines, exact, near)
    ids = suite.cases.ids
    return Overlap(
        exact=tuple(
            OverlappingPair(case_id=ids[row], line=exact[row], similarity=1.0)
            for row in sorted(exact)
        ),
        near=tuple(
            OverlappingPair(case_id=ids[row], line=line, similarity=share)
            for row, (share, line) in sorted(alike.items())
        ),
        cases=len(cases),
        examples=len(examples),
    )


def _exact(views: Iterable[View], lines: Sequence[int]) -> dict[int, int]:
    """The line of the same text, by the row of the case."""
    found: dict[int, int] = {}
    for ours, theirs in views:
        known = _first_lines(theirs, lines)
        for row, text in enumerate(ours):
            if text in known:
                found.setdefault(row, known[text])
    return found


def _near(
    views: Iterable[View], lines: Sequence[int], exact: Mapping[int, int], least: float
) -> dict[int, tuple[float, int]]:
    """How alike the most similar text is and its line, by the row of the case; those that are exact left out."""
    best: dict[int, tuple[float, int]] = {}
    for ours, theirs in views:
        known = list(_first_lines(theirs, lines).items())
        rows = [row for row, text in enumerate(ours) if text and row not in exact]
        pairs = similar_pairs([ours[row] for row in rows], [text for text, _ in known], least)
        for index, column, share in pairs:
            row = rows[index]
            if row not in best or share > best[row][0]:
                best[row] = (share, known[column][1])
    return best


def _views(cases: list[str], examples: list[str]) -> Iterator[View]:
    """Yield cases and examples without the suite's words, without each file's own, and whole where neither fits."""
    ours, theirs = frame_of(cases), frame_of(examples)
    bare, of_suite = ours.cores(cases), ours.cores(examples)
    yield bare, of_suite
    if ours != theirs:
        of_file = theirs.cores(examples)
        yield bare, of_file
        parts = zip(examples, of_suite, of_file, strict=True)
        yield cases, [whole if whole == one == other else "" for whole, one, other in parts]


def _first_lines(texts: Sequence[str], lines: Sequence[int]) -> dict[str, int]:
    """The first line of every different text."""
    found: dict[str, int] = {}
    for line, text in zip(lines, texts, strict=True):
        if text:
            found.setdefault(text, line)
    return found


def similar_pairs(
    left: Sequence[str], right: Sequence[str], least: float
) -> Iterator[tuple[int, int, float]]:
    """Yield (index in left, index in right, Jaccard index) for every pair of texts at least that alike."""
    codes: dict[str, int] = {}
    ours, theirs = _counts(left, codes), _counts(right, codes)
    ours.resize(len(left), len(codes))
    theirs.resize(len(right), len(codes))
    sizes, other_sizes = (np.diff(matrix.indptr).astype(np.float64) for matrix in (ours, theirs))
    turned = theirs.T.tocsr()
    for start in range(0, len(left), _BLOCK):
        shared = (ours[start : start + _BLOCK] @ turned).tocoo()
        rows = shared.row + start
        shares = shared.data / (sizes[rows] + other_sizes[shared.col] - shared.data)
        for index in np.flatnonzero(shares >= least - _ROUNDING):
            yield int(rows[index]), int(shared.col[index]), float(shares[index])


def question(case: Case) -> str:
    """Return what a case asks: the text of its user messages."""
    return _texts(case.messages)


def normalised(text: str) -> str:
    """Return a text without case, accents' encoding, punctuation and spacing that differ by habit."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NO_WORD.sub(" ", folded).strip()


def _texts(messages: Iterable[Message]) -> str:
    parts = []
    for message in messages:
        if message.role == "user":
            parts.append(_content_text(message.content))
    return "\n".join(parts)


def _content_text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _asked(row: Mapping[str, Any]) -> str:
    messages = row.get("messages")
    if isinstance(messages, list):
        users = [m for m in messages if isinstance(m, dict) and m.get("role") == "user"]
        return "\n".join(_content_text(message.get("content")) for message in users)
    item = row.get("item", row)
    values = item.values() if isinstance(item, dict) else [item]
    return "\n".join(value for value in values if isinstance(value, str))


def _pieces(text: str) -> Pieces:
    if len(text) <= _PIECE:
        return frozenset({text})
    return frozenset(text[start : start + _PIECE] for start in range(len(text) - _PIECE + 1))


def _counts(texts: Sequence[str], codes: dict[str, int]) -> Any:
    """Return a sparse matrix of shape (texts, pieces seen so far) with a 1 for every piece that a text has."""
    rows = [[codes.setdefault(piece, len(codes)) for piece in _pieces(text)] for text in texts]
    starts = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter((code for row in rows for code in row), dtype=np.int64, count=starts[-1])
    ones = np.ones(len(columns), dtype=np.int32)
    return sparse.csr_matrix((ones, columns, starts), shape=(len(texts), len(codes)))
