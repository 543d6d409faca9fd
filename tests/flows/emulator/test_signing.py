"""Signatures of webhooks are those of the Standard Webhooks scheme."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook

from flows.emulator.webhooks.signing import new_secret, secret_key, signature, signature_header

SECRET = "whsec_cHJvbW90aW9uLWVtdWxhdG9yLXRlc3Qta2V5LTAwMDE="
BODY = (
    b'{"object":"event","id":"evt_0001","type":"fine_tuning.job.succeeded","created_at":1795243600,'
    b'"data":{"id":"ftjob-0001"}}'
)


def test_the_known_vector_is_reproduced() -> None:
    expected = "v1,mgHJwww/Hg6OU1A7NDTwYN/zmgFkZELr0dhOHTo03Ms="
    assert signature(SECRET, "wh_0001", 1795243601, BODY) == expected


def test_the_reference_library_makes_the_same_signature() -> None:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(1795243601, UTC)
    theirs = Webhook(SECRET).sign("wh_0001", moment, BODY.decode())
    assert theirs == signature(SECRET, "wh_0001", 1795243601, BODY)


def test_two_active_secrets_make_two_signatures() -> None:
    first, second = new_secret(), new_secret()
    header = signature_header([first, second], "wh_1", 5, b"{}")
    assert header.split(" ") == [signature(one, "wh_1", 5, b"{}") for one in (first, second)]


@pytest.mark.parametrize("secret", ["", "whsec_***", "plain"])
def test_a_secret_of_another_form_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        secret_key(secret)
