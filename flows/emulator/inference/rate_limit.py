"""Rate limits: real ones by capacity, injected 429s, and the headers of either, in Azure's and OpenAI's form.

Azure writes resets as whole seconds, OpenAI as durations ('1s', '6m0s'); the Responses API on Azure has answered -1 and
no retry-after; some 429s say a day.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from flows.emulator.control_plane.views import requests_per_minute
from flows.emulator.gateway.errors import ServiceError, data_plane_error
from flows.emulator.inference.serving import Serving
from flows.emulator.state.documents import Flavour
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["RateLimiter"]

_STYLES = ("retry-after", "missing", "retry-after-ms", "minus-one")
_GENEROUS = (10_000, 10_000_000)


@dataclass(slots=True)
class _Window:
    """Requests and tokens of the last minute."""

    seen: deque[tuple[float, int]] = field(default_factory=deque)
    tokens: int = 0

    def forget(self, now: float) -> None:
        while self.seen and self.seen[0][0] <= now - 60.0:
            self.tokens -= self.seen.popleft()[1]


class RateLimiter:
    """Counts what each deployment or model is asked and refuses what is above its limits."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state
        self._windows: dict[str, _Window] = {}

    def admit(self, serving: Serving, tokens: int, flavour: Flavour, api: str) -> dict[str, str]:
        """Count a request (failed ones too) and return its headers. Raises 429."""
        now = self.state.clock.now()
        key = (
            serving.deployment.id if serving.deployment else f"{serving.account}:{serving.model_id}"
        )
        window = self._windows.setdefault(key, _Window())
        window.forget(now)
        requests, most = self._limits(serving)
        over_requests, over_tokens = len(window.seen) >= requests, window.tokens + tokens > most
        window.seen.append((now, tokens))
        window.tokens += tokens
        reset = max(1, int(60.0 - (now - window.seen[0][0])) + 1)
        left = (max(0, requests - len(window.seen)), max(0, most - window.tokens))
        headers = _headers((requests, most), left, reset, flavour)
        if self.state.switches.enforce_rate_limits and (over_requests or over_tokens):
            raise self._throttle_error(
                "retry-after", reset, headers, flavour, "tokens" if over_tokens else "requests", api
            )
        if self.state.chance("throttle", self.state.switches.throttle_rate):
            style: str = self.state.switches.throttle_style
            if style == "mix":
                style = _STYLES[self.state.count("throttle-style") % len(_STYLES)]
            raise self._throttle_error(style, 1, headers, flavour, "requests", api)
        return headers

    def _limits(self, serving: Serving) -> tuple[int, int]:
        if serving.deployment is None:
            return _GENEROUS
        tokens = round(serving.deployment.capacity * self.state.switches.tokens_per_unit)
        return requests_per_minute(self.state, serving.deployment), tokens

    def _throttle_error(
        self, style: str, wait: int, headers: dict[str, str], flavour: Flavour, kind: str, api: str
    ) -> ServiceError:
        wait = 86_400 if style == "day" else wait
        headers = {**headers, **_throttle_headers(style, wait, flavour)}
        if flavour == "openai":
            return data_plane_error(
                429,
                "rate_limit_exceeded",
                f"Rate limit reached for the model on {kind} per min: please try again in {wait}s.",
                flavour=flavour,
                kind=kind,
                headers=headers,
            )
        return data_plane_error(
            429,
            self.state.switches.throttle_code,
            f"Requests to the {api} Operation under Azure OpenAI API have exceeded {kind.rstrip('s')} rate limit of your"
            f" current OpenAI S0 pricing tier. Please retry after {wait} seconds.",
            flavour=flavour,
            headers=headers,
        )


def _headers(
    limits: tuple[int, int], left: tuple[int, int], reset: int, flavour: Flavour
) -> dict[str, str]:
    headers = {}
    for name, limit, remaining in zip(("requests", "tokens"), limits, left, strict=True):
        headers[f"x-ratelimit-limit-{name}"] = str(limit)
        headers[f"x-ratelimit-remaining-{name}"] = str(remaining)
        headers[f"x-ratelimit-reset-{name}"] = (
            str(reset) if flavour == "azure" else _duration(reset)
        )
    return headers


def _duration(seconds: int) -> str:
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}m{seconds % 60}s"


def _throttle_headers(style: str, wait: int, flavour: Flavour) -> dict[str, str]:
    if style == "minus-one":
        names = [
            f"x-ratelimit-{part}-{kind}"
            for part in ("limit", "remaining")
            for kind in ("requests", "tokens")
        ]
        resets = {f"x-ratelimit-reset-{kind}": "0" for kind in ("requests", "tokens")}
        return {**dict.fromkeys(names, "-1"), **resets}
    if style == "missing":
        return {}
    if style == "retry-after-ms":
        return {"retry-after-ms": str(wait * 1000), "retry-after": str(wait)}
    policy = {"policy-id": "DeploymentRatelimit-Call"} if flavour == "azure" else {}
    return {"retry-after": str(wait), **policy}
