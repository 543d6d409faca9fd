"""One file, nothing loaded, nothing run, and readable by everyone who has to decide from it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from evals.records import NextStep
from evals.report.facts import Confusion, PromotionStep, SliceRow
from evals.report.formats.html import content_security_policy, render_html
from evals.report.view import build_view


class Page(HTMLParser):
    """Elements, attributes and texts of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def full(facts: Any, verdict: Any, check: Any, failing: Any, example: Any) -> str:
    """A page with every section on it."""
    given = facts(
        verdict=verdict("FAIL", failing, check(), check(decides=False, warnings=("few clusters",))),
        production_verdict=verdict("PASS", check()),
        examples=(
            example(),
            example(
                kind="improvement",
                expected='{"a":1}',
                candidate_text='{"a":1}',
                baseline_text='{"a":2}',
            ),
        ),
        slices=(SliceRow(suite="triage", metric="exact_match", slice={"language": "de"}, n=9),),
        confusions=(
            Confusion(suite="triage", grader="u", role="candidate", labels=("a",), counts=((1,),)),
        ),
        promotion=(PromotionStep(step="judge", state="refused", at="2026-11-21T06:01:00Z"),),
        sampling={"calls": 1200},
        next_steps=(NextStep(command="gatewright history triage"),),
        notes=("a leak",),
        live_now="v2 since Monday",
    )
    return render_html(build_view(given))


def test_hostile_text_becomes_no_element_and_no_attribute(hostile: Any) -> None:
    page = Page(render_html(build_view(hostile)))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "object", "base", "form"}
    attributes = {name for _, found in page.tags for name in found}
    assert not {name for name in attributes if name.startswith("on") or name in ("style", "src")}
    assert any("<script>document.title='owned'</script>" in word for word in page.words)


def test_no_control_or_bidi_character_reaches_the_page(hostile: Any) -> None:
    source = render_html(build_view(hostile))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", source)


def test_a_megabyte_of_answer_is_cut_with_a_note(hostile: Any) -> None:
    source = render_html(build_view(hostile))
    assert len(source) < 120_000
    assert "the first 4,000 of 1,000,000 characters" in source


def test_text_of_a_run_is_no_template(hostile: Any) -> None:
    assert "{{ 7*7 }}" in "".join(Page(render_html(build_view(hostile))).words)


def test_nothing_is_loaded_and_the_policy_allows_this_very_style_only(full: str) -> None:
    page = Page(full)
    assert all(
        (found["href"] or "").startswith(("#", "data:"))
        for tag in ("a", "link")
        for found in page.all(tag)
    )
    style = full.partition("<style>")[2].partition("</style>")[0]
    policy = next(found["content"] for found in page.all("meta") if "http-equiv" in found)
    assert policy == content_security_policy(style)
    assert "default-src 'none'" in str(policy)
    assert "unsafe" not in str(policy)
    assert "url(http" not in style
    assert "@import" not in style


def test_tables_have_captions_and_scoped_headings(full: str) -> None:
    page = Page(full)
    assert len(page.all("table")) == len(page.all("caption")) > 5
    assert all("scope" in found for found in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    assert all(found.get("aria-label") for found in page.all("svg") if found.get("role") == "img")


def test_headings_never_skip_a_level(full: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(full).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_outcome_is_a_word_and_not_only_a_colour(full: str) -> None:
    words = " ".join(Page(full).words)
    assert all(word in words for word in ("REFUSED", "FAIL", "PASS", "shadow, does not decide"))


def test_links_lead_to_places_that_exist(full: str) -> None:
    page = Page(full)
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    assert {(found["href"] or "")[1:] for found in page.all("a")} <= set(ids)


def test_a_run_without_a_verdict_still_has_a_page(facts: Any) -> None:
    assert "No verdict was reached" in render_html(build_view(facts(suite_results=())))


def _palettes() -> list[dict[str, str]]:
    css = files("evals.report.formats").joinpath("report.css").read_text()
    blocks = re.findall(r":root\{(.*?)\}", css, re.DOTALL)
    return [dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", block)) for block in blocks]


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", _palettes(), ids=["light", "dark", "print"])
def test_all_text_has_the_contrast_that_wcag_aa_asks_for(palette: dict[str, str]) -> None:
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("paper", "faint")]
    pairs += [
        (tone, ground)
        for tone in ("pass", "fail", "undecided", "error", "plain")
        for ground in (f"{tone}-wash", "paper")
    ]
    for text, ground in pairs:
        light, dark = sorted((_luminance(palette[text]), _luminance(palette[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
