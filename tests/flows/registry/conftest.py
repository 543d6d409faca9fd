"""The registry's tests run on the real databases: SQLite always, PostgreSQL wherever its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from evals.records import CheckResult, Endpoint, Verdict
from flows.registry.records import NewPointer, RunRecord
from flows.registry.store import Registry

_NUMBERS = count(1)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else versions[-1].parent if versions else None


def _as_server_user() -> list[str]:
    """PostgreSQL refuses to run as root; a container's root runs it as the user it came with."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A server of our own in a temporary folder; yields the URL of its maintenance database."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL is installed here")
    # Not below pytest's own folder, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="gatewright-pg-"))
    user = _as_server_user()
    if user:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    subprocess.run(
        [*user, programs / "initdb", "-D", data, "-A", "trust", "-U", "gate", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    options = f"-p {port} -h 127.0.0.1 -k '' -c fsync=off -c max_connections=60"
    control = [*user, programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True, cwd=folder)
    try:
        yield f"postgresql://gate@127.0.0.1:{port}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, cwd=folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_programs() -> Path:
    """Where pg_dump and its kin are."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL is installed here")
    return programs


@pytest.fixture
def new_postgresql(postgresql_server: str) -> Callable[[], str]:
    """Makes URLs of empty PostgreSQL databases."""

    def create() -> str:
        name = f"registry_{next(_NUMBERS)}"
        with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{postgresql_server}/{name}"

    return create


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes URLs of empty databases, once of SQLite and once of PostgreSQL."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/registry-{next(_NUMBERS)}.db"
    create: Callable[[], str] = request.getfixturevalue("new_postgresql")
    return create


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    with Registry.open(url) as opened:
        yield opened


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

    @staticmethod
    def check(outcome: str = "PASS", **other: object) -> CheckResult:
        fields: dict[str, object] = {
            "check": "exact_match at_least 0.8",
            "metric": "exact_match",
            "kind": "at_least",
            "threshold": 0.8,
            "reason": "0.9 is above 0.8",
            "decides": True,
            "suite": None,
            "slice": {},
            "n": 300,
        }
        return CheckResult(outcome=outcome, **{**fields, **other})  # type: ignore[arg-type]

    def verdict(
        self, model: str, baseline: str | None, outcome: str = "PASS", **other: object
    ) -> Verdict:
        fields: dict[str, object] = {
            "reasons": ("as measured",),
            "checks": (self.check(outcome),),
            "policy": "triage",
            "policy_digest": "sha256:policy",
            "evidence_digest": f"sha256:evidence-{model}-{baseline}",
            "candidate_model": model,
            "baseline_model": baseline,
            "first_release": baseline is None,
        }
        return Verdict(outcome=outcome, **{**fields, **other})  # type: ignore[arg-type]

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
        verdict = verdict or self.verdict(model, baseline)
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


@pytest.fixture
def story(registry: Registry) -> Story:
    return Story(registry)


@pytest.fixture
def make_story() -> type[Story]:
    """Tells stories to other registries than the test's own."""
    return Story
