"""Reading what came over the wire, trusting none of it: JSON, counts, and the many shapes of an error body."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec

from evals.codec import decode
from evals.sampling.endpoint import error_bodies
from evals.sampling.endpoint.error_bodies import decoded

__all__ = ["Fault", "count", "read_fault", "read_json"]

_LARGEST = 2**53
_UNRECOGNISED = re.compile(r"Unrecognized request arguments? supplied: ([a-z_]+)", re.ASCII)


class Fault(NamedTuple):
    """An error body in one form. `filtered` is a sentence when a content filter refused, else empty."""

    code: str | None
    message: str
    type: str | None = None
    parameter: str | None = None
    filtered: str = ""
    unrecognised: str | None = None


def read_json(body: bytes) -> Any:
    """Return the parsed body, or None when it is not JSON. Lone surrogates, which models do emit, become U+FFFD."""
    try:
        return decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    try:
        return _replace_surrogates(json.loads(body))
    except (ValueError, RecursionError):
        return None


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_replace_surrogates(key): _replace_surrogates(item) for key, item in value.items()}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def count(value: Any) -> int:
    """Return a token count, 0 when it is not a credible whole number."""
    return value if type(value) is int and 0 <= value < _LARGEST else 0


def read_fault(data: Any, body: bytes) -> Fault:
    """Return code, message and parameter of an error body, whatever its shape; `body` is quoted when it is not JSON."""
    found = error_bodies.read_fault(decoded(body) if data is None else data)
    if not isinstance(data, dict):
        said = f"a web page: {found.message}" if found.page else found.message
        return Fault(found.code, said[:400] or "empty body")
    error = data.get("error", data)
    if not isinstance(error, dict):
        return Fault(found.code, found.message or str(error))
    code, kind, message = found.code, _text(error.get("type")), found.message or "no message"
    unrecognised = _UNRECOGNISED.match(message)
    return Fault(
        code,
        message,
        kind,
        _text(error.get("param")),
        _filter_message(error, code, message),
        unrecognised[1] if unrecognised else None,
    )


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _filter_message(error: dict[str, Any], code: str | None, message: str) -> str:
    inner = error.get("innererror", error.get("inner_error"))
    inner = inner if isinstance(inner, dict) else {}
    result = inner.get("content_filter_result", inner.get("content_filter_results"))
    by_name = code == "content_filter" or inner.get("code") == "ResponsibleAIPolicyViolation"
    if not by_name and not result:
        return ""
    hits = [_hit(*item) for item in result.items()] if isinstance(result, dict) else []
    named = ", ".join(hit for hit in hits if hit)
    return f"content filter: {named}" if named else f"content filter: {message}"


def _hit(category: str, verdict: Any) -> str:
    if not isinstance(verdict, dict) or not (verdict.get("filtered") or verdict.get("detected")):
        return ""
    severity = verdict.get("severity")
    return f"{category} ({severity})" if severity else category
