"""Takes secrets out of what is written: known values everywhere, well-known forms of keys in error texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

__all__ = ["Redactor", "redact_keys"]

_MARK = "[redacted]"
_SHORTEST = 8  # a shorter "secret" would tear holes into ordinary text
_FORMS = re.compile(
    r"(?P<lead>bearer\s+|(?:api[-_ ]?key|password)[\"']?\s*[:=]\s*[\"']?|\bsig=|\bwhsec_)[A-Za-z0-9._~+/%*=-]{6,}"
    r"|\bsk-[A-Za-z0-9_*-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?",
    re.IGNORECASE,
)


def redact_keys(text: str) -> str:
    """Return the text without anything that has the form of a key, token, signature or password."""
    return _FORMS.sub(lambda found: (found["lead"] or "") + _MARK, text)


class Redactor:
    """Knows the secrets of a run. They are learnt from the authentication headers, renewed ones included."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._texts: list[str] = []
        self._encoded: list[bytes] = []
        for secret in secrets:
            self.add(secret)

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Treat every header value as a secret, and what follows a scheme such as 'Bearer' too."""
        for value in headers.values():
            self.add(value)
            self.add(value.partition(" ")[2])

    def add(self, secret: str) -> None:
        """Redact `secret` from now on, in every spelling JSON or a URL may give it."""
        if len(secret) < _SHORTEST or secret in self._texts:
            return
        spellings = {
            secret,
            quote(secret, safe=""),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
        }
        # Longest first: a secret may be part of another one ("Bearer x" and "x").
        self._texts = sorted({*self._texts, *spellings}, key=len, reverse=True)
        self._encoded = [text.encode() for text in self._texts]

    def line(self, data: bytes) -> bytes:
        """Return encoded JSON without the known secrets."""
        for secret in self._encoded:
            if secret in data:
                data = data.replace(secret, _MARK.encode())
        return data

    def text(self, text: str, longest: int = 400) -> str:
        """Return an error text without known secrets and without anything that looks like a key, cut afterwards."""
        text = text.encode("utf-8", "replace").decode()
        for secret in self._texts:
            text = text.replace(secret, _MARK)
        text = redact_keys(text)
        return text if len(text) <= longest else text[: longest - 1] + "…"
