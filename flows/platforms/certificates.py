"""Whether a client has certificates to check: reading those of all authorities takes it some hundredths of a second."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["checks_certificates"]


def checks_certificates(url: str) -> bool:
    """Return whether a client of this address loads and checks certificates: wherever it is not plain http."""
    return urlsplit(url).scheme != "http"
