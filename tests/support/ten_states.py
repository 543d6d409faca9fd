"""Targets in every state that one can be in, on one account of the emulator, by what the registry is told alone."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from support.azure import HERE, Account
from support.clock import Clock
from support.emulator import TrainedModels
from support.verdicts import stored_verdict

from evals.gate.policy import load_policy
from evals.records import Endpoint, Verdict
from flows.deployments.identity import own_tags, slot_name
from flows.orchestration.this_process import HolderName, new_holder, read_holder
from flows.registry.frozen import FrozenBaseline
from flows.registry.records import NewPointer, RunKind, RunRecord
from flows.registry.regression_outcomes import RegressionOutcome, RegressionWord
from flows.registry.store import Registry

__all__ = ["TenStates"]

TARGET: dict[str, Any] = {
    "version": 1,
    "platform": "azure_openai",
    "suites": ["routing"],
    "gate": "router",
    "slots": {
        "developer": {"sku": "DeveloperTier", "capacity": 10},
        "production": {"sku": "GlobalStandard", "capacity": 10},
    },
}


@dataclass
class TenStates:
    """What happened to some targets; `registry` is opened with a clock that tests move."""

    account: Account
    models: TrainedModels
    registry: Registry
    clock: Clock

    @property
    def model(self) -> str:
        return self.models.first.model_id or ""

    @property
    def other(self) -> str:
        return self.models.second.model_id or ""

    def written(self, name: str, **changes: Any) -> str:
        """Write a target's file."""
        url = self.account.emulator.url
        block = {**HERE, "endpoint": url, "arm_endpoint": url, **changes.pop("azure_openai", {})}
        self.account.project.write_target(
            name, {**TARGET, "name": name, "azure_openai": block, **changes}
        )
        return name

    def live(self, name: str, *, stands: bool = True, **changes: Any) -> str:
        """A target whose model is live in a deployment of its own."""
        self.written(name, **changes)
        deployment = f"{name}-production"
        if stands:
            tags = {**own_tags(name, f"{name}-0", "production"), "gatewright": "production"}
            self.account.made_by_hand(deployment, self.model, **tags)
        self.pointed(name, deployment)
        return name

    def pointed(
        self,
        name: str,
        deployment: str | None,
        platform: str = "azure_openai",
        *,
        model: str = "",
    ) -> None:
        """Have the record say that a model is live, whether it stands or not."""
        model = model or self.model
        endpoint = Endpoint(base_url="http://127.0.0.1:1/v1", model=self.model, model_id=self.model)
        self.registry.switch(
            NewPointer(
                target=name,
                model_id=model,
                platform=platform,
                endpoint=endpoint,
                deployment=deployment,
            ),
            expected_generation=self.registry.generation(name),
            actor="ana",
            reason="ran already",
            kind="adopt",
        )

    def run(
        self,
        name: str,
        kind: RunKind,
        state: str,
        *,
        outcome: str = "",
        model: str = "",
        detail: str = "as told",
    ) -> str:
        """A run of a target that came to a state, judged when there is an outcome."""
        registry, run_id = self.registry, f"{name}-{kind}-{len(self.registry.runs(name, None))}"
        candidate = model or (self.model if kind == "regression" else self.other)
        baseline = None if kind == "regression" else self.model
        registry.start_run(
            RunRecord(
                run_id=run_id,
                target=name,
                kind=kind,
                requested_by="webhook",
                candidate_model=candidate,
                baseline_model=baseline,
                baseline_generation=registry.generation(name),
                policy="router",
            )
        )
        if outcome:
            registry.save_verdict(run_id, self._verdict(outcome, candidate, baseline))
        registry.set_run_state(run_id, state, detail)  # type: ignore[arg-type]
        return run_id

    def regressed(self, name: str, word: RegressionWord, *, model: str = "") -> str:
        """A regression run that was settled with a word."""
        outcomes = {"steady": "PASS", "changed": "PASS", "worse": "FAIL"}
        outcome = outcomes.get(word, "INCONCLUSIVE")
        run_id = self.run(name, "regression", "judged", outcome=outcome, model=model)
        moved = ("system fingerprint fp_2 was not seen before",) if word == "changed" else ()
        self.registry.save_regression_outcome(
            RegressionOutcome(
                outcome=word,
                run_id=run_id,
                target=name,
                model_id=model or self.model,
                why="; ".join((*moved, "as measured")),
                changes=moved,
            )
        )
        return run_id

    def frozen(self, name: str) -> None:
        """The answers of what is live were frozen."""
        self.registry.put_frozen(
            FrozenBaseline(
                frozen_id=f"fb-{name}",
                target=name,
                model_id=self.model,
                base_model=None,
                platform="azure_openai",
                deployment=None,
                generation=1,
                frozen_at=self.registry.now(),
                frozen_by="ana",
                repeats=3,
                question="sha256:q",
                kept="sha256:k",
                files=(),
                scored_by={},
                results=(),
            ),
            {},
            actor="ana",
        )

    def _verdict(self, outcome: str, candidate: str, baseline: str | None) -> Verdict:
        policy = load_policy(self.account.settings.gates / "router.yaml")
        return stored_verdict(
            candidate, baseline, outcome, policy="router", policy_digest=policy.digest
        )

    def died(self, run_id: str, name: str) -> None:
        """The process that carried a run out is dead."""
        here = read_holder(new_holder())
        holder = HolderName(socket.gethostname(), "4194999", "1", here.world, "x")
        self.registry.take_lease(run_id, name, "/".join(holder), dead=frozenset(), alone=False)

    def leftover(self, name: str) -> str:
        """The developer slot of a run that failed a while ago."""
        run_id = self.run(name, "promotion", "failed", detail="killed")
        record = self.registry.run(run_id)
        assert record is not None
        slot = slot_name(record)
        tags = {**own_tags(name, run_id, "candidate"), "gatewright": "developer"}
        self.account.made_by_hand(slot, self.other, "DeveloperTier", **tags)
        return slot

    def everything(self) -> None:
        """Make a target for every state; afterwards an hour has passed."""
        self.written("never-live")
        self.live("well")
        self.run("well", "regression", "judged", outcome="PASS")
        self.live("held")
        self.registry.hold("held", actor="bo", reason="incident 7")
        self.live("drifted")
        self.registry.drift_found(
            "drifted",
            actor="gatewright",
            reason="applications read nothing",
            marks=["x"],
            generation=1,
            model_id=self.model,
        )
        self.live("worse")
        self.run("worse", "regression", "judged", outcome="FAIL")
        self.live("expired")
        self.run("expired", "promotion", "waiting", outcome="INCONCLUSIVE")
        self.clock.pass_(hours=25)
        self.live("waits")
        self.run("waits", "promotion", "waiting", outcome="INCONCLUSIVE")
        day = (self.clock.time + timedelta(days=20)).date().isoformat()
        lifetimes = {"gpt-4.1-mini-2025-04-14": {"fine_tunes_end": day}}
        self.live("retiring", azure_openai={"lifetimes": lifetimes})
        self.live("deleted", stands=False)
        (self.account.folder / "targets" / "broken.yaml").write_text("version: 1\nname: broken\n")
        self.written(
            "away",
            platform="openai",
            openai={"base_url": "http://127.0.0.1:9/v1", "key_variable": "none"},
        )
        self.pointed("away", None, "openai")
        self.live("leftover")
        self.leftover("leftover")
        self.live("dead-run")
        self.died(self.run("dead-run", "promotion", "evaluating", detail=""), "dead-run")
        self.clock.pass_(hours=1)
