"""Foreign text loses whatever could act on a terminal or mislead a reader, and says so."""

from __future__ import annotations

import pytest

from evals.report.facts import PromotionStep
from evals.report.sanitise import clean, cleaned, excerpt, one_line


@pytest.mark.parametrize(
    ("attack", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("\x9b2Jwiped", "wiped"),
        ("\x1b]0;without an end hides nothing", "0;without an end hides nothing"),
        ("\x1bPdevice\x1b\\ok", "ok"),
        ("back\x08\x7fspace\x00", "backspace"),
        ("\u202egnp.exe\u202c \u2066x\u2069", "gnp.exe x"),
        ("zero\u200bwidth\ufeff\u00ad", "zerowidth"),
        ("tag\U000e0041\U000e007f", "tag"),
        ("surrogate\ud83d", "surrogate"),
        ("cr\r\nlf\rx\u2028y", "cr\nlf\nx\ny"),
        ("tab\tstays, ß 漢 🙂 too", "tab\tstays, ß 漢 🙂 too"),
        ("ends in esc\x1b", "ends in esc"),
    ],
)
def test_what_could_act_is_taken_out_and_the_words_stay(attack: str, left: str) -> None:
    assert clean(attack) == left


def test_an_excerpt_says_what_was_taken_out_and_cut() -> None:
    found = excerpt("\u202eabc" + "x" * 1_000_000, 100)
    assert len(found.text) == 100
    assert found.note == (
        "1 control or invisible character removed; the first 100 of 1,000,004 characters"
    )


def test_a_harmless_text_needs_no_note() -> None:
    assert excerpt("fine\r\nso", 100).note == ""


def test_a_text_of_nothing_but_escapes_leaves_an_empty_excerpt_with_a_note() -> None:
    found = excerpt("\x1b[0m" * 500_000, 100)
    assert found.text == ""
    assert "removed" in found.note
    assert "of 2,000,000 characters" in found.note


def test_one_line_is_one_line() -> None:
    assert one_line("a\n\n b\tc" + "d" * 400, 10) == "a b cdddd…"


def test_a_whole_record_is_cleaned_down_to_its_keys() -> None:
    step = PromotionStep(step="a\x1b[1mb", state="\u202ec", at="now", detail="x" * 5000)
    found = cleaned(step)
    assert (found.step, found.state, len(found.detail)) == ("ab", "c", 2000)
