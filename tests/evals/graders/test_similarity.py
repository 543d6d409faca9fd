"""Text similarity agrees with the libraries it is made of, stays in [0, 1], and needs no download."""

from __future__ import annotations

import random
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.graders.openai.similarity import MEASURES, cosine, similarity

WORDS = [
    "the",
    "a",
    "refund",
    "order",
    "was",
    "is",
    "late",
    "never",
    "sent",
    "today",
    "tomorrow",
    "please",
    "running",
    "runs",
    "ran",
]
TEXTS = [
    (
        " ".join(random.Random(n).choices(WORDS, k=12)),
        " ".join(random.Random(n + 500).choices(WORDS, k=10)),
    )
    for n in range(30)
]


@pytest.mark.slow
@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_the_same_text_is_alike_and_another_is_not(measure) -> None:
    text = "Please send the refund for the late order today"
    assert similarity(measure, text, text) == pytest.approx(1.0, abs=1e-3)
    assert similarity(measure, "quite other words altogether", text) < 0.5


@given(st.sampled_from(sorted(MEASURES)), st.text(max_size=40), st.text(max_size=40))
def test_any_two_texts_have_a_likeness_in_0_to_1(measure, left, right) -> None:
    assert 0.0 <= similarity(measure, left, right) <= 1.0


def test_bleu_is_sacrebleus() -> None:
    import sacrebleu

    for text, reference in TEXTS:
        wanted = sacrebleu.sentence_bleu(text, [reference], use_effective_order=True).score / 100
        assert similarity("bleu", text, reference) == pytest.approx(wanted)


def test_rouge_is_rouge_scores() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rougeL"], use_stemmer=True)
    for text, reference in TEXTS:
        wanted = scorer.score(reference, text)
        assert similarity("rouge_1", text, reference) == pytest.approx(wanted["rouge1"].fmeasure)
        assert similarity("rouge_l", text, reference) == pytest.approx(wanted["rougeL"].fmeasure)


def test_fuzzy_match_is_rapidfuzz() -> None:
    from rapidfuzz import fuzz

    for text, reference in TEXTS:
        assert similarity("fuzzy_match", text, reference) == pytest.approx(
            fuzz.WRatio(text, reference) / 100
        )


def test_meteor_finds_stems_without_any_download(monkeypatch) -> None:
    monkeypatch.setattr(socket, "socket", None)
    assert similarity("meteor", "the order runs", "the orders running") > 0.9


def test_the_cosine_is_that_of_the_vectors() -> None:
    assert cosine([1, 0], [0, 1]) == 0.0
    assert cosine([3, 4], [6, 8]) == pytest.approx(1.0)
    assert cosine([1, 0], [-1, 0]) == -1.0
    assert cosine([0, 0], [1, 1]) == 0.0
    with pytest.raises(ValueError, match="one size"):
        cosine([1], [1, 2])


async def test_cosine_without_an_endpoint_is_unscored(grade, scripted) -> None:
    grader = {"name": "c", "type": "text_similarity", "evaluation_metric": "cosine"}
    assert (await grade(grader, "a", expected="b"))["c"].unscored
    assert (await grade(grader, "a", expected="b", model_client=scripted([], None)))["c"].unscored
    assert (await grade(grader, "a", expected="b", model_client=scripted([], [[1, 0], [-1, 0]])))[
        "c"
    ].value == 0.0
