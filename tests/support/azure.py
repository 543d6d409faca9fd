"""An Azure account of our own: the emulator with two fine-tunes, a small project beside it, and the ways through it."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows.cli import run
from flows.emulator.server import Emulator
from flows.emulator.state.documents import Deployment, Tombstone
from flows.emulator.switches import Switches
from flows.evaluation import steps as evaluating
from flows.evaluation.request import request_run, resolve
from flows.platforms import table
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.base import TriggerRef
from flows.platforms.deadlines import PollingPace
from flows.platforms.embedded import open_embedded
from flows.platforms.fine_tuning import jobs
from flows.registry.opening import open_registry
from flows.release import go_live
from flows.settings import Settings, load_settings

QUICK = PollingPace(
    request=10, poll=0.05, probe=0.05, deploy=20, delete=20, ready=20, first_pause=0.05
)
FAST = {
    "provisioning_s": 0.03,
    "deleting_s": 0.02,
    "dataplane_lag_s": 0.0,
    "arm_retry_after_s": 0,
    "quota_release_s": 0.0,
    "latency_ms": [0, 1],
}
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
WORDS = ("billing", "login", "shipping")
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


@dataclass(frozen=True)
class Trained:
    """Two finished fine-tunes, and the id of a checkpoint of the first."""

    first: jobs.Job
    second: jobs.Job
    checkpoint: str


def training_lines() -> bytes:
    rows = [
        {
            "messages": [
                {"role": "user", "content": question(word, i)},
                {"role": "assistant", "content": word},
            ]
        }
        for i in range(12)
        for word in WORDS
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


def question(word: str, number: int) -> str:
    return f"{word} question number {number}, please help"


async def _train(url: str) -> Trained:
    platform = open_embedded({}, {"GATEWRIGHT_EMBEDDED_URL": url}, pace=QUICK)
    done = []
    for suffix in ("one", "two"):
        file = await jobs.upload_file(platform, training_lines(), poll_s=0.02)
        job = await jobs.create_job(
            platform, model="gpt-4.1-mini-2025-04-14", training_file=file, suffix=suffix
        )
        done.append(await jobs.wait_finished(platform, job.id, poll_s=0.05, timeout_s=30))
    found = await jobs.checkpoints(platform, done[0].id)
    await platform.aclose()
    return Trained(done[0], done[1], found[0].id)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, Trained]]:
    with Emulator(tmp_path_factory.mktemp("azure")) as emulator, ThreadPoolExecutor(1) as thread:
        trained = thread.submit(lambda: asyncio.run(_train(emulator.url))).result()
        yield emulator, trained


@pytest.fixture
def emulator(running: tuple[Emulator, Trained]) -> Iterator[Emulator]:
    """Nothing deployed, switches at their defaults but quick, and an empty log: it forgets after 10,000 requests."""
    shared = running[0]
    shared.state.log.clear()
    shared.switches = Switches()
    shared.set(**FAST)
    yield shared
    for kind in (Deployment, Tombstone):
        for one in shared.state.store.all(kind):
            shared.state.store.delete(kind, one.id)
    shared.switches = Switches()


@pytest.fixture
def models(running: tuple[Emulator, Trained]) -> Trained:
    return running[1]


@dataclass
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Account:
    """A project with one target, `router`, and the account that it stands in."""

    folder: Path
    emulator: Emulator
    capsys: pytest.CaptureFixture[str]
    target: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return load_settings()

    def is_set_up(self, **changes: Any) -> None:
        """Write the target file: the one before, with some blocks changed."""
        self.target |= changes
        text = yaml.safe_dump(self.target, sort_keys=False)
        (self.folder / "targets" / "router.yaml").write_text(text, "utf-8")

    def azure(self, **options: Any) -> None:
        """Point the target at the account (or another) in Azure's own words."""
        url = self.emulator.url
        block = {**HERE, "endpoint": url, "arm_endpoint": url, **options}
        self.is_set_up(azure_openai=block)

    def command(self, *arguments: str) -> Answer:
        self.capsys.readouterr()
        code = run(list(arguments))
        shown = self.capsys.readouterr()
        return Answer(code, shown.out, shown.err)

    def doctor(self, model: str) -> Answer:
        return self.command("doctor", "router", "--model", model)

    def begin(self, model: str = "", *, kind: str = "promotion", **ref: str) -> str:
        """Record a run for a candidate; returns its id."""
        trigger = TriggerRef(model_id=model, **ref) if model else TriggerRef(**ref)
        return request_run(self.settings, "router", trigger, kind=kind, actor="ana")[0].run_id

    def named(self, model: str) -> TriggerRef:
        return TriggerRef(model_id=model)

    async def evaluate(self, run_id: str) -> str:
        """The steps up to the verdict; returns its outcome."""
        await resolve(self.settings, run_id)
        await evaluating.preflight(self.settings, run_id)
        await evaluating.deploy_candidate(self.settings, run_id)
        await evaluating.ask_round(self.settings, run_id, 1)
        return evaluating.conclude(self.settings, run_id).outcome

    async def promote(self, run_id: str) -> Any:
        """The whole way; returns the promotion's outcome."""
        assert await self.evaluate(run_id) == "PASS"
        outcome = await go_live.go_live(self.settings, run_id)
        await evaluating.clean_up(self.settings, run_id)
        return outcome

    def promoted(self, model: str, **ref: str) -> Any:
        return asyncio.run(self.promote(self.begin(model, **ref)))

    def registry(self) -> Any:
        return open_registry(self.settings)

    def steps(self, run_id: str) -> list[Any]:
        with self.registry() as registry:
            return list(registry.steps(run_id))

    def run(self, run_id: str) -> Any:
        with self.registry() as registry:
            return registry.run(run_id)

    def live(self) -> Any:
        with self.registry() as registry:
            return registry.live("router")

    def standing(self) -> dict[str, str]:
        """Deployment name -> model id, of the default account, ours and others'."""
        found = self.arm("GET", "").json()["value"]
        return {one["name"]: one["properties"]["model"]["name"] for one in found}

    def arm(self, method: str, name: str, body: Any = None) -> httpx.Response:
        """Ask the control plane as somebody else would."""
        address = f"{self.emulator.url}{ARM}{'/' + name if name else ''}?api-version=2025-06-01"
        headers = {"Authorization": "Bearer embedded-arm-token"}
        return httpx.request(method, address, headers=headers, json=body)

    def made_by_hand(self, name: str, model: str, sku: str = "GlobalStandard", **tags: str) -> None:
        body = {
            "sku": {"name": sku, "capacity": 1},
            "tags": tags,
            "properties": {"model": {"format": "OpenAI", "name": model, "version": "1"}},
        }
        assert self.arm("PUT", name, body).status_code == 201
        deadline = time.monotonic() + 5
        while self.arm("GET", name).json()["properties"]["provisioningState"] != "Succeeded":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def answers(self, run_id: str) -> list[dict[str, Any]]:
        """What a run's candidate answered, from the journal of its run."""
        from evals.sampling.journal.journal import Journal

        with Journal.open(self.settings.run_folder(run_id) / "journal", read_only=True) as journal:
            return list(journal.responses("candidate", "routing"))


