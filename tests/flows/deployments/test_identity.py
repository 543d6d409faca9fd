"""Our own deployments are known again by their tags, and those of others are never taken for ours."""

from __future__ import annotations

from flows.deployments.identity import belongs_to, own_tags, run_of
from flows.platforms.base import Deployment


def deployment(tags: dict[str, str]) -> Deployment:
    return Deployment(
        name="d",
        model_id="m",
        state="ready",
        slot="production",
        sku="GlobalStandard",
        capacity=1,
        tags=tags,
    )


def test_a_deployment_says_whose_it_is_and_which_run_made_it_on_which_evidence() -> None:
    tags = own_tags("triage", "run-1", "production", evidence="sha256:e")
    assert belongs_to(deployment(tags), "triage")
    assert run_of(deployment(tags)) == "run-1"
    assert "sha256:e" in tags.values()


def test_before_it_is_judged_a_deployment_carries_no_evidence() -> None:
    judged = own_tags("triage", "run-1", "candidate", evidence="sha256:e")
    assert len(judged) == len(own_tags("triage", "run-1", "candidate")) + 1


def test_a_deployment_of_another_target_or_of_somebody_else_is_not_ours() -> None:
    assert not belongs_to(deployment(own_tags("other", "run-1", "production")), "triage")
    assert not belongs_to(deployment({"gatewright-target": "triage"}), "triage")
    assert not belongs_to(deployment({}), "triage")
    assert run_of(deployment({})) == ""
