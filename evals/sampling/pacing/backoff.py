"""How long to wait before asking again: what the service says, else our own backoff.

Headers are hints of an outside party: what is absent, negative, not finite or not understood counts as not said.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time

__all__ = [
    "backoff",
    "parse_duration",
    "remaining_quota",
    "retry_after",
    "retry_after_in_message",
    "wait_before",
]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)", re.ASCII)
_IN_MESSAGE = re.compile(
    r"(?:retry after|try again in)\s+(\d+(?:\.\d+)?)\s*(milliseconds?|ms|seconds?|s)\b",
    re.IGNORECASE,
)
_DURATION_IN_MESSAGE = re.compile(r"try again in\s+((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)", re.IGNORECASE)
_FIRST_S = 0.5
_LONGEST_S = 20.0


def parse_duration(text: str) -> float | None:
    """Return the seconds of '6m0s', '12ms', '1h2m' or a plain number of seconds; None for anything else."""
    text = text.strip()
    number = _number(text)
    if number is not None:
        return number
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        return None
    seconds = sum(float(part[1]) * _UNITS[part[2]] for part in parts)
    return seconds if math.isfinite(seconds) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a service asks us to wait (retry-after-ms, then retry-after as number or date), or None."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds:
        return milliseconds / 1000
    after = headers.get("retry-after", "")
    return (_number(after) or _until(after, headers.get("date"))) or None


def retry_after_in_message(message: str) -> float | None:
    """Return the seconds named in an error's words, which some 429s have although they lack the header."""
    found = _IN_MESSAGE.search(message)
    if found:
        value = float(found[1])
        return value / 1000 if found[2].lower().startswith("m") else value
    duration = _DURATION_IN_MESSAGE.search(message)
    return parse_duration(duration[1]) if duration else None


def backoff(attempt: int, rng: random.Random) -> float:
    """Return seconds to wait after failed attempt number `attempt` (from 1): doubling to 20 s, minus up to half."""
    longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempt - 1, 16))
    return longest * (1.0 - 0.5 * rng.random())


def wait_before(
    attempt: int, headers: Mapping[str, str], rng: random.Random, *, message: str = ""
) -> float:
    """Return the seconds until the attempt after `attempt`: what the headers say, else the message, else our backoff."""
    return retry_after(headers) or retry_after_in_message(message) or backoff(attempt, rng)


def remaining_quota(headers: Mapping[str, str], kind: str) -> int | None:
    """Return the remaining 'requests' or 'tokens' of the service's window; None when absent or not credible."""
    remaining = headers.get(f"x-ratelimit-remaining-{kind}")
    if remaining is None:
        return None
    left, limit = _whole(remaining), _whole(headers.get(f"x-ratelimit-limit-{kind}", ""))
    if left is None or not limit or left > limit:
        return None
    return left


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return float(value) if 0 <= value < math.inf else None


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _until(date: str, now: str | None) -> float | None:
    """Seconds from the service's own clock (its Date header) to `date`: ours may be wrong or may jump."""
    moment = _timestamp(date)
    if moment is None:
        return None
    here = _timestamp(now) if now else None
    return max(0.0, moment - (time() if here is None else here))


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None
