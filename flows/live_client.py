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
from typing import NamedTuple
from urllib.parse import quote, urlsplit

__all__ = ["Live", "NotResolvedError", "resolve"]

WAIT_S = 30


class Live(NamedTuple):
    """What is live. `model` goes in the request body; `model_id` names the fine-tune behind it."""

    model: str
    base_url: str
    model_id: str
    generation: int


class NotResolvedError(LookupError):
    """Nothing is live, or nothing is known: the service did not answer and there is no earlier answer."""


class _Follower(threading.Thread):
    """Follows one target; `live` is the last known answer."""

    def __init__(self, url: str, token: str | None, cache_file: str | None) -> None:
        super().__init__(name="gatewright-live", daemon=True)
        self.live: Live | None = None
        self.problem, self._url, self._etag = "", url, ""
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._cache = Path(cache_file) if cache_file else None
        # A service on this machine is never behind a proxy; others are where the environment says so.
        here = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
        proxies = urllib.request.ProxyHandler({} if here else None)
        self._open = urllib.request.build_opener(proxies).open

    def begin(self, timeout_s: float) -> None:
        """Ask once, fall back to the file, and go on in the background."""
        if not self._ask(0, timeout_s) and self._cache is not None:
            with suppress(OSError, ValueError, KeyError, TypeError):
                self.live = _read(self._cache.read_bytes())
        self.start()

    def run(self) -> None:
        pause = 1.0
        while True:
            begun = time.monotonic()
            answered = self._ask(WAIT_S, WAIT_S + 10)
            pause = 1.0 if answered else min(pause * 2, 30.0)
            # A service that answers at once (nothing is live, or it is very busy) is not asked in a tight loop.
            if not answered or time.monotonic() - begun < 1.0:
                time.sleep(pause)

    def _ask(self, wait_s: int, timeout_s: float) -> bool:
        """Ask the service; returns whether it answered. 304 is what is known already; all it can't say leaves that."""
        headers = {**self._headers, "If-None-Match": self._etag}
        request = urllib.request.Request(f"{self._url}?wait={wait_s}", headers=headers)  # noqa: S310
        try:
            with self._open(request, timeout=timeout_s) as answer:
                content, etag = answer.read(), answer.headers.get("ETag", "")
            self.live, self._etag = _read(content), etag
        except urllib.error.HTTPError as error:
            with error:
                body = error.read(500).decode(errors="replace")
            nothing = error.code == 404 and "nothing_live" in body  # a proxy's own 404 says nothing
            if nothing:
                self.live, self._etag = None, error.headers.get("ETag", "")
            if error.code != 304:
                self.problem = f"{self._url}: {error.code} {body}"
            return nothing or error.code == 304
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            self.problem = f"{self._url}: {error}"
            return False
        self._remember(content)
        return True

    def _remember(self, content: bytes) -> None:
        if self._cache is not None:
            with suppress(OSError):  # an application without a place to write still has its memory
                beside = self._cache.with_name(f".{self._cache.name}.{os.getpid()}")
                beside.write_bytes(content)
                beside.replace(self._cache)


def _read(content: bytes) -> Live:
    raw = json.loads(content)
    at = raw["endpoint"]
    return Live(at["model"], at["base_url"], raw["model_id"], raw["generation"])


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
        if key not in _followers:
            _followers[key] = _Follower(*key)
            _followers[key].begin(timeout_s)
    live = _followers[key].live
    if live is None:
        raise NotResolvedError(f"{target} is not resolved: {_followers[key].problem}")
    return live
