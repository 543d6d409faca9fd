"""What tests tell a registry, in a few words each."""

from __future__ import annotations

from support.verdicts import stored_verdict

from evals.records import Endpoint, Verdict
from flows.registry.records import NewPointer, RunRecord
from flows.registry.store import Registry

__all__ = ["Story"]


class Story:
    """What tests say to a registry, in the words of a person."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    @staticmethod
    def endpoint(model: str) -> Endpoint:
        return Endpoint(
            base_url="http://127.0.0.1:1/v1", model=model, model_id=model, slot="production"
        )

    def pointer(self, model: str, run_id: str | None = None, target: str = "triage") -> NewPointer:
        return NewPointer(
            target=target,
            model_id=model,
            platform="embedded",
            endpoint=self.endpoint(model),
            deployment=f"prod-{model}",
            run_id=run_id,
        )

    def judged(self, run_id: str, model: str, verdict: Verdict | None = None) -> Verdict:
        """Start a run against what is live now, judge it, and let it be promoting."""
        registry = self.registry
        live = registry.live("triage")
        baseline = live.model_id if live else None
        registry.start_run(
            RunRecord(
                run_id=run_id,
                target="triage",
                kind="promotion",
                requested_by="automation",
                candidate_model=model,
                baseline_model=baseline,
                baseline_generation=registry.generation("triage"),
            )
        )
        verdict = verdict or stored_verdict(model, baseline)
        registry.save_verdict(run_id, verdict)
        registry.set_run_state(run_id, "promoting")
        return verdict

    def promote(self, run_id: str, model: str) -> None:
        """Make a model live the way a promotion does."""
        self.judged(run_id, model)
        self.registry.switch(
            self.pointer(model, run_id),
            expected_generation=self.registry.generation("triage"),
            actor="automation",
            reason="PASS",
        )
        self.registry.set_run_state(run_id, "promoted")
