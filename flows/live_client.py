"""For applications: which model is live for a target, asked of `gatewright serve`. Standard library only; may be copied.

    from flows.live_client import resolve

    live = resolve("support-triage", url="http://gatewright.internal:8710", cache_file="/var/cache/triage.json")
    client = OpenAI(base_url=live.base_url, api_key=…)
    client.chat.completions.create(model=live.model, messages=…)

Ask `resolve` before every call: only the first one waits for the service. From then on the answer is in memory, and a
thread in the background holds a request open that the service answers the moment something else goes live. While the
service is down the last known answer stays; a process started meanwhile takes it from `cache_file`, when it is given.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

__all__ = ["Live", "NotResolvedError", "resolve"]

WAIT_S = 30


class Live(NamedTuple):
    """What is live. `model` goes in the request body; `model_id` names the fine-tune behind it; `raw` is all of it."""

    model: str
    base_url: str
    model_id: str
    generation: int
    raw: dict[str, Any]


class NotResolvedError(LookupError):
    """Nothing is live, or nothing is known: the service did not answer and there is no earlier answer."""


class _Follower:
    """Follows one target; `live` is the last known answer."""

    def __init__(self, url: str, token: str | None, cache_file: str | None) -> None:
        self.live: Live | None = None
        self.problem = ""
        self._url, self._etag = url, ""
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._cache = Path(cache_file) if cache_file else None

    def begin(self, timeout_s: float) -> None:
        """Ask once, fall back to the file, and go on in the background."""
        if not self._ask(0, timeout_s) and self.live is None and self._cache is not None:
            with suppress(OSError, ValueError, KeyError):
                self.live = _read(json.loads(self._cache.read_bytes()))
        threading.Thread(target=self._follow, name="gatewright-live", daemon=True).start()

    def _follow(self) -> None:
        pause = 1.0
        while True:
            begun = time.monotonic()
            answered = self._ask(WAIT_S, WAIT_S + 10)
            pause = 1.0 if answered else min(pause * 2, 30.0)
            # A service that answers at once (nothing is live, or it is very busy) is not asked in a tight loop.
            if not answered or time.monotonic() - begun < 1.0:
                time.sleep(pause)

    def _ask(self, wait_s: int, timeout_s: float) -> bool:
        """Ask the service; returns whether it answered. What it answers last is what holds."""
        request = urllib.request.Request(f"{self._url}?wait={wait_s}", headers=self._headers)  # noqa: S310
        if self._etag:
            request.add_header("If-None-Match", self._etag)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
                content = answer.read()
                self.live, self.problem = _read(json.loads(content)), ""
                self._etag = answer.headers.get("ETag", "")
        except urllib.error.HTTPError as error:
            return self._other(error)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            self.problem = f"{self._url}: {error}"
            return False
        self._remember(content)
        return True

    def _other(self, error: urllib.error.HTTPError) -> bool:
        """304 is what is known already; 404 says that nothing is live. All else is the service being out of order."""
        with error:
            if error.code == 304:
                return True
            self.problem = f"{self._url}: {error.code} {error.read(500).decode(errors='replace')}"
            if error.code == 404:
                self.live, self._etag = None, error.headers.get("ETag", "")
            return error.code == 404

    def _remember(self, content: bytes) -> None:
        if self._cache is None:
            return
        with suppress(OSError):  # an application without a place to write still has its memory
            beside = self._cache.with_name(f".{self._cache.name}.{os.getpid()}")
            beside.write_bytes(content)
            beside.replace(self._cache)


_followers: dict[tuple[str, str | None, str | None], _Follower] = {}
_lock = threading.Lock()


def resolve(
    target: str,
    *,
    url: str,
    token: str | None = None,
    cache_file: str | None = None,
    timeout_s: float = 5.0,
) -> Live:
    """Return what is live for a target. `url` is the service's address, `token` its GATEWRIGHT_SERVE_TOKEN.

    Raises NotResolvedError when nothing is live, or when the service can't be reached and never could.
    """
    address = f"{url.rstrip('/')}/v1/targets/{quote(target, safe='')}/live"
    key = (address, token, cache_file)
    with _lock:
        follower = _followers.get(key)
        if follower is None:
            follower = _followers[key] = _Follower(address, token, cache_file)
            follower.begin(timeout_s)
    live = follower.live
    if live is None:
        raise NotResolvedError(f"{target} is not resolved: {follower.problem}")
    return live


def _read(raw: dict[str, Any]) -> Live:
    endpoint = raw["endpoint"]
    return Live(
        model=endpoint["model"],
        base_url=endpoint["base_url"],
        model_id=raw["model_id"],
        generation=raw["generation"],
        raw=raw,
    )
