"""A platform and applications for the promotion tests: everything lives in files, so that it outlives a killed process.

`Crossings` counts every boundary a promotion crosses (before and after each write to the registry, the platform and a
publisher) and kills the process at the one asked for.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from support.verdicts import stored_verdict

from evals.errors import PlatformError
from evals.gate.policy import Approval, Override
from evals.records import Candidate, Endpoint, Verdict
from flows.deployments.identity import own_tags
from flows.platforms.base import Connection, Deployment, Platform, SlotSpec
from flows.publishers.file import FileOptions, FilePublisher
from flows.registry.records import NewPointer, RunRecord
from flows.registry.store import Registry
from flows.release import publish_live
from flows.release.clearance import Promotion
from flows.release.state_machine import PromotionOutcome, promote
from flows.release.steps import SmokeResult

publish_live.PAUSE_S = 0.0  # files need no time to recover
TARGET = "triage"
SLOT = SlotSpec(slot="production", sku="GlobalStandard", capacity=10)


class Crossings:
    """Counts boundaries and remembers their names; at number `kill_at` the process dies by SIGKILL."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.kill_at = kill_at
        self.names: list[str] = []

    def cross(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, method: str) -> None:
        """Make a method of `owner` cross a boundary before and after."""
        inner = getattr(owner, method)
        name = f"{type(owner).__name__}.{method}"
        if asyncio.iscoroutinefunction(inner):

            async def awaited(*args: Any, **kwargs: Any) -> Any:
                self.cross(f"before {name}")
                result = await inner(*args, **kwargs)
                self.cross(f"after {name}")
                return result

            setattr(owner, method, awaited)
            return

        def called(*args: Any, **kwargs: Any) -> Any:
            self.cross(f"before {name} {args[1:2]}")
            result = inner(*args, **kwargs)
            self.cross(f"after {name} {args[1:2]}")
            return result

        setattr(owner, method, called)


