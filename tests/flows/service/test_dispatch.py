"""From a webhook to one flow run."""

from __future__ import annotations

from typing import Any


def test_a_finished_fine_tune_starts_its_promotion_once(
    service: Any, platform: Any, prefect: Any
) -> None:
    job = platform.fine_tune({"target": "triage"})
    answer = service.post(job.id)
    assert (answer.status_code, answer.json()) == (200, {"status": "kept", "id": "wh_1"})
    assert "triage: flow run" in service.outcome("wh_1")
    assert prefect.keys == [f"triage:{job.id}"]
    assert prefect.by_key(f"triage:{job.id}")["parameters"] == {
        "target": "triage",
        "job_id": job.id,
        "requested_by": "webhook",
    }
