"""Standard Webhooks signatures: HMAC-SHA256 over "{id}.{timestamp}.{body}", one `v1,<base64>` for each active secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

__all__ = ["new_secret", "secret_key", "signature", "signature_header"]


def new_secret() -> str:
    """Make a signing secret, `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_key(secret: str) -> bytes:
    """Return the key inside a secret. Raises ValueError when it is not `whsec_<base64>`."""
    if not secret.startswith("whsec_"):
        raise ValueError("a webhook secret starts with 'whsec_'")
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret holds base64 after 'whsec_'") from None


def signature(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature, `v1,<base64>`."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    mac = hmac.new(secret_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


def signature_header(
    secret_list: Iterable[str], webhook_id: str, timestamp: int, body: bytes
) -> str:
    """Return the value of the `webhook-signature` header for every active secret."""
    return " ".join(signature(secret, webhook_id, timestamp, body) for secret in secret_list)
