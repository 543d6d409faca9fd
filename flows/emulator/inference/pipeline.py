"""What chat completions and responses have in common: rate limits, content filter, latency, headers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from flows.emulator.gateway.requests import Caller
from flows.emulator.inference.content_filter import check_prompt
from flows.emulator.inference.generation import token_count
from flows.emulator.inference.rate_limit import RateLimiter
from flows.emulator.inference.serving import Serving
from flows.emulator.models.conversation import flat_text
from flows.emulator.state.documents import Flavour
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["InferencePipeline", "last_message_text", "service_headers", "shown_model"]


class InferencePipeline:
    """Admits inference requests and delays their answers."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state
        self.limiter = RateLimiter(state)

    def admit(
        self,
        serving: Serving,
        messages: Sequence[Mapping[str, Any]],
        limit: int | None,
        flavour: Flavour,
        api: str,
    ) -> dict[str, str]:
        """Count the request and look at its prompt; return the answer's headers. Raises 429 or 400."""
        tokens = sum(token_count(flat_text(one.get("content"))) for one in messages) + (limit or 16)
        headers = self.limiter.admit(serving, tokens, flavour, api)
        check_prompt(self.state, last_message_text(messages), flavour)
        return headers

    async def delay(self, serving: Serving, text: str) -> None:
        """Wait as long as a model would take to answer."""
        low, high = self.state.switches.latency_ms
        if high > 0:
            draw = self.state.draw("latency", serving.model_id, text, self.state.count("latency"))
            await asyncio.sleep((low + draw * (high - low)) / 1000.0)


def service_headers(
    state: EmulatorState, caller: Caller, serving: Serving, headers: dict[str, str]
) -> dict[str, str]:
    """Return the headers that name the service beside the rate-limit ones."""
    number = str(uuid.uuid4())
    if caller.flavour == "openai":
        return {
            **headers, "x-request-id": f"req_{number.replace('-', '')}", "openai-organization": "org-embedded",
            "openai-version": "2020-10-01", "openai-processing-ms": "7",
        }  # fmt: skip
    named = {"x-ms-deployment-name": serving.deployment.name} if serving.deployment else {}
    return {
        **headers, **named, "apim-request-id": number, "x-request-id": number,
        "x-ms-region": caller.account.spec.location, "x-envoy-upstream-service-time": "7",
    }  # fmt: skip


def last_message_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the last message, which the filters look at."""
    return flat_text(messages[-1].get("content")) if messages else ""


def shown_model(state: EmulatorState, serving: Serving) -> str:
    """Return the `model` that an answer names; which one it is on Azure is not settled."""
    style = state.switches.echo_model
    if style == "deployment" and serving.deployment is not None:
        return serving.deployment.name
    return serving.base if style == "base" else serving.model_id