@pytest.fixture
def account(
    tmp_path: Path,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Account:
    """The target `router` on the default account, in Azure's flavour."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "gates").mkdir()
    suite = tmp_path / "datasets" / "routing"
    suite.mkdir(parents=True)
    (tmp_path / "gates" / "router.yaml").write_text(yaml.safe_dump(GATE), "utf-8")
    (suite / "suite.yaml").write_text(yaml.safe_dump(SUITE), "utf-8")
    cases = [
        {"id": f"{word}-{i}", "item": {"text": question(word, i)}, "expected": word}
        for i in range(20, 44)
        for word in WORDS
    ]
    (suite / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases), "utf-8")
    for key, value in _environment(tmp_path, emulator.url).items():
        monkeypatch.setenv(key, value)
    quick = functools.partial(AzureOpenAIPlatform, pace=QUICK)
    monkeypatch.setattr(table, "AzureOpenAIPlatform", quick)
    made = Account(tmp_path, emulator, capsys)
    made.target = {
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
    made.azure()
    return made


def _environment(folder: Path, url: str) -> dict[str, str]:
    return {
        "GATEWRIGHT_HOME": str(folder / "home"),
        "GATEWRIGHT_TARGETS": str(folder / "targets"),
        "GATEWRIGHT_GATES": str(folder / "gates"),
        "GATEWRIGHT_DATASETS": str(folder / "datasets"),
        "GATEWRIGHT_EMBEDDED_URL": url,
        "GATEWRIGHT_ARM_TOKEN": "embedded-arm-token",
        "AZURE_OPENAI_API_KEY": "embedded-api-key",
        "GATEWRIGHT_ACTOR": "ana",
        "NO_COLOR": "1",
        "COLUMNS": "500",
    }


@pytest.fixture
def partner(
    account: Account, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Serves from an account of another tenant what was trained in ours; `roles` are those held at the source."""

    def set_up(**source_rights: Any) -> None:
        emulator.set(accounts=[TENANT])
        there, here = (
            emulator.token(tenant=TENANT["tenant"]),
            emulator.token(tenant=OUR_TENANT, **source_rights),
        )
        for key, value in {
            "AZURE_OPENAI_API_KEY": "partner-api-key",
            "AZURE_OPENAI_SOURCE_API_KEY": "embedded-api-key",
            "GATEWRIGHT_ARM_TOKEN": there,
            "GATEWRIGHT_ARM_SOURCE_TOKEN": here,
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

    return set_up


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., None]]:
    """Does something in a thread as soon as a condition holds; waits for it at the end."""
    threads = []

    def begin(condition: Callable[[], bool], act: Callable[[], Any]) -> None:
        def wait() -> None:
            deadline = time.monotonic() + 20
            while not condition():
                if time.monotonic() > deadline:
                    return
                time.sleep(0.005)
            act()

        threads.append(threading.Thread(target=wait, daemon=True))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(timeout=25)
