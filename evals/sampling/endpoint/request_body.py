"""Request bodies of the two APIs, and what an endpoint has taught us about the parameters it takes.

Everything but the messages is the same for all requests of a role, so it is encoded once and joined as bytes.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from evals.records import Endpoint
from evals.sampling.endpoint.responses_api import responses_fields, responses_input
from evals.sampling.request_spec import ModelRequest, SamplingSettings

__all__ = ["PASSED_ON", "RequestBuilder"]

_encode = msgspec.json.Encoder().encode
PASSED_ON = (
    "temperature",
    "top_p",
    "max_completion_tokens",
    "stop",
    "reasoning_effort",
    "response_format",
    "tools",
    "tool_choice",
)
"""Settings that a request passes on under their own names."""
_DROPPABLE = frozenset({"temperature", "top_p", "seed"})
_SWAPPED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


class RequestBuilder:
    """Turns the requests of one role into request bodies for one endpoint.

    `version` rises whenever a refused parameter was dropped or renamed; `adjustments` says each such change in words.
    """

    def __init__(self, endpoint: Endpoint, settings: SamplingSettings) -> None:
        self.version = 0
        self.adjustments: list[str] = []
        self.url = _url(endpoint)
        self._chat = endpoint.api == "chat"
        self._fields = _fields(settings, chat=self._chat)
        self._tails: dict[int, bytes] = {}
        self._head = b'{"model":' + _encode(endpoint.model)
        self._head += b',"messages":' if self._chat else b',"input":'
        self._identity = _encode([endpoint.model_id, endpoint.slot, endpoint.api])
        # The key of an answer comes from what was meant, not from what the endpoint made us leave out.
        self._declared = dict(self._fields)

    def body(self, request: ModelRequest) -> bytes:
        """Return the request body for `request`, under the parameters known to be accepted."""
        return b"".join((self._head, self._messages(request), self._tail(request.repeat)))

    def key(self, request: ModelRequest) -> bytes:
        """Return a 32-byte digest of model id, slot kind, request (without deployment name) and repeat."""
        declared = self._declared | {"repeat": request.repeat}
        parts = (
            self._identity,
            self._messages(request),
            msgspec.json.encode(declared, order="sorted"),
        )
        return hashlib.sha256(b"\n".join(parts)).digest()

    def adapt(self, parameter: str | None, sent_version: int) -> bool:
        """Adapt to an endpoint that refused `parameter` by name; False when there is nothing to adapt.

        True also when the refused request was older than the adaption: it only has to be sent again.
        """
        if sent_version < self.version:
            return True
        if parameter in _DROPPABLE and parameter in self._fields:
            del self._fields[parameter]
            return self._changed(f"{parameter} left out: the endpoint refuses it")
        other = _SWAPPED.get(parameter or "")
        if self._chat and other and parameter in self._fields and not self._swapped():
            self._fields[other] = self._fields.pop(parameter)
            return self._changed(f"{parameter} sent as {other}: the endpoint refuses the former")
        return False

    def _swapped(self) -> bool:
        return any(" sent as " in change for change in self.adjustments)

    def _changed(self, change: str) -> bool:
        self.adjustments.append(change)
        self._tails.clear()
        self.version += 1
        return True

    def _messages(self, request: ModelRequest) -> bytes:
        return _encode(request.messages if self._chat else responses_input(request.messages))

    def _tail(self, repeat: int) -> bytes:
        tail = self._tails.get(repeat)
        if tail is None:
            fields = dict(self._fields)
            if "seed" in fields:
                fields["seed"] += repeat
            tail = self._tails[repeat] = (b"," if fields else b"") + _encode(fields)[1:]
        return tail


def _url(endpoint: Endpoint) -> str:
    path = "/chat/completions" if endpoint.api == "chat" else "/responses"
    query = f"?api-version={endpoint.api_version}" if endpoint.api_version else ""
    return endpoint.base_url.rstrip("/") + path + query


def _fields(settings: SamplingSettings, *, chat: bool) -> dict[str, Any]:
    fields = {name: getattr(settings, name) for name in PASSED_ON}
    if chat:
        fields["seed"] = settings.seed
    else:
        fields = responses_fields(fields)
    return {name: value for name, value in fields.items() if value is not None} | settings.extra
