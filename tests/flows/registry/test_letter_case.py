"""Azure's ids name one model in any letter case: no other spelling of a barred model is let in. OpenAI's ids are exact."""

from __future__ import annotations

import pytest

TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8
KEPT = "ftchkpt-" + "0a" * 16
OPENAI = "ft:gpt-4.1-mini-2025-04-14:acme::AbCd"


@pytest.mark.parametrize("model", [TUNED, KEPT])
def test_a_revoked_model_stays_revoked_however_it_is_written(registry, model) -> None:
    registry.revoke("triage", model, actor="ana", reason="bad", run_id=None, evidence_digest=None)
    assert "revoked by ana" in str(registry.barred("triage", model.upper()))
    registry.revoke(
        "triage", model.upper(), actor="ana", reason="bad", run_id=None, evidence_digest=None
    )
    assert len(registry.barring("triage")) == 1
    registry.reinstate("triage", model.upper(), actor="ana", reason="good")
    assert registry.barred("triage", model) is None
    assert registry.barring("triage") == ()


def test_ids_of_openai_are_exact(registry) -> None:
    registry.revoke("triage", OPENAI, actor="ana", reason="bad", run_id=None, evidence_digest=None)
    assert registry.barred("triage", OPENAI) is not None
    assert registry.barred("triage", OPENAI.lower()) is None
