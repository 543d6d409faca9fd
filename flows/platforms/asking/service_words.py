"""How a service's own words stand in our sentences: cleaned, short, with the id its support asks for and a place to look."""

from __future__ import annotations

from urllib.parse import quote

from evals.report.sanitise import one_line

__all__ = ["BEFORE_THE_SERVICE", "NO_API", "in_brackets", "look_up", "quoted"]

_LONGEST = 600  # characters of a message that a person reads
_SEARCH = "https://learn.microsoft.com/search/?terms="
BEFORE_THE_SERVICE = "a proxy, a gateway or a sign-in page answered instead of the service: check HTTPS_PROXY, NO_PROXY and the network"
"""What to do about an answer that is a web page."""
NO_API = "check the address ('endpoint' or 'base_url'), and whether a proxy, a gateway or a sign-in page answers instead of the service: HTTPS_PROXY, NO_PROXY"
"""What to do about a good answer that is not the service's."""


def quoted(message: str) -> str:
    """Return a service's words on one line, without what a terminal obeys, not longer than a person reads."""
    return one_line(message, _LONGEST)


def in_brackets(message: str, request_id: str | None) -> str:
    """Return " (the service returned: …; request id …)", as much of it as there is."""
    said = f"the service returned: {quoted(message)}" if message else ""
    traced = f"request id {request_id}" if request_id else ""
    added = "; ".join(part for part in (said, traced) if part)
    return f" ({added})" if added else ""


def look_up(code: str | None) -> str:
    """Return where Microsoft's pages on a code are found; "" for none, and for a status in a code's place."""
    if not code or code.isdigit():
        return ""
    return f"look it up: {_SEARCH}{quote(code, safe='')}"
