"""The steps of a promotion, each safe to do again: what is found done stays, what is missing is made.

A mark is left in the registry before and after each one. After a crash every step is taken again from the first; names
and records are derived from the run, so that a second time finds what the first one left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from evals.errors import InfrastructureError, PlatformError, RefusedError
from evals.records import LivePointer, Record, Verdict
from evals.sampling.redaction import redact_keys
from flows.deployments.identity import deployment_name, own_tags, run_of
from flows.orchestration.target_lease import held_here
from flows.platforms.base import Connection, Deployment, Platform
from flows.platforms.model_names import is_checkpoint_id, same_id, same_model
from flows.publishers.base import Publisher
from flows.registry.kept_answers import KEPT
from flows.registry.records import NewPointer
from flows.registry.store import Registry
from flows.release.clearance import Promotion, require_clear, require_consistent

__all__ = [
    "Keep",
    "Measure",
    "PromotionProcess",
    "Smoke",
    "SmokeResult",
]


class SmokeResult(Record, frozen=True, kw_only=True):
    """What the smoke test through the production endpoint came to. Nothing asked is never passed."""

    asked: int
    passed: bool
    detail: str = ""


Smoke = Callable[[Connection], Awaitable[SmokeResult]]
Measure = Callable[[Connection], Awaitable[Verdict | None]]
Keep = Callable[[], dict[str, Any]]
"""Keeps the candidate's answers for good; what it returns is put on record."""


