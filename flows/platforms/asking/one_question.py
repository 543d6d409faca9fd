"""One real question to a model that answers already: the proof that no list and no deployment can give."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from evals.errors import CredentialError, GatewrightError, PlatformError
from evals.records import Candidate, Price, Usage
from evals.report.numbers import duration
from evals.report.sanitise import one_line
from evals.sampling.budget import cost_usd
from flows.platforms.asking.readiness import ANSWERING, agreement
from flows.platforms.asking.slot_client import SlotClient
from flows.platforms.base import Connection, Finding, FindsAnsweringModels, HostingPlatform
from flows.platforms.data_plane import DataPlane

__all__ = ["asked_once", "question_finding"]

_QUESTION = "Answer with one word: ready."
_PATIENCE_S = 60.0
_IN_VAIN = frozenset({"credentials", "service", "model", "account", "lifetime"})
_SHOWN = 40  # characters of the answer


async def asked_once(
    platform: HostingPlatform,
    candidate: Candidate,
    found: Sequence[Finding],
    *,
    live: str | None = None,
) -> tuple[Finding, ...]:
    """Ask a candidate once where it answers already; nothing where it would have to be deployed first.

    `found` is what the preflight says of it: where that tells why nothing can answer, nothing is asked. `live` is the
    deployment that the target has live, which may be asked whoever made it. Never raises.
    """
    if not isinstance(platform, FindsAnsweringModels):
        return ()
    if any(one.level == "fail" and one.name in _IN_VAIN for one in found):
        return ()
    try:
        there = await platform.answering(candidate.model_id, live=live)
    except GatewrightError as error:
        return (_unanswered(candidate.model_id, error),)
    if there is None:
        return ()
    price = platform.price(candidate.model_id, candidate.base_model)
    return (await question_finding(*there, price),)


async def question_finding(
    plane: DataPlane, connection: Connection, price: Price | None
) -> Finding:
    """Ask the model behind a connection once, and report what came back, in what time and at what cost. Never raises."""
    model = connection.endpoint.model
    began = time.perf_counter()
    try:
        async with SlotClient(plane, connection, timeout_s=_PATIENCE_S) as slot:
            answer = await slot.ping(_QUESTION)
    except GatewrightError as error:
        return _unanswered(model, error)
    took = duration(time.perf_counter() - began)
    named = answer.get("model")
    if agreement(connection.endpoint.model_id, named if isinstance(named, str) else None) == "no":
        return _failed(f"{model} answers as {one_line(str(named))}", "see which model stands there")
    text = _text(answer)
    if text is None:
        return _failed(
            f"{model} answered with something that is no completion",
            "check the address: it has to speak the chat completions API",
        )
    usage = _usage(answer)
    spent = _spent(usage, price)
    return Finding(
        name="answer",
        level="ok",
        message=f"{model} answers: '{one_line(text, _SHOWN)}' after {took}; 1 request, {spent}",
    )


def _unanswered(model: str, error: GatewrightError) -> Finding:
    if isinstance(error, PlatformError):
        if error.status == 400 and (error.code or "").lower() in ANSWERING:
            message = f"{model} answers, and refuses the test question: {error.code}; 1 request"
            return Finding(name="answer", level="ok", message=message)
        passing = error.status is None or error.status in {408, 409, 429} or error.status >= 500
        return Finding(
            name="answer",
            level="warn" if error.status == 429 and error.code != "insufficient_quota" else "fail",
            message=error.message,
            fix=error.hint or "",
            outside=passing,
        )
    if isinstance(error, CredentialError):
        problem = error.problems[0]
        return _failed(f"{problem.where}: {problem.message}", problem.fix or "")
    return _failed(str(error))


def _failed(message: str, fix: str = "") -> Finding:
    return Finding(name="answer", level="fail", message=message, fix=fix)


def _text(answer: dict[str, Any]) -> str | None:
    """What the model said; "" when it said nothing, such as in a call of a tool; None for what is no completion."""
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict):
        return None
    said = message.get("content") or message.get("refusal") or ""
    return said if isinstance(said, str) else ""


def _usage(answer: dict[str, Any]) -> Usage | None:
    counts = answer.get("usage")
    if not isinstance(counts, dict):
        return None
    sent, said = counts.get("prompt_tokens"), counts.get("completion_tokens")
    if not isinstance(sent, int) or not isinstance(said, int):
        return None
    return Usage(prompt_tokens=sent, completion_tokens=said)


def _spent(usage: Usage | None, price: Price | None) -> str:
    if usage is None:
        return "its tokens were not told"
    tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
    if price is None:
        return f"{tokens}, at a price that is not known"
    return f"{tokens}, {cost_usd(price, usage):.6f} USD"
