"""Training examples in a suite are found, named and counted, and nothing else is."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.cases.suite_file import Suite
from evals.cases.table import CaseTable
from evals.errors import ConfigurationError
from evals.records import Case, Message
from evals.suites.curation import duplicates
from evals.suites.overlap import _pieces, normalised, similar_pairs, training_overlap

WORDS = [
    f"{a}{b}"
    for a in ("re", "un", "over", "mis", "pre", "co")
    for b in ("fund", "send", "pay", "load", "count", "order", "view", "tract", "port", "call")
]


def suite_of(texts: list[str]) -> Suite:
    cases = CaseTable(
        Case(
            id=f"c{n}",
            messages=(
                Message(role="system", content="same for all"),
                Message(role="user", content=text),
            ),
        )
        for n, text in enumerate(texts)
    )
    return Suite(
        name="s", version=1, folder=Path(), cases=cases, graders=(), tags=(), content_digest="x"
    )


def training(path: Path, texts: list[str]) -> Path:
    rows = [
        {
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": t},
                {"role": "assistant", "content": "a"},
            ]
        }
        for t in texts
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


LONG = "My card was charged twice for order 5521 and I need one charge back today, please"


def test_the_same_question_is_exact_whatever_its_dress(tmp_path: Path) -> None:
    file = training(tmp_path / "t.jsonl", ["something else", LONG.upper() + "!!", "x"])
    found = training_overlap(suite_of([LONG, "How do I pay?"]), file)
    assert [(pair.case_id, pair.line, pair.similarity) for pair in found.exact] == [("c0", 2, 1.0)]
    assert found.near == ()
    assert (found.cases, found.examples) == (2, 3)


def test_nearly_the_same_question_is_near_with_its_best_match(tmp_path: Path) -> None:
    other = LONG.replace("5521", "7788")
    file = training(
        tmp_path / "t.jsonl", [LONG.replace("today, please", "by tomorrow or so"), other]
    )
    found = training_overlap(suite_of([LONG]), file)
    assert found.exact == ()
    assert [(pair.case_id, pair.line) for pair in found.near] == [("c0", 2)]
    assert 0.7 <= found.near[0].similarity < 1


def test_another_question_about_the_same_thing_is_no_leak(tmp_path: Path) -> None:
    file = training(
        tmp_path / "t.jsonl", ["I was billed two times for one order, can you return the money?"]
    )
    found = training_overlap(suite_of([LONG]), file)
    assert (found.exact, found.near) == ((), ())


ASKING = "Classify the ticket below. Answer with exactly one label and with nothing else. Ticket: {} Label:"
MATTERS = [f"{a} {b}" for a in WORDS[:4] for b in WORDS[-4:]]


def test_the_prompts_own_words_make_no_two_questions_alike(tmp_path: Path) -> None:
    suite = suite_of([ASKING.format(text) for text in MATTERS])
    others = [ASKING.format(f"{a} {b}") for a in WORDS[20:24] for b in WORDS[30:34]]
    found = training_overlap(suite, training(tmp_path / "t.jsonl", others))
    assert (found.exact, found.near) == ((), ())
    assert duplicates(suite) == ()


def test_a_question_is_found_in_a_training_file_that_words_its_prompt_otherwise(
    tmp_path: Path,
) -> None:
    suite = suite_of([ASKING.format(text) for text in [*MATTERS, LONG]])
    others = [f"{a} {b}" for a in WORDS[20:24] for b in WORDS[30:34]]
    texts = [*others, LONG.replace("5521", "7788"), MATTERS[3]]
    for framed in (lambda text: f"You sort mail. Mail: {text}. One word!", lambda text: text):
        file = training(tmp_path / "t.jsonl", [framed(text) for text in texts])
        found = training_overlap(suite, file)
        assert [(pair.case_id, pair.line) for pair in found.exact] == [("c3", 18)]
        assert [(pair.case_id, pair.line) for pair in found.near] == [("c16", 17)]


def test_questions_that_begin_alike_by_nature_are_still_found(tmp_path: Path) -> None:
    texts = [f"How do I {a} {b}" for a in WORDS[20:24] for b in WORDS[30:34]]
    file = training(tmp_path / "t.jsonl", texts)
    found = training_overlap(suite_of([texts[5], LONG]), file)
    assert [(pair.case_id, pair.line) for pair in found.exact] == [("c0", 6)]


def test_files_of_another_shape_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        json.dumps({"item": {"ticket": LONG}}) + "\n" + json.dumps({"text": "hello there"}) + "\n"
    )
    found = training_overlap(suite_of([LONG, "Hello, there"]), path)
    assert [(pair.case_id, pair.line) for pair in found.exact] == [("c0", 1), ("c1", 2)]


def test_a_broken_training_file_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("{}\n{\n")
    with pytest.raises(ConfigurationError, match=r"t\.jsonl:2"):
        training_overlap(suite_of(["x"]), path)


TEXT = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)


@given(st.lists(TEXT, max_size=8), st.lists(TEXT, max_size=8), st.sampled_from([0.5, 0.7, 0.9]))
def test_no_pair_is_missed_and_none_invented(left, right, least) -> None:
    def share(a: str, b: str) -> float:
        one, two = _pieces(a), _pieces(b)
        return len(one & two) / len(one | two)

    wanted = {
        (i, j) for i, a in enumerate(left) for j, b in enumerate(right) if share(a, b) >= least
    }
    assert {(i, j) for i, j, _ in similar_pairs(left, right, least)} == wanted


@given(st.text())
@settings(deadline=None)
def test_normalising_twice_changes_nothing(text) -> None:
    once = normalised(text)
    assert normalised(once) == once


@pytest.mark.slow
def test_a_thousand_cases_against_two_thousand_examples_take_seconds_of_work(
    tmp_path: Path,
) -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices(WORDS, k=40)) for _ in range(3000)]
    file = training(
        tmp_path / "t.jsonl", [*texts[1000:], texts[5], texts[7].replace("refund", "resend")]
    )
    began = time.process_time()  # of this process alone: a busy machine must not fail it
    found = training_overlap(suite_of(texts[:1000]), file)
    assert time.process_time() - began < 60
    assert [pair.case_id for pair in found.exact] == ["c5"]
    assert [pair.case_id for pair in found.near] == ["c7"]
