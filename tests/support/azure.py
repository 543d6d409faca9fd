"""The target `router` on the emulator's Azure account, and the ways through it."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import pytest
from support.emulator import QUICK, WORDS, question
from support.project import CommandResult, Project
from support.waiting import PATIENCE_S, wait_until

from evals.records import LivePointer, Response
from evals.sampling.journal.journal import Journal
from flows.cli import run as run_command
from flows.emulator.server import Emulator
from flows.evaluation import steps
from flows.evaluation.request import request_run, resolve
from flows.platforms.azure import azure_openai
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry
from flows.registry.records import RunKind, RunRecord, Step
from flows.registry.store import Registry
from flows.release import go_live
from flows.release.state_machine import PromotionOutcome
from flows.settings import Settings, load_settings

ARM = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/embedded"
    "/providers/Microsoft.CognitiveServices/accounts/embedded/deployments"
)
HERE = {
    "subscription": "00000000-0000-0000-0000-000000000000",
    "resource_group": "embedded",
    "account": "embedded",
}
TENANT = {
    "name": "partner",
    "subscription": "00000000-0000-0000-0000-0000000000cc",
    "resource_group": "partner-rg",
    "tenant": "00000000-0000-0000-0000-00000000bbbb",
}
OUR_TENANT = "00000000-0000-0000-0000-00000000aaaa"
GATE = {
    "version": 1,
    "name": "router",
    "first_release": "absolute_checks",
    "checks": [
        {"metric": "routed", "at_least": 0.5, "max_drop": 0.2},
        {"metric": "latency_p50_ms", "at_most": 60000, "measure_on": "production"},
    ],
    "on_inconclusive": "needs_approval",
    "approval": {"required": 1, "not_requester": False, "expires_after": "24h"},
    "override": {"approvers": 2, "expires_after": "7d"},
    "early_stop": False,
}
SUITE = {
    "version": 1,
    "name": "routing",
    "prompt": [{"role": "user", "content": "{{ item.text }}"}],
    "graders": [{"name": "routed", "type": "exact"}],
}


TARGET: dict[str, Any] = {
    "version": 1,
    "name": "router",
    "platform": "azure_openai",
    "suites": ["routing"],
    "gate": "router",
    "sampling": {"temperature": 0, "max_completion_tokens": 20, "concurrency": 8},
    "slots": {
        "developer": {"sku": "DeveloperTier", "capacity": 10},
        "production": {"sku": "GlobalStandard", "capacity": 10},
    },
    "promotion": {"smoke_cases": 2, "production_cases": 72},
    "publish": [{"file": {"path": "live.json"}}],
}


class Account:
    """A project with one target, `router`, and the account that it stands in."""

    def __init__(
        self, project: Project, emulator: Emulator, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.project, self.emulator, self.capsys = project, emulator, capsys
        self.folder, self.target = project.folder, dict(TARGET)
        project.write_gate("router", GATE)
        cases = (
            {"id": f"{word}-{i}", "item": {"text": question(word, i)}, "expected": word}
            for i in range(20, 44)
            for word in WORDS
        )
        project.write_suite("routing", SUITE, cases)
        self.azure()

    @property
    def settings(self) -> Settings:
        return load_settings()

    def is_set_up(self, **changes: Any) -> None:
        """Write the target file: the one before, with some blocks changed."""
        self.target |= changes
        self.project.write_target("router", self.target)

    def azure(self, **options: Any) -> None:
        """Point the target at the account (or another) in Azure's own words."""
        url = self.emulator.url
        block = {**HERE, "endpoint": url, "arm_endpoint": url, **options}
        self.is_set_up(azure_openai=block)

    def command(self, *arguments: str) -> CommandResult:
        self.capsys.readouterr()
        code = run_command(list(arguments))
        shown = self.capsys.readouterr()
        return CommandResult(code, shown.out, shown.err)

    def doctor(self, model: str) -> CommandResult:
        return self.command("doctor", "router", "--model", model)

    def begin(self, model: str = "", *, kind: RunKind = "promotion", **ref: str) -> str:
        """Record a run for a candidate; returns its id."""
        trigger = TriggerRef(model_id=model, **ref) if model else TriggerRef(**ref)
        run, _ = request_run(self.settings, "router", trigger, kind=kind, actor="ana")
        return run.run_id

    def named(self, model: str) -> TriggerRef:
        return TriggerRef(model_id=model)

    async def evaluate(self, run_id: str) -> str:
        """The steps up to the verdict; returns its outcome."""
        await resolve(self.settings, run_id)
        await steps.preflight(self.settings, run_id)
        await steps.deploy_candidate(self.settings, run_id)
        await steps.ask_round(self.settings, run_id, 1)
        return steps.conclude(self.settings, run_id).outcome

    async def promote(self, run_id: str) -> PromotionOutcome:
        """The whole way; returns the promotion's outcome."""
        assert await self.evaluate(run_id) == "PASS"
        outcome = await go_live.go_live(self.settings, run_id)
        await steps.clean_up(self.settings, run_id)
        return outcome

    def promoted(self, model: str, **ref: str) -> PromotionOutcome:
        run_id = self.begin(model, kind="promotion", **ref)
        return asyncio.run(self.promote(run_id))

    def registry(self) -> AbstractContextManager[Registry]:
        return open_registry(self.settings)

    def steps(self, run_id: str) -> list[Step]:
        with self.registry() as registry:
            return list(registry.steps(run_id))

    def run(self, run_id: str) -> RunRecord | None:
        with self.registry() as registry:
            return registry.run(run_id)

    def live(self) -> LivePointer | None:
        with self.registry() as registry:
            return registry.live("router")

    def standing(self) -> dict[str, str]:
        """Deployment name -> model id, of the default account, ours and others'."""
        found = self.arm("GET", "").json()["value"]
        return {one["name"]: one["properties"]["model"]["name"] for one in found}

    def arm(self, method: str, name: str, body: Any = None) -> httpx.Response:
        """Ask the control plane as somebody else would."""
        address = f"{self.emulator.url}{ARM}{'/' + name if name else ''}?api-version=2025-12-01"
        headers = {"Authorization": "Bearer embedded-arm-token"}
        return httpx.request(method, address, headers=headers, json=body, timeout=60)

    def made_by_hand(self, name: str, model: str, sku: str = "GlobalStandard", **tags: str) -> None:
        """Deploy something as a person does in the portal, and wait until it is there."""
        self.begun_by_hand(name, model, sku, **tags)
        wait_until(lambda: self.state(name) == "Succeeded", f"that {name} is there")

    def begun_by_hand(
        self, name: str, model: str, sku: str = "GlobalStandard", **tags: str
    ) -> None:
        """Have a person begin to deploy something."""
        body = {
            "sku": {"name": sku, "capacity": 1},
            "tags": tags,
            "properties": {"model": {"format": "OpenAI", "name": model, "version": "1"}},
        }
        assert self.arm("PUT", name, body).status_code == 201

    def state(self, name: str) -> str:
        """The provisioning state of a deployment."""
        return str(self.arm("GET", name).json()["properties"]["provisioningState"])

    def answers(self, run_id: str) -> list[Response]:
        """What a run's candidate answered, from the journal of its run."""
        with Journal.open(self.settings.run_folder(run_id) / "journal", read_only=True) as journal:
            return list(journal.responses("candidate", "routing"))


