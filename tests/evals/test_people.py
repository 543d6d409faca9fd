"""One person stays one, however the name is spelled."""

from __future__ import annotations

import pytest

from evals.people import distinct, folded, is_among, same_person

SPELLINGS = {
    "capitals": "ANA Böhm",
    "spaces at the ends": "  Ana Böhm\t",
    "more spaces within": "ana  \u00a0 böhm",
    "an ideographic space": "ana\u3000böhm",
    "a letter composed of two": "ana bo\u0308hm",
    "full width": "ＡＮＡ böhm",
    "a zero-width space": "a\u200bna böhm",
    "a soft hyphen": "a\u00adna böhm",
    "a byte order mark": "\ufeffana böhm",
    "a direction mark": "\u202eana böhm\u202c",
    "a word joiner": "ana\u2060 böhm",
    "a tag character": "ana böhm\U000e0061",
    "a variation selector": "ana\ufe0f böhm",
    "a filler": "\u3164ana böhm",
    "an escape": "ana\x1b böhm",
    "a grapheme joiner": "a\u034fna böhm",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_another_spelling_is_nobody_else(spelling: str) -> None:
    assert same_person("Ana Böhm", spelling)
    assert is_among(spelling, ("ben", "Ana Böhm"))
    assert distinct(("Ana Böhm", spelling, "ben")) == ("Ana Böhm", "ben")


def test_sharp_s_and_final_sigma_fold_as_unicode_says() -> None:
    assert same_person("Weiß", "WEISS")
    assert same_person("Νίκος", "ΝΊΚΟΣ")


def test_other_names_are_other_people() -> None:
    assert not same_person("ana", "anna")
    assert not same_person("ana b", "anab")
    assert not is_among("cy", ("ana", "ben"))


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\u3164", "\x00\x1b"])
def test_a_name_that_shows_nothing_is_none(name: str) -> None:
    assert folded(name) == ""
