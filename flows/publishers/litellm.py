"""Publishes to a LiteLLM proxy: applications ask the proxy for one model name, and it is what is live that answers.

The alias is a model of the proxy, added and deleted by its admin API (the proxy needs `store_model_in_db: true` and a
database). Every generation is a model entry of its own under the same name: the new one is added before the old one is
deleted, so that the name is never unanswered. The proxy's own key for the platform is named, never sent.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from evals.addresses import checked
from evals.codec import decode
from evals.errors import Problem, PublishError
from evals.records import LivePointer, Record
from flows.publishers.http import request

__all__ = ["LitellmOptions", "LitellmPublisher"]

_MARK = "gatewright"
_NO_MODELS, _NOT_LOADED = frozenset({500}), "not loaded in"
"""How a proxy without a single model answers the question for its models."""


class LitellmOptions(Record, frozen=True, kw_only=True):
    """`url` is the proxy's address, `alias` the model name applications use (the target's name when left out).

    `admin_key_env` names our variable with the proxy's admin key. `platform_key` is how the proxy finds the platform's
    key: the name of a variable of the proxy's own environment.
    """

    url: str
    platform_key: str
    alias: str | None = None
    admin_key_env: str = "LITELLM_ADMIN_KEY"


class LitellmPublisher:
    """One model name of one proxy for one target."""

    reads_back = True

    def __init__(self, target: str, options: LitellmOptions, root: Path) -> None:
        parts = checked(options.url, where="publish", field="litellm.url", secure=True)
        self.target = target
        self._options, self._alias = options, options.alias or target
        self.name = f"litellm {parts.hostname} {self._alias}"

    def problems(self) -> tuple[Problem, ...]:
        """Return one problem when the admin key is missing."""
        if os.environ.get(self._options.admin_key_env):
            return ()
        message = f"expected the admin key of {self.name}; found nothing"
        return (Problem(where=self._options.admin_key_env, message=message),)

    async def publish(self, pointer: LivePointer) -> None:
        """Add what is live under the alias and delete what was there of ours. Raises PublishError."""
        standing, wanted = await self._standing(), self._entry(pointer)
        if not any(_same(entry, wanted) for entry in standing):
            same_id = [one for one in standing if _id(one) == wanted["model_info"]["id"]]
            for entry in same_id:  # somebody edited it in the proxy's pages
                await self._delete(entry)
            await self._send("POST", "/model/new", wanted)
        for entry in standing:
            if _pointer(entry) is not None and _id(entry) != wanted["model_info"]["id"]:
                await self._delete(entry)

    async def read_back(self) -> LivePointer | None:
        """Return what answers under the alias, None when nothing does.

        Raises PublishError when something else answers there too: who asks would get now this, now that.
        """
        standing = await self._standing()
        if not standing:
            return None
        (first, *others) = standing
        pointer = _pointer(first)
        if others or pointer is None or not _same(first, self._entry(pointer)):
            named = ", ".join(
                sorted(str(entry["litellm_params"].get("model")) for entry in standing)
            )
            raise PublishError(f"{self.name} is answered by {named}, not by what is live alone")
        return pointer

    async def withdraw(self) -> None:
        """Delete our entries under the alias; where there are none that is no error."""
        for entry in await self._standing():
            if _pointer(entry) is not None:
                await self._delete(entry)

    def _entry(self, pointer: LivePointer) -> dict[str, Any]:
        endpoint = pointer.endpoint
        spoken = "azure" if endpoint.api_version else "openai"
        params = {
            "model": f"{spoken}/{endpoint.model}",
            "api_base": endpoint.base_url,
            "api_key": f"os.environ/{self._options.platform_key}",
        }
        if endpoint.api_version:
            params["api_version"] = endpoint.api_version
        return {
            "model_name": self._alias,
            "litellm_params": params,
            "model_info": {
                "id": f"{_MARK}-{self.target}-{pointer.generation}",
                _MARK: msgspec.json.encode(pointer).decode(),
            },
        }

    async def _standing(self) -> list[dict[str, Any]]:
        found = await self._send("GET", "/model/info", None, _NO_MODELS)
        if _NOT_LOADED in str(found):
            return []
        try:
            return [entry for entry in found["data"] if entry["model_name"] == self._alias]
        except (KeyError, TypeError) as error:
            raise PublishError(f"{self.name} lists its models in an unknown way") from error

    async def _delete(self, entry: dict[str, Any]) -> None:
        await self._send("POST", "/model/delete", {"id": _id(entry)})

    async def _send(
        self, method: str, path: str, body: object, accept: frozenset[int] = frozenset()
    ) -> Any:
        headers = {
            "authorization": f"Bearer {os.environ.get(self._options.admin_key_env, '')}",
            "content-type": "application/json",
        }
        content = msgspec.json.encode(body) if body is not None else None
        url = self._options.url.rstrip("/") + path
        response = await request(
            self.name, method, url, headers=headers, content=content, accept=accept
        )
        if response.status_code in accept and _NOT_LOADED not in response.text:
            raise PublishError(
                f"{self.name} answered {response.status_code}: {response.text[:200]}"
            )
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise PublishError(f"{self.name} answered {path} with no JSON") from error


def _id(entry: dict[str, Any]) -> str:
    return str(entry["model_info"]["id"])


def _pointer(entry: dict[str, Any]) -> LivePointer | None:
    """What an entry of ours stands for; None for an entry that somebody else made."""
    try:
        return decode(entry["model_info"][_MARK], LivePointer)
    except (KeyError, TypeError, msgspec.MsgspecError):
        return None


def _same(entry: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """The proxy shows neither keys nor, for some, more than what it was told: the address and the model have to agree."""
    shown, asked = entry["litellm_params"], wanted["litellm_params"]
    agrees = all(shown.get(key) == asked.get(key) for key in ("model", "api_base", "api_version"))
    return agrees and entry["model_info"].get(_MARK) == wanted["model_info"][_MARK]
