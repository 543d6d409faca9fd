"""Waits: what a service may say, understood or ignored, never a crash and never nonsense."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.sampling.pacing.backoff import (
    backoff,
    parse_duration,
    remaining_quota,
    retry_after,
    retry_after_in_message,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("1h2m3.5s", 3723.5),
        ("17", 17.0),
        ("0", 0.0),
        ("", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1s!", None),
        ("s", None),
        ("1 s", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_composed_duration_is_the_sum_of_its_parts(h: int, m: int, s: int, ms: int) -> None:
    expected = h * 3600 + m * 60 + s + ms / 1000
    assert parse_duration(f"{h}h{m}m{s}s{ms}ms") == pytest.approx(expected)


@given(st.text())
def test_any_text_is_a_finite_wait_or_none(text: str) -> None:
    for found in (
        parse_duration(text),
        retry_after_in_message(text),
        retry_after({"retry-after": text, "retry-after-ms": text, "date": text}),
    ):
        assert found is None or (found >= 0 and math.isfinite(found))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "-1", "retry-after": "9"}, 9.0),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 09:00:30 GMT",
                "date": "Fri, 20 Nov 2026 09:00:00 GMT",
            },
            30.0,
        ),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 08:00:00 GMT",
                "date": "Fri, 20 Nov 2026 09:00:00 GMT",
            },
            None,
        ),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("… exceeded token rate limit. Please retry after 17 seconds. …", 17.0),
        ("Please retry after 400 milliseconds.", 0.4),
        ("Rate limit reached. Please try again in 1.2s.", 1.2),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 350ms.", 0.35),
        ("Please try again later.", None),
    ],
)
def test_a_wait_named_in_words(message: str, seconds: float | None) -> None:
    assert retry_after_in_message(message) == (None if seconds is None else pytest.approx(seconds))


@given(st.integers(1, 10_000), st.integers())
def test_backoff_stays_within_its_bounds(attempt: int, seed: int) -> None:
    assert 0.25 <= backoff(attempt, random.Random(seed)) <= 20.0


@pytest.mark.parametrize(
    ("remaining", "limit", "believed"),
    [
        ("40", "100", 40),
        ("0", "100", 0),
        ("-1", "100", None),
        ("40", "-1", None),
        ("40", None, None),
        ("140", "100", None),
        ("many", "100", None),
        (None, "100", None),
    ],
)
def test_remaining_headers_are_believed_only_when_credible(
    remaining: str | None, limit: str | None, believed: int | None
) -> None:
    headers = {"x-ratelimit-remaining-requests": remaining, "x-ratelimit-limit-requests": limit}
    assert (
        remaining_quota({k: v for k, v in headers.items() if v is not None}, "requests") == believed
    )


@given(st.dictionaries(st.sampled_from(["remaining", "limit"]), st.text()))
def test_any_remaining_header_is_survived(values: dict[str, str]) -> None:
    headers = {f"x-ratelimit-{name}-tokens": value for name, value in values.items()}
    found = remaining_quota(headers, "tokens")
    assert found is None or found >= 0
