"""What a service answers when it refuses: code, message and request id, in whatever shape they come.

Azure alone has half a dozen: `error` with code and message, the same at the root, OData's `odata.error`, `Message` alone,
errors in `details` or `innererror`, a whole body as text inside of a message, `errors` as a list, XML. What stands before
the service (a proxy, a gateway, a sign-in page) answers in HTML. Nothing here knows what a code means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

import msgspec

from evals.codec import decode

__all__ = ["ServiceFault", "decoded", "is_web_page", "read_fault", "request_id"]

_DEEPEST = 6
_REQUEST_IDS = (
    "x-ms-correlation-request-id",
    "x-ms-request-id",
    "apim-request-id",
    "x-request-id",
    "request-id",
)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\s*(?:<!doctype html|<html\b|<head\b|<body\b)", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFault:
    """One error as a service put it; `inner` are those inside of it, `info` the records of `additionalInfo`.

    `message` is whole and not cleaned: it is for no terminal as it is. `page` marks an answer that is a web page.
    """

    code: str | None = None
    message: str = ""
    info: tuple[Mapping[str, Any], ...] = ()
    inner: tuple[ServiceFault, ...] = ()
    page: bool = False

    def every(self) -> Iterator[ServiceFault]:
        """Yield this error and those inside, from the outside to the inside."""
        yield self
        for one in self.inner:
            yield from one.every()


def decoded(content: bytes) -> Any:
    """Return a body as JSON where it is JSON, else as text; {} for an empty one."""
    text = content.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return {}
    try:
        return decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text.decode("utf-8", "replace")


def is_web_page(body: Any) -> bool:
    """True for HTML: nothing that an API answers."""
    return isinstance(body, str) and _PAGE.match(body) is not None


def read_fault(body: Any) -> ServiceFault:
    """Return the error that a body holds, whatever its shape; without code and message when it holds none."""
    return _read(body, 0)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the id by which the service's support finds a request; None when the answer has none."""
    lower = {str(name).lower(): value for name, value in headers.items()}
    for name in _REQUEST_IDS:
        found = lower.get(name, "").strip()
        if found and found.isascii() and found.isprintable() and len(found) <= 100:
            return found
    return None


def _read(body: Any, depth: int) -> ServiceFault:
    if isinstance(body, str):
        return _of_text(body, depth)
    if isinstance(body, list):
        return _read(body[0], depth) if body and depth < _DEEPEST else ServiceFault()
    if not isinstance(body, Mapping) or depth > _DEEPEST:
        return ServiceFault()
    keys = {str(key).lower(): value for key, value in body.items()}
    for name in ("error", "odata.error", "errors", "fault"):
        within = keys.get(name)
        if isinstance(within, Mapping | list) and within:
            return _read(within, depth + 1)
    return _of_object(keys, depth)


def _of_object(keys: Mapping[str, Any], depth: int) -> ServiceFault:
    code = next(filter(None, map(_text, map(keys.get, ("code", "errorcode", "statuscode")))), None)
    message = _message(keys)
    inner = [_read(one, depth + 1) for one in _within(keys)]
    if message.lstrip()[:1] in ("{", "[") and depth <= _DEEPEST:  # a whole body as text
        whole = _of_text(message, depth + 1)
        if whole.code:
            inner.insert(0, whole)
    error = keys.get("error")
    if isinstance(error, str) and error:
        # OAuth's form has a short name and a sentence; other services put the sentence there
        if message:
            code = code or error
        else:
            message = error
    info = tuple(_info(keys.get("additionalinfo")))
    found = tuple(one for one in inner if one.code or one.message)
    return ServiceFault(code=code, message=message, info=info, inner=found)


def _within(keys: Mapping[str, Any]) -> list[Any]:
    details = keys.get("details")
    listed = list(details) if isinstance(details, list) else [details]
    deeper = [keys.get("innererror"), keys.get("inner_error")]
    return [one for one in (*listed, *deeper) if isinstance(one, Mapping)]


def _message(keys: Mapping[str, Any]) -> str:
    for name in ("message", "error_description", "error_message", "detail", "title", "reason"):
        found = keys.get(name)
        if isinstance(found, Mapping):  # OData: {"lang": …, "value": …}
            found = found.get("value")
        if isinstance(found, list):
            found = "; ".join(str(_part(one)) for one in found[:3])
        if text := _text(found):
            return text
    return ""


def _part(item: Any) -> Any:
    return item.get("msg", item.get("message", item)) if isinstance(item, Mapping) else item


def _info(found: Any) -> Iterator[Mapping[str, Any]]:
    for one in found if isinstance(found, list) else ():
        info = one.get("info") if isinstance(one, Mapping) else None
        if isinstance(info, Mapping):
            yield info


def _of_text(text: str, depth: int) -> ServiceFault:
    stripped = text.strip()
    if stripped[:1] in ("{", "[") and depth <= _DEEPEST:
        try:
            return _read(decode(stripped), depth + 1)
        except (msgspec.DecodeError, RecursionError):
            return ServiceFault(message=stripped)
    if is_web_page(stripped):
        title = _TITLE.search(stripped)
        return ServiceFault(message=_plain(title[2] if title else ""), page=True)
    if stripped.startswith("<"):
        code, message = _element(stripped, "code"), _element(stripped, "message")
        return ServiceFault(code=code or None, message=message or _plain(stripped))
    return ServiceFault(message=stripped)


def _element(xml: str, name: str) -> str:
    found = re.search(
        rf"<(?:\w+:)?{name}\b[^>]*>(.*?)</(?:\w+:)?{name}\s*>", xml, re.IGNORECASE | re.DOTALL
    )
    return _plain(found[1]) if found else ""


def _plain(markup: str) -> str:
    return " ".join(unescape(_TAG.sub(" ", markup)).split())


def _text(value: Any) -> str | None:
    if value is None or value == "" or isinstance(value, Mapping | list | bool):
        return None
    return str(value)