@contextmanager
def account_on(
    project: Project, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> Iterator[Account]:
    """The target `router` on the default account, in Azure's own words; the environment points at it."""
    project.more = {
        "GATEWRIGHT_EMBEDDED_URL": emulator.url,
        "GATEWRIGHT_ARM_TOKEN": "embedded-arm-token",
        "AZURE_OPENAI_API_KEY": "embedded-api-key",
        "COLUMNS": "500",
    }
    with pytest.MonkeyPatch.context() as patch:
        for key, value in project.environment.items():
            patch.setenv(key, value)
        quick = functools.partial(AzureOpenAIPlatform, pace=QUICK)
        patch.setattr(azure_openai, "AzureOpenAIPlatform", quick)
        yield Account(project, emulator, capsys)


def serve_from_partner(
    account: Account, monkeypatch: pytest.MonkeyPatch, **source_rights: Any
) -> None:
    """Serve from an account of another tenant what was trained in ours; `source_rights` are those held there."""
    emulator = account.emulator
    emulator.set(accounts=[TENANT])
    for key, value in {
        "AZURE_OPENAI_API_KEY": "partner-api-key",
        "AZURE_OPENAI_SOURCE_API_KEY": "embedded-api-key",
        "GATEWRIGHT_ARM_TOKEN": emulator.token(tenant=TENANT["tenant"]),
        "GATEWRIGHT_ARM_SOURCE_TOKEN": emulator.token(tenant=OUR_TENANT, **source_rights),
    }.items():
        monkeypatch.setenv(key, value)
    account.azure(
        account="partner",
        resource_group="partner-rg",
        subscription=TENANT["subscription"],
        tenant=TENANT["tenant"],
        endpoint=f"{emulator.url}/accounts/partner",
        source={**HERE, "endpoint": emulator.url, "tenant": OUR_TENANT},
    )


@contextmanager
def in_background() -> Iterator[Callable[[Callable[[], bool], Callable[[], Any]], None]]:
    """Do something in a thread as soon as a condition holds; wait for it at the end."""
    threads: list[threading.Thread] = []
    over = threading.Event()

    def begin(condition: Callable[[], bool], act: Callable[[], Any]) -> None:
        def wait() -> None:
            while not condition():
                if over.wait(0.005):  # how long the test takes until then is the machine's business
                    return
            act()

        threads.append(threading.Thread(target=wait, daemon=True))
        threads[-1].start()

    try:
        yield begin
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=PATIENCE_S)
