"""An installation with one target, `triage`, and runs that were judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from support.paths import ROOT
from support.project import Project, adopt

from evals.gate.policy import load_policy
from evals.records import CheckResult, Verdict
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["TARGET", "Story", "triage_project"]

TARGET = """\
version: 1
name: {name}
platform: embedded
suites: [support-triage]
gate: triage
watch: {{metadata: {{target: {name}}}}}
"""
GATE = """\
version: 1
name: triage
first_release: needs_approval
checks:
  - {metric: exact_match, at_least: 0.5}
on_inconclusive: needs_approval
approval: {required: 1, not_requester: true, expires_after: 24h}
override: {approvers: 2, expires_after: 7d}
"""


def triage_project(folder: Path) -> Project:
    """Write an installation of its own with one target, `triage`, on Gatewright's own suite."""
    project = Project(folder, suites=ROOT / "datasets")
    project.write_target("triage", TARGET.format(name="triage"))
    project.write_gate("triage", GATE)
    project.home.mkdir()
    return project


@dataclass
class Story:
    """What happened to a target before a test begins."""

    registry: Registry
    settings: Settings

    def live(self, model: str, target: str = "triage") -> None:
        """Make a model live on a person's word."""
        adopt(self.registry, target, model, reason="adopted")

    def judged(
        self,
        outcome: str,
        *,
        run_id: str = "triage-1",
        model: str = "model-2",
        requested_by: str = "webhook",
        state: str = "waiting",
        reason: str = "0.61 [0.42, 0.78] is not surely above 0.5",
        overridable: bool = True,
        also: tuple[CheckResult, ...] = (),
    ) -> RunRecord:
        """A promotion run that was judged against what is live."""
        registry, live = self.registry, self.registry.live("triage")
        registry.start_run(
            RunRecord(
                run_id=run_id,
                target="triage",
                kind="promotion",
                requested_by=requested_by,
                trigger={"job_id": f"ftjob-{run_id}"},
                candidate_model=model,
                baseline_model=live.model_id if live else None,
                baseline_generation=registry.generation("triage"),
                policy="triage",
            )
        )
        verdict = self.verdict(outcome, model, reason, overridable)
        verdict = msgspec.structs.replace(verdict, checks=(*verdict.checks, *also))
        registry.save_verdict(run_id, verdict)
        registry.set_run_state(run_id, state, reason)  # type: ignore[arg-type]
        found = registry.run(run_id)
        assert found is not None
        return found

    def verdict(self, outcome: str, model: str, reason: str, overridable: bool = True) -> Verdict:
        live = self.registry.live("triage")
        check = CheckResult(
            check="exact_match at_least 0.5",
            metric="exact_match",
            kind="at_least",
            threshold=0.5,
            outcome=outcome,  # type: ignore[arg-type]
            reason=reason,
            decides=True,
            suite="support-triage",
            slice={},
            n=120,
            candidate=0.61,
            lower=0.42,
            upper=0.78,
            overridable=overridable,
        )
        return Verdict(
            outcome=outcome,  # type: ignore[arg-type]
            reasons=(reason,),
            checks=(check,),
            policy="triage",
            policy_digest=load_policy(self.settings.gates / "triage.yaml").digest,
            evidence_digest=f"sha256:evidence-of-{model}",
            candidate_model=model,
            baseline_model=live.model_id if live else None,
            first_release=live is None,
        )
