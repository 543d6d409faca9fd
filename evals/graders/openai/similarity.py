"""How alike two texts are, by the measures that OpenAI's `text_similarity` names. Pure: two texts in, [0, 1] out.

Sources: rapidfuzz (weighted ratio), sacrebleu (sentence BLEU, effective order), nltk (GLEU; METEOR), rouge-score
(F-measure with stemming). METEOR is computed with exact and stemmed matches only: its synonyms would need WordNet, a
download that a gate must not depend on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

__all__ = ["LIBRARIES", "MEASURES", "cosine", "similarity"]


def similarity(measure: str, text: str, reference: str) -> float:
    """Return how alike `text` is to `reference`, in [0, 1]. Raises KeyError for an unknown measure."""
    return min(1.0, max(0.0, MEASURES[measure](text, reference)))


def cosine(left: list[float], right: list[float]) -> float:
    """Return the cosine of two vectors, in [-1, 1]; 0 when one has no length. Raises ValueError for other sizes."""
    import numpy as np

    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"expected two vectors of one size; found {a.shape} and {b.shape}")
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(np.dot(a, b) / lengths, -1.0, 1.0)) if lengths > 0 else 0.0


def _fuzzy(text: str, reference: str) -> float:
    from rapidfuzz import fuzz, utils

    return float(fuzz.WRatio(text, reference, processor=utils.default_process)) / 100.0


def _bleu(text: str, reference: str) -> float:
    return float(_bleu_scorer().sentence_score(text, [reference]).score) / 100.0


@lru_cache(maxsize=1)
def _bleu_scorer() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=True)


def _gleu(text: str, reference: str) -> float:
    from nltk.translate.gleu_score import sentence_gleu

    words, wanted = _words(text), _words(reference)
    return float(sentence_gleu([wanted], words)) if words and wanted else 0.0


def _meteor(text: str, reference: str) -> float:
    from nltk.translate.meteor_score import single_meteor_score

    words, wanted = _words(text), _words(reference)
    if not words or not wanted:
        return 0.0
    return float(single_meteor_score(wanted, words, wordnet=_NoSynonyms()))


class _NoSynonyms:
    """Stands in for WordNet and knows no synonyms."""

    def synsets(self, word: str) -> list[Any]:
        return []


def _words(text: str) -> list[str]:
    import re

    return re.findall(r"\w+|[^\w\s]", text.casefold())


def _rouge(kind: str) -> Callable[[str, str], float]:
    def score(text: str, reference: str) -> float:
        return float(_rouge_scorer(kind).score(reference, text)[kind].fmeasure)

    return score


@lru_cache(maxsize=8)
def _rouge_scorer(kind: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind], use_stemmer=True)


MEASURES: dict[str, Callable[[str, str], float]] = {
    "fuzzy_match": _fuzzy,
    "bleu": _bleu,
    "gleu": _gleu,
    "meteor": _meteor,
    "rouge_1": _rouge("rouge1"),
    "rouge_2": _rouge("rouge2"),
    "rouge_3": _rouge("rouge3"),
    "rouge_4": _rouge("rouge4"),
    "rouge_5": _rouge("rouge5"),
    "rouge_l": _rouge("rougeL"),
}
"""The measures by name."""

LIBRARIES: dict[str, str] = {
    "bleu": "sacrebleu",
    "gleu": "nltk",
    "meteor": "nltk",
    **{name: "rouge_score" for name in MEASURES if name.startswith("rouge")},
}
"""The library of each measure that needs the extra text-metrics; the others come with the default install."""
