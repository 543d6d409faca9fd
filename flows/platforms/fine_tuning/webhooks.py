"""Signed webhooks, verified by the openai SDK on the raw bytes before anything is read from them.

Works alike for OpenAI, Azure and the embedded platform: all three sign by Standard Webhooks. While a secret is being
rotated both are given; either may fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from evals.codec import decode
from evals.errors import CredentialError, Problem, RefusedError
from evals.records import Record

__all__ = ["WebhookEvent", "WebhookRefusedError", "verify_webhook"]

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
"""What ids of deliveries and jobs look like; they become keys, and parts of addresses that are asked."""


class WebhookRefusedError(RefusedError):
    """A delivery that is not signed by a secret of ours, too old, or not readable. Answer 400 and forget it."""


class WebhookEvent(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What was delivered. `delivery_id` is the same for a repeated delivery: the key to act upon it once only.

    `object_id` is the id of the job, eval run or batch; the payload holds nothing more of it.
    """

    delivery_id: str
    type: str
    event_id: str | None = None
    object_id: str | None = None
    created_at: int | None = None

    @property
    def job_id(self) -> str | None:
        """The fine-tuning job it is about, None when it is about something else."""
        return self.object_id if self.type.startswith("fine_tuning.job.") else None


def verify_webhook(
    payload: bytes, headers: Mapping[str, str], secrets: Sequence[str]
) -> WebhookEvent:
    """Return the event when one of the secrets has signed these very bytes within five minutes of now.

    Raises WebhookRefusedError with the reason, CredentialError when no secret is configured.
    """
    usable = [secret for secret in secrets if secret]
    if not usable:
        raise CredentialError(
            Problem(
                where="GATEWRIGHT_WEBHOOK_SECRETS",
                message="expected the secret the webhook endpoint was created with; found none",
                fix="set it; while rotating, give both separated by a comma",
            )
        )
    lowered = {key.lower(): value for key, value in headers.items()}
    absent = [name for name in _HEADERS if not lowered.get(name)]
    if absent:
        raise WebhookRefusedError(f"the delivery has no {absent[0]} header: it is not signed")
    _require_signed(payload, lowered, usable)
    if not _ID.fullmatch(lowered["webhook-id"]):
        raise WebhookRefusedError(
            "the delivery's webhook-id is no id: at most 200 letters, digits and ._:-"
        )
    return _event(payload, lowered["webhook-id"])


def _require_signed(payload: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    from openai import InvalidWebhookSignatureError

    reason = ""
    for secret in secrets:
        try:
            _webhooks().unwrap(payload, dict(headers), secret=secret)
        except InvalidWebhookSignatureError as error:
            reason = str(error)
        except ValueError as error:  # what isn't UTF-8 or JSON, and a secret that isn't base64
            reason = str(error)
        except TypeError:  # from comparing it
            reason = "its signature holds other characters than base64 has"
        except (RecursionError, OverflowError):
            reason = "it is signed, and nested too deep or with numbers too large to be read"
        else:
            return
    raise WebhookRefusedError(f"the delivery is refused: {reason}")


@cache
def _webhooks() -> Any:
    from openai import OpenAI

    return OpenAI(api_key="only verifies, sends nothing").webhooks


def _event(payload: bytes, delivery_id: str) -> WebhookEvent:
    try:
        raw = decode(payload, dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise WebhookRefusedError(
            f"the delivery is signed but not a JSON object: {error}"
        ) from error
    data = raw.get("data")
    return WebhookEvent(
        delivery_id=delivery_id,
        type=str(raw.get("type") or "")[:200],
        event_id=_text(raw.get("id")),
        object_id=_id(data.get("id")) if isinstance(data, Mapping) else None,
        created_at=_moment(raw.get("created_at")),
    )


def _id(value: Any) -> str | None:
    if isinstance(value, str) and not _ID.fullmatch(value):
        raise WebhookRefusedError(
            "the delivery is signed, but its object id is invalid: expected at most 200 letters, digits and ._:-"
        )
    return _text(value)


def _moment(value: Any) -> int | None:
    return value if isinstance(value, int) and abs(value) < 2**53 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
