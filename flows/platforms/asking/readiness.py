"""Asking a slot until it really answers, with the asked model: the last step of waiting.

The control plane's word is not enough: a fresh deployment answers 404 for minutes, and one that was deleted and created
again under the same name may go on answering with the old model.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Literal

import httpx

from evals.errors import PlatformError
from flows.platforms.asking.slot_client import SlotClient
from flows.platforms.base import Connection
from flows.platforms.data_plane import DataPlane
from flows.platforms.deadlines import Deadline, PollingPace, retry_after
from flows.platforms.model_names import (
    base_parts,
    is_checkpoint_id,
    is_fine_tuned,
    step_checkpoint,
)

__all__ = ["ANSWERING", "agreement", "probe_until_ready"]

_NOT_YET = frozenset({"deploymentnotfound", "deploymentnotready", "model_not_found"})
ANSWERING = frozenset(
    {
        "content_filter",
        "context_length_exceeded",
        "unsupported_parameter",
        "unsupported_value",
        "invalid_prompt",
    }
)
"""Codes of a model that is there and refuses the question."""
_SILENT_ANSWERS = 3
"""Answers in a row that must come when none of them names its model."""
_log = logging.getLogger(__name__)


def agreement(
    asked: str, answering: str | None, also: Collection[str] = ()
) -> Literal["yes", "no", "unknown"]:
    """Say whether the model an answer names is the asked one. Services may name the base, the slot, or nothing."""
    if not answering:
        return "unknown"
    names = {asked.lower(), *(name.lower() for name in also)}
    if answering.lower() in names:
        return "yes"
    if is_fine_tuned(answering):
        steps = [name for name in names if step_checkpoint(name) is not None]
        unknowable = is_checkpoint_id(asked) and (
            not also or (not steps and answering.lower().partition(":ckpt-step-")[0] in names)
        )
        return "unknown" if unknowable else "no"
    if is_fine_tuned(asked) or base_parts(answering)[0] != base_parts(asked)[0]:
        return "unknown"
    versions = {base_parts(answering)[1], base_parts(asked)[1]} - {None}
    return "no" if len(versions) > 1 else "yes"


async def probe_until_ready(
    plane: DataPlane,
    connection: Connection,
    *,
    pace: PollingPace,
    deadline: Deadline,
    also: Collection[str] = (),
) -> str:
    """Ask where the connection leads until an answer shows that its model stands there; returns what it calls itself, if anything.

    `also` are other names of the same model. Raises PlatformError when the deadline passes, saying what was seen last.
    """
    silent, model_id = 0, connection.endpoint.model_id
    async with SlotClient(plane, connection, timeout_s=pace.request) as slot:
        while True:
            answering, reason, again, asked_wait = await _probe(slot)
            verdict = agreement(model_id, answering, also) if reason is None else None
            _log.debug("%s: %s", connection.endpoint.model, reason or f"answers as {answering}")
            if verdict == "yes":
                return answering or ""
            silent = silent + 1 if verdict == "unknown" else 0
            if silent >= _SILENT_ANSWERS:
                return answering or ""
            seen = reason or _said(answering)
            if not await deadline.pause(asked_wait or pace.probe, seen, again):
                raise _never_ready(connection, reason, answering, deadline)


async def _probe(slot: SlotClient) -> tuple[str | None, str | None, str, float | None]:
    """Return (model named by the answer, why there is none, the same shorter, seconds the server asks to wait)."""
    try:
        answer = await slot.ping()
    except PlatformError as error:
        status, code = error.status, (error.code or "").lower()
        if status == 400 and code in ANSWERING:
            return None, None, "", None
        if not _passing(status, code):
            raise
        cause = error.__cause__
        headers = cause.response.headers if isinstance(cause, httpx.HTTPStatusError) else {}
        said = f"HTTP {status}: {error.message}" if status else error.message
        again = " ".join(filter(None, (f"HTTP {status}" if status else "", error.code)))
        return None, said, again, _bounded(retry_after(headers))
    named = answer.get("model")
    return named if isinstance(named, str) else None, None, "", None


def _passing(status: int | None, code: str) -> bool:
    if code in _NOT_YET or status is None:
        return True
    if code == "insufficient_quota":
        return False
    return status in {408, 409, 429} or status >= 500


def _said(answering: str | None) -> str:
    return f"it answers with {answering or 'an unnamed model'}"


def _bounded(seconds: float | None) -> float | None:
    # some answers ask for a whole day: the deadline decides, not they
    return None if seconds is None else min(seconds, 60.0)


def _never_ready(
    connection: Connection, reason: str | None, answering: str | None, deadline: Deadline
) -> PlatformError:
    seen = reason or _said(answering)
    model, model_id = connection.endpoint.model, connection.endpoint.model_id
    return PlatformError(
        f"{model} did not answer with {model_id} within {deadline.seconds:.0f} s: {seen}",
        code="NotReady",
        hint="nothing was switched; run it again, or delete the slot and deploy anew",
    )
