"""Text -> sparse features: words and their pairs, and letters inside words, which carry over typos and languages."""

from __future__ import annotations

from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

__all__ = ["fit_features"]

MAX_CHARACTERS = 6_000
"""Longer questions are cut: a classifier learns nothing more, and an answer must stay quick."""


def fit_features(texts: list[str]) -> Any:
    """Fit the feature union on the training questions (sparse rows, L2-normalised in each part)."""
    union = FeatureUnion(
        [
            (
                "words",
                TfidfVectorizer(
                    ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"
                ),
            ),
            (
                "letters",
                TfidfVectorizer(
                    analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, max_features=60_000
                ),
            ),
        ]
    )
    return union.fit([clip(text) for text in texts])


def clip(text: str) -> str:
    """Cut a text to what the features look at."""
    return text[:MAX_CHARACTERS]
