"""Signed webhooks: the published test vector's form, rotation, and everything that must be refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest
from standardwebhooks.webhooks import Webhook

from evals.errors import CredentialError
from flows.platforms.fine_tuning.webhooks import WebhookRefusedError, verify_webhook

OLD = "whsec_" + base64.b64encode(b"promotion-emulator-test-key-0001").decode()
NEW = "whsec_" + base64.b64encode(b"promotion-emulator-test-key-0002").decode()
BODY = b'{"object":"event","id":"evt_0001","type":"fine_tuning.job.succeeded","created_at":1795243600,"data":{"id":"ftjob-0001"}}'


def sign(
    body: bytes, secret: str, *, at: float | None = None, key: str = "wh_0001"
) -> dict[str, str]:
    moment = int(at if at is not None else time.time())
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(raw, f"{key}.{moment}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": key, "webhook-timestamp": str(moment), "webhook-signature": signature}


def test_the_signature_here_is_that_of_the_published_vector() -> None:
    headers = sign(BODY, OLD, at=1795243601)
    assert headers["webhook-signature"] == "v1,mgHJwww/Hg6OU1A7NDTwYN/zmgFkZELr0dhOHTo03Ms="


def test_a_signed_delivery_names_its_job() -> None:
    event = verify_webhook(BODY, sign(BODY, OLD), [OLD])
    assert (event.type, event.job_id, event.delivery_id) == (
        "fine_tuning.job.succeeded",
        "ftjob-0001",
        "wh_0001",
    )


def test_a_delivery_signed_by_the_standard_library_is_accepted() -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    headers = {
        "Webhook-Id": "wh_2",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(OLD).sign("wh_2", now, BODY.decode()),
    }
    assert verify_webhook(BODY, headers, [OLD]).delivery_id == "wh_2"


def test_while_a_secret_is_rotated_either_fits() -> None:
    assert verify_webhook(BODY, sign(BODY, OLD), [NEW, OLD]).job_id == "ftjob-0001"
    both = sign(BODY, NEW)
    both["webhook-signature"] = (
        f"{sign(BODY, OLD)['webhook-signature']} {both['webhook-signature']}"
    )
    assert verify_webhook(BODY, both, [NEW]).job_id == "ftjob-0001"


def test_another_kind_of_event_has_no_job() -> None:
    body = json.dumps(
        {"type": "eval.run.succeeded", "id": "evt", "data": {"id": "evalrun_1"}}
    ).encode()
    event = verify_webhook(body, sign(body, OLD), [OLD])
    assert (event.job_id, event.object_id) == (None, "evalrun_1")


def test_a_kind_of_event_never_seen_before_is_read() -> None:
    body = json.dumps({"type": "moon.rose", "id": "evt", "data": None}).encode()
    assert verify_webhook(body, sign(body, OLD), [OLD]).type == "moon.rose"


@pytest.mark.parametrize("late", [-301, -3600, 400, 3600])  # time goes on while it is signed
def test_a_delivery_from_another_time_is_refused(late: int) -> None:
    with pytest.raises(WebhookRefusedError, match="timestamp"):
        verify_webhook(BODY, sign(BODY, OLD, at=time.time() + late), [OLD])


def test_whatever_is_not_signed_as_it_stands_is_refused() -> None:
    headers = sign(BODY, OLD)
    with pytest.raises(WebhookRefusedError, match="does not match"):
        verify_webhook(BODY.replace(b"0001", b"0002"), headers, [OLD])
    with pytest.raises(WebhookRefusedError, match="does not match"):
        verify_webhook(BODY, headers, [NEW])
    with pytest.raises(WebhookRefusedError, match="does not match"):
        verify_webhook(BODY, {**headers, "webhook-id": "wh_0002"}, [OLD])


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(name: str) -> None:
    headers = {key: value for key, value in sign(BODY, OLD).items() if key != name}
    with pytest.raises(WebhookRefusedError, match=f"no {name} header"):
        verify_webhook(BODY, headers, [OLD])


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"\xff\xfe", b""])
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefusedError):
        verify_webhook(body, sign(body, OLD), [OLD])


def test_a_nonsense_timestamp_or_secret_is_refused_and_not_a_crash() -> None:
    with pytest.raises(WebhookRefusedError):
        verify_webhook(BODY, {**sign(BODY, OLD), "webhook-timestamp": "soon"}, [OLD])
    with pytest.raises(WebhookRefusedError):
        verify_webhook(BODY, sign(BODY, OLD), ["whsec_%%%"])


def test_no_secret_says_which_variable_to_set() -> None:
    with pytest.raises(CredentialError, match="GATEWRIGHT_WEBHOOK_SECRETS"):
        verify_webhook(BODY, sign(BODY, OLD), ["", ""])
