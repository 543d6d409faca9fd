"""Which addresses are asked with certificates checked."""

from __future__ import annotations

import pytest

from flows.platforms.certificates import checks_certificates


@pytest.mark.parametrize(
    "url", ["https://a.example/v1", "HTTPS://a.example", "a.example", "", "httpx://a"]
)
def test_whatever_is_not_plain_http_is_checked(url: str) -> None:
    assert checks_certificates(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/api", "HTTP://localhost"])
def test_plain_http_has_none_to_check(url: str) -> None:
    assert not checks_certificates(url)