@dataclass(frozen=True, kw_only=True)
class PromotionProcess:
    """One promotion under way, with everything its steps need."""

    act: Promotion
    platform: Platform
    registry: Registry
    publishers: Sequence[Publisher]
    smoke: Smoke
    measure: Measure
    policy_digest_now: Callable[[], str] | None = None
    changed_now: Callable[[], str] | None = None
    keep: Keep | None = None

    @property
    def deployment(self) -> str:
        """The name under which the candidate stands in production."""
        return self.act.deployment or deployment_name(self.act.target, self.act.run_id)

    def clear(self) -> Verdict:
        """Return the verdict that clears the candidate now. Raises RefusedError or WaitingError."""
        return require_clear(self.registry, self.act, self.policy_digest_now, self.changed_now)

    @contextmanager
    def step(self, name: str, **detail: Any) -> Iterator[dict[str, Any]]:
        """Leave a mark before and after; what the block puts in the yielded dict goes into the later one."""
        self.registry.record_step(self.act.run_id, name, "begun", detail, actor=self.act.actor)
        found: dict[str, Any] = {}
        try:
            yield found
        except Exception as error:
            why = {"error": f"{type(error).__name__}: {redact_keys(str(error))}"}
            self.registry.record_step(self.act.run_id, name, "failed", why, actor=self.act.actor)
            raise
        self.registry.record_step(self.act.run_id, name, "done", found, actor=self.act.actor)

    async def deploy(self) -> Connection:
        """Make the candidate stand in production and really answer."""
        # On record before it exists: a process killed in the middle leaves what a later clean-up knows it may delete.
        created = await self._will_create()
        with self.step("deploying", deployment=self.deployment, created=created):
            act = self.act
            tags = own_tags(act.target, act.run_id, "production", evidence=act.evidence_digest)
            model = act.candidate.model_id
            deployed = await self.platform.deploy(self.deployment, model, act.slot, tags=tags)
            if not same_model(model, deployed.model_id):
                raise PlatformError(f"{self.deployment} serves {deployed.model_id}, not {model}")
            self._refuse_barred(deployed)
        with self.step("ready"):
            return await self.platform.wait_ready(deployed)

    def _refuse_barred(self, deployed: Deployment) -> None:
        """Refuse a checkpoint that turns out to be a model which may not be live, under a name not known when it was judged."""
        candidate, name = self.act.candidate, deployed.shown_as
        judged = (candidate.model_id, candidate.weights_of or "")
        if not name or not is_checkpoint_id(candidate.model_id):
            return
        if any(same_id(name, one) for one in judged):
            return
        if (why := self.registry.barred(self.act.target, name)) is not None:
            raise RefusedError(f"{candidate.model_id} is {name}, which may not be live: {why}")

    async def smoke_test(self, connection: Connection) -> None:
        """Ask a few cases through the production endpoint. Raises InfrastructureError unless they pass."""
        with self.step("smoke_tested") as found:
            result = await self.smoke(connection)
            found |= {"asked": result.asked, "detail": result.detail}
            if not result.passed or result.asked < 1:
                reason = result.detail or ("nothing was asked" if result.asked < 1 else "failed")
                raise InfrastructureError(f"smoke test through the production endpoint: {reason}")

    async def measure_production(self, connection: Connection, cleared: Verdict) -> None:
        """Judge the checks that the gate measures on the production deployment, once for the run."""
        if self.registry.verdict(self.act.run_id, "production") is not None:
            return
        needed = self.act.production_checks
        if needed is None:
            needed = any(check.measure_on == "production" for check in cleared.checks)
        with self.step("measured", needed=needed) as found:
            verdict = await self.measure(connection)
            if verdict is None:
                if needed:
                    raise RefusedError("the gate measures on production, and nothing was measured")
                return
            found["outcome"] = verdict.outcome
            if verdict.outcome == "ERROR":  # not stored: the next try measures again
                raise InfrastructureError("production checks: " + "; ".join(verdict.reasons))
            require_consistent(self.act, cleared, verdict)
            self.registry.save_verdict(self.act.run_id, verdict, "production")

    def switch(self, connection: Connection, cleared: Verdict) -> LivePointer:
        """Make the candidate live by compare-and-swap. Raises StaleGenerationError when somebody was first."""
        run = self.registry.run(self.act.run_id)
        with self.step("switched") as found:
            pointer = self.registry.switch(
                NewPointer(
                    target=self.act.target,
                    model_id=self.act.candidate.model_id,
                    platform=self.platform.name,
                    endpoint=connection.endpoint,
                    deployment=self.deployment,
                    run_id=self.act.run_id,
                ),
                # The generation it was judged against, not the one of now: whoever switched since has another baseline.
                expected_generation=run.baseline_generation if run else 0,
                actor=self.act.actor,
                reason=self.act.reason or f"{cleared.outcome}: {'; '.join(cleared.reasons)}",
                kind="promotion" if cleared.baseline_model else "first_release",
                holder=held_here(self.act.run_id),
            )
            found["generation"] = pointer.generation
            return pointer

    def keep_answers(self) -> str:
        """Keep the candidate's answers, once; return how to say that it failed. What is live stays live all the same."""
        marks = self.registry.steps(self.act.run_id)
        if self.keep is None or any((one.step, one.phase) == (KEPT, "done") for one in marks):
            return ""
        try:
            with self.step(KEPT) as found:
                found |= self.keep()
        except Exception as error:
            return f", and its answers could not be kept: {redact_keys(str(error))}"
        return ""

    async def remove_own_deployment(self) -> str | None:
        """Delete what this run created, if it is not live; return what went wrong, None when nothing did."""
        if self.deployment not in self._created():
            return None
        live = self.registry.live(self.act.target)
        if live is not None and live.deployment == self.deployment:
            return None
        try:
            with self.step("removed", deployment=self.deployment):
                await self.platform.delete(self.deployment)
        except Exception as error:
            return f"deployment {self.deployment} could not be removed: {redact_keys(str(error))}"
        return None

    async def restore_deployment(self) -> str | None:
        """What has to be done before the pointer goes back; return what went wrong. Beside one another: nothing."""
        return None

    async def restore_before_waiting(self) -> str | None:
        """What has to be done before people are waited for; return what went wrong. Beside one another: nothing."""
        return None

    def outcome_note(self) -> str:
        """What the outcome's sentence says besides."""
        return ""

    async def _will_create(self) -> bool:
        if self.deployment in self._created():
            return True
        standing = await self.platform.get(self.deployment)
        if standing is None:
            return True
        if not same_model(self.act.candidate.model_id, standing.model_id):
            raise PlatformError(
                f"{self.deployment} stands already and serves {standing.model_id}; it is not this run's"
            )
        return run_of(standing) == self.act.run_id

    def _created(self) -> set[str]:
        marks = self.registry.steps(self.act.run_id)
        return {
            str(mark.detail["deployment"])
            for mark in marks
            if mark.step == "deploying" and mark.detail.get("created")
        }