class FilePlatform:
    """Deployments as a file of changes: what stands and the `log` of what was created and deleted are one thing.

    A change is one line in one write, so that no kill parts what was done from what is known of it.
    """

    name = "embedded"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.failing: dict[str, Exception] = {}

    @property
    def log(self) -> list[str]:
        return [f"{change['did']} {change['name']}" for change in self._changes()]

    def standing(self) -> dict[str, str]:
        """Deployment name -> model id."""
        return {name: entry["model_id"] for name, entry in self._entries().items()}

    async def deploy(
        self, name: str, model_id: str, slot: SlotSpec, *, tags: Mapping[str, str]
    ) -> Deployment:
        self._fail("deploy")
        standing = await self.get(name)
        if standing is not None:
            return standing
        entry = {"name": name, "model_id": model_id, "tags": dict(tags)}
        self._change({"did": "created", **entry})
        return self._deployment(entry)

    async def wait_ready(self, deployment: Deployment) -> Connection:
        self._fail("wait_ready")
        if await self.get(deployment.name) is None:
            raise PlatformError(f"{deployment.name} is gone", status=404)
        return self.connect(deployment.name, deployment.model_id, "production")

    def connect(self, name: str, model_id: str, slot: str) -> Connection:
        endpoint = Endpoint(
            base_url="http://127.0.0.1:1/v1", model=name, model_id=model_id, slot="production"
        )
        return Connection(endpoint=endpoint, auth=_no_headers)

    async def get(self, name: str) -> Deployment | None:
        self._fail("get")
        entry = self._entries().get(name)
        return None if entry is None else self._deployment(entry)

    async def list_deployments(self) -> tuple[Deployment, ...]:
        found = [await self.get(name) for name in sorted(self.standing())]
        return tuple(deployment for deployment in found if deployment is not None)

    async def delete(self, name: str) -> None:
        self._fail("delete")
        if name in self._entries():
            self._change({"did": "deleted", "name": name})

    def _deployment(self, entry: dict[str, Any]) -> Deployment:
        return Deployment(
            name=entry["name"],
            model_id=entry["model_id"],
            state="ready",
            slot="production",
            tags=entry["tags"],
        )

    def _fail(self, method: str) -> None:
        if method in self.failing:
            raise self.failing[method]

    def _changes(self) -> list[dict[str, Any]]:
        path = self.folder / "changes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _entries(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for change in self._changes():
            if change["did"] == "created":
                found[change["name"]] = change
            else:
                del found[change["name"]]
        return found

    def _change(self, change: dict[str, Any]) -> None:
        line = json.dumps(change).encode() + b"\n"
        descriptor = os.open(self.folder / "changes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line)
        os.close(descriptor)


async def _no_headers() -> dict[str, str]:
    return {}


class World:
    """A registry, a platform and two published files in one folder; opened again, it is as it was left."""

    def __init__(self, folder: Path, *, now: Callable[[], Any] | None = None) -> None:
        self.folder = folder
        url = f"sqlite:///{folder}/registry.db"
        self.registry = Registry.open(url) if now is None else Registry.open(url, now=now)
        self.platform = FilePlatform(folder / "platform")
        self.publishers = [
            FilePublisher(TARGET, FileOptions(path=path), folder)
            for path in ("live/pointer.json", "live/pointer.env")
        ]
        self.smoke_result = SmokeResult(asked=3, passed=True)
        self.production: Verdict | Exception | None = None
        self.measured = 0
        self.approval = Approval()
        self.override = Override()

    def close(self) -> None:
        self.registry.close()

    def judge(
        self,
        run_id: str,
        model: str,
        outcome: str = "PASS",
        *,
        candidate: Candidate | None = None,
        **other: Any,
    ) -> Verdict:
        """Start a run against what is live, and store its verdict."""
        live = self.registry.live(TARGET)
        baseline = live.model_id if live else None
        self.registry.start_run(
            RunRecord(
                run_id=run_id,
                target=TARGET,
                kind="promotion",
                requested_by="automation",
                candidate=candidate,
                candidate_model=model,
                baseline_model=baseline,
                baseline_generation=self.registry.generation(TARGET),
            )
        )
        found = stored_verdict(model, baseline, outcome, **other)
        self.registry.save_verdict(run_id, found)
        return found

    def act(self, run_id: str, model: str, **other: Any) -> Promotion:
        stored = self.registry.verdict(run_id)
        fields = {
            "run_id": run_id,
            "candidate": Candidate(model_id=model, target=TARGET),
            "slot": SLOT,
            "policy_digest": "sha256:policy",
            "evidence_digest": stored.evidence_digest if stored else "",
            "actor": "automation",
            "approval": self.approval,
            "override": self.override,
        }
        return Promotion(**{**fields, **other})

    async def promote(self, run_id: str, model: str, **other: Any) -> PromotionOutcome:
        """Promote a judged run, or a fresh one that passes."""
        if self.registry.run(run_id) is None:
            self.judge(run_id, model)
        act = other.pop("act", None) or self.act(run_id, model)
        return await promote(
            act,
            platform=cast(Platform, self.platform),  # all that a promotion asks of one
            registry=self.registry,
            publishers=self.publishers,
            smoke=self.smoke,
            measure=self.measure,
            **other,
        )

    async def smoke(self, connection: Connection) -> SmokeResult:
        return self.smoke_result

    async def measure(self, connection: Connection) -> Verdict | None:
        self.measured += 1
        if isinstance(self.production, Exception):
            raise self.production
        return self.production

    def adopt(self, model: str) -> None:
        """Say that a model is live already, deployment and all."""
        name = f"prod-{model}"
        asyncio.run(
            self.platform.deploy(name, model, SLOT, tags=own_tags(TARGET, "adopted", "production"))
        )
        self.registry.switch(
            NewPointer(
                target=TARGET,
                model_id=model,
                platform="embedded",
                endpoint=self.platform.connect(name, model, "production").endpoint,
                deployment=name,
            ),
            expected_generation=self.registry.generation(TARGET),
            actor="ana",
            reason="it runs already",
            kind="adopt",
        )

    def watched(self, kill_at: int | None = None) -> Crossings:
        """Count every boundary from here on, and die at one of them."""
        crossings = Crossings(kill_at)
        for method in ("record_step", "set_run_state", "switch", "withdraw", "save_verdict"):
            crossings.around(self.registry, method)
        for method in ("deploy", "delete"):
            crossings.around(self.platform, method)
        for publisher in self.publishers:
            crossings.around(publisher, "publish")
        return crossings

    async def read_by_applications(self) -> set[str | None]:
        """The models that the two published files name."""
        seen = [await publisher.read_back() for publisher in self.publishers]
        return {pointer.model_id if pointer else None for pointer in seen}


class BrokenPublisher:
    """A place that can't be written while a model is in `refuses`; otherwise it keeps the pointer in memory."""

    reads_back = True
    name = "broken place"

    def __init__(self, refuses: set[str]) -> None:
        self.refuses = refuses
        self.pointer: Any = None

    def problems(self) -> tuple[()]:
        return ()

    async def publish(self, pointer: Any) -> None:
        if pointer.model_id in self.refuses:
            raise ConnectionError("no route")
        self.pointer = pointer

    async def read_back(self) -> Any:
        return self.pointer

    async def withdraw(self) -> None:
        self.pointer = None
