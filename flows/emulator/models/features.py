"""Text -> sparse features: words and their pairs, and letters inside words, which carry over typos and languages.

scikit-learn's TF-IDF learns vocabulary and weights; asking goes through a plain dictionary walk with a memory of words,
which is several times quicker for a single text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer

__all__ = ["Features", "SparseRow", "fit_features"]

MAX_CHARACTERS = 6_000
"""Longer questions are cut: a classifier learns nothing more, and an answer must stay quick."""

_MANY = 3_000
"""Examples above which features seen only once are left out."""

_REMEMBERED = 50_000
_WORD = re.compile(r"\w+")


class SparseRow(NamedTuple):
    """Non-zero features of one text."""

    indices: NDArray[np.int64]
    values: NDArray[np.float64]


def words_of(text: str) -> list[str]:
    """Return the words of a text and their pairs, in small letters."""
    words = _WORD.findall(text[:MAX_CHARACTERS].lower())
    return words + [f"{left} {right}" for left, right in pairwise(words)]


def letters_of(text: str) -> list[str]:
    """Return the runs of two to four letters of every word, with its borders."""
    runs: list[str] = []
    for word in text[:MAX_CHARACTERS].lower().split():
        runs.extend(_runs(word))
    return runs


def _runs(word: str) -> Iterable[str]:
    padded = f" {word} "
    for size in (2, 3, 4):
        for start in range(len(padded) - size + 1):
            yield padded[start : start + size]


class Features:
    """Fitted features; picklable, and quick for one text at a time."""

    def __init__(self, words: TfidfVectorizer, letters: TfidfVectorizer) -> None:
        self._words: dict[str, int] = {
            gram: int(place) for gram, place in words.vocabulary_.items()
        }
        shift = len(self._words)
        self._letters = {gram: int(place) + shift for gram, place in letters.vocabulary_.items()}
        self._weights: NDArray[np.float64] = np.concatenate([words.idf_, letters.idf_])
        self._remembered: dict[str, tuple[int, ...]] = {}

    def row(self, text: str) -> SparseRow:
        """Return the features of one text."""
        words = [place for gram in words_of(text) if (place := self._words.get(gram)) is not None]
        letters: list[int] = []
        for word in text[:MAX_CHARACTERS].lower().split():
            letters.extend(self._places(word))
        parts = [self._weighed(words), self._weighed(letters)]
        return SparseRow(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _places(self, word: str) -> tuple[int, ...]:
        known = self._remembered.get(word)
        if known is None:
            found = (self._letters.get(run) for run in _runs(word))
            known = tuple(place for place in found if place is not None)
            if len(self._remembered) < _REMEMBERED:
                self._remembered[word] = known
        return known

    def _weighed(self, places: list[int]) -> SparseRow:
        counts = Counter(places)
        indices = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
        values = np.log(np.fromiter(counts.values(), dtype=np.float64, count=len(counts))) + 1.0
        values *= self._weights[indices]
        length = float(np.sqrt(values @ values)) or 1.0
        return SparseRow(indices, values / length)


def fit_features(texts: Sequence[str]) -> tuple[Features, Any]:
    """Fit the features on the training questions; return them and the matrix of these questions."""
    rare = 2 if len(texts) > _MANY else 1
    words, letters = _vectorizer(words_of, rare), _vectorizer(letters_of, rare)
    padded = [text or " . " for text in texts]
    matrix = hstack([words.fit_transform(padded), letters.fit_transform(padded)]).tocsr()
    return Features(words, letters), matrix


def _vectorizer(analyzer: Callable[[str], list[str]], rare: int) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=analyzer, sublinear_tf=True, min_df=rare)
