"""Secrets don't reach what is written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.sampling.redaction import Redactor


def test_header_values_are_secrets_with_and_without_their_scheme() -> None:
    redactor = Redactor()
    redactor.add_headers({"Authorization": "Bearer opaque-token-1", "x-tenant": "tenant-secret"})
    assert (
        redactor.text("got opaque-token-1 from tenant-secret") == "got [redacted] from [redacted]"
    )
    assert b"opaque" not in redactor.line(b'{"text":"Bearer opaque-token-1"}')


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefghijkl",
        "Authorization: Bearer abcdef0123456789",
        "api-key=0123456789abcdef",
        '"api_key": "0123456789abcdef"',
        "https://hooks.example/x?sig=0123456789abcdef",
        "wrong webhook secret whsec_0123456789abcdef",
        "password: 0123456789abcdef",
        "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln",
    ],
)
def test_what_looks_like_a_key_in_an_error_is_taken_out(text: str) -> None:
    clean = Redactor().text(text)
    assert "[redacted]" in clean
    assert "0123456789" not in clean
    assert "abcdefghijkl" not in clean


def test_a_secret_cut_in_half_is_not_shown() -> None:
    clean = Redactor(["s3cret-s3cret-s3cret"]).text("x" * 390 + "s3cret-s3cret-s3cret")
    assert "s3cret" not in clean
    assert len(clean) <= 400


def test_plain_text_is_left_alone() -> None:
    redactor = Redactor(["short"])
    assert redactor.text("a short answer about bearer bonds") == "a short answer about bearer bonds"
    line = b'{"text":"a short answer"}'
    assert redactor.line(line) is line


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=8, max_size=30), st.booleans())
def test_a_secret_is_found_in_whatever_way_json_spells_it(secret: str, ascii_only: bool) -> None:
    line = json.dumps({"text": f"before {secret} after"}, ensure_ascii=ascii_only).encode()
    redactor = Redactor([secret])
    clean = redactor.line(line)
    if secret in "before [redacted] after" or json.dumps(secret)[1:-1] in "before [redacted] after":
        return
    assert secret not in json.loads(clean)["text"]
