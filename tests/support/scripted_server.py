"""A tiny HTTP server that answers by a script, and platforms pointed at it or at the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from support.emulator import QUICK

from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.options import read_options
from flows.platforms.embedded import EmbeddedPlatform, open_embedded

__all__ = [
    "ACCOUNT",
    "HASTY",
    "OPTIONS",
    "OTHER",
    "TUNED",
    "Scripted",
    "Seen",
    "azure_at",
    "embedded_at",
    "shown",
]

HASTY = replace(QUICK, poll=0.01, probe=0.01, attempts=4, first_pause=0.01)
OPTIONS = {"subscription": "sub-1", "resource_group": "acme-ai", "account": "acme-swc"}
ACCOUNT = "/subscriptions/sub-1/resourceGroups/acme-ai/providers/Microsoft.CognitiveServices/accounts/acme-swc"
TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8
OTHER = "gpt-4.1-mini-2025-04-14.ft-" + "ab12" * 8


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    target: str = ""
    """Path and query byte for byte."""


Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class Scripted:
    """Answers by 'METHOD /path' from lists of replies; the last one repeats. A callable is asked each time."""

    url: str = ""
    replies: dict[str, list[Any]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def on(self, what: str, *replies: Reply | Callable[[Seen], Reply]) -> None:
        self.replies[what] = list(replies)

    def asked(self, what: str) -> list[Seen]:
        return [one for one in self.seen if f"{one.method} {one.path}" == what]

    async def handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        body = json.loads(raw) if raw and b"multipart" not in raw[:40] and raw[:1] in b"{[" else raw
        seen = Seen(
            request.method,
            request.path,
            dict(request.query),
            request.headers.copy(),
            body,
            request.raw_path,
        )
        self.seen.append(seen)
        script = self.replies.get(f"{request.method} {request.path}")
        if script is None:
            return web.json_response(
                {"error": {"code": "ResourceNotFound", "message": "none"}}, status=404
            )
        reply = script[0] if len(script) == 1 else script.pop(0)
        status, content, *more = reply(seen) if callable(reply) else reply
        if status == 0:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        headers = {
            key: value.replace("{url}", self.url)
            for key, value in (more[0] if more else {}).items()
        }
        if isinstance(content, bytes):  # what is no JSON goes out as it is
            return web.Response(status=status, body=content, headers=headers)
        text = None if content is None else json.dumps(content).replace("{url}", self.url)
        return web.Response(
            status=status, text=text, content_type="application/json", headers=headers
        )


def azure_at(url: str, env: Mapping[str, str] | None = None, **options: Any) -> AzureOpenAIPlatform:
    given = {**OPTIONS, "endpoint": url, "arm_endpoint": url, **options}
    credentials = {"GATEWRIGHT_ARM_TOKEN": "arm-1", "AZURE_OPENAI_API_KEY": "key-1", **(env or {})}
    return AzureOpenAIPlatform(read_options(given), credentials, pace=HASTY)


def shown(
    name: str = "cand-1",
    model: str = TUNED,
    state: str = "Succeeded",
    sku: str = "DeveloperTier",
    capacity: int = 100,
    tags: Mapping[str, str] | None = None,
    version: str = "1",
) -> dict[str, Any]:
    """A deployment as the control plane writes it, ours unless `tags` says otherwise."""
    return {
        "id": f"{ACCOUNT}/deployments/{name}",
        "name": name,
        "type": "Microsoft.CognitiveServices/accounts/deployments",
        "etag": '"1"',
        "sku": {"name": sku, "capacity": capacity},
        "tags": {"gatewright": "developer"} if tags is None else dict(tags),
        "systemData": {"createdAt": "2026-11-20T09:00:00Z"},
        "properties": {
            "model": {"format": "OpenAI", "name": model, "version": version},
            "currentCapacity": capacity,
            "provisioningState": state,
        },
    }


def embedded_at(url: str, env: Mapping[str, str] | None = None, **options: Any) -> EmbeddedPlatform:
    """The embedded platform in a hurry."""
    return open_embedded(
        options,
        {"GATEWRIGHT_EMBEDDED_URL": url, **(env or {})},
        pace=HASTY,
    )
