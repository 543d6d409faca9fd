"""Walks one target through everything that can happen to what is live, and reads after each step what is told of it.

The flows run in the test's own process, on a real Prefect server and the embedded platform. Every name is one that
occurs nowhere else, so that a sentence that speaks of it can be found.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from support.project import Project
from support.service import in_thread
from support.topics import GATE, TARGET, write_target

from flows.approvals.answers import answer_run
from flows.evaluation import steps
from flows.monitoring.drift_repair import put_back_drift
from flows.monitoring.drift_watch import check_drift, record_check
from flows.platforms.fine_tuning.records import Job
from flows.promotion import promote
from flows.recovery.target_rollback import finish_rollback, roll_back_target
from flows.registry.opening import open_registry
from flows.registry.records import Event
from flows.service.config import ServiceConfig

__all__ = ["MODELS", "PEOPLE", "Told", "Walk", "review_pages", "write_project"]

MODELS = {"amber": 2, "beryl": 1, "coral": 8, "dusky": 3, "ember": 9, "flint": 6}
"""How many of the 20 topics each model is mistaken about."""
PEOPLE = ("ada", "bruno", "cleo", "dmitri")
_PUBLISHED = "live/teams.json"


def write_project(project: Project) -> None:
    """Write the target, with 100 cases, a file that applications read, and a gate that asks people."""
    gate = GATE | {
        "early_stop": False,
        "approval": {"required": 1, "not_requester": True, "expires_after": "24h"},
        "override": {"approvers": 2, "expires_after": "7d"},
    }
    write_target(project, 5, gate=gate, publish=[{"file": {"path": _PUBLISHED}}])


@dataclass(frozen=True)
class Told:
    """What one view says: its name, the text, or the JSON if it is some, and the run it is about.

    `at` is when it was said, UTC, ISO 8601, where that is not now.
    """

    view: str
    text: str = ""
    data: Any = None
    run_id: str | None = None
    at: str = ""


@dataclass
class Walk:
    """The target on its way. `look` gives everything that is told of it now."""

    project: Project
    jobs: dict[str, Job]
    service: str
    runs: list[str] = field(default_factory=list)

    async def promote(self, name: str, by: str) -> str:
        """Take a candidate the whole way as `by` asked for; again, after answers. Returns the run's id."""
        found = await promote(target=TARGET, job_id=self.jobs[name].id, requested_by=by)
        if found["run_id"] not in self.runs:
            self.runs.append(found["run_id"])
        return found["run_id"]

    async def promote_while(self, name: str, by: str, happens: Any) -> str:
        """The same, with something that happens right after its verdict."""
        judged = steps.conclude

        def conclude(settings: Any, run_id: str) -> Any:
            verdict = judged(settings, run_id)
            happens()
            return verdict

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(steps, "conclude", conclude)
            return await self.promote(name, by)

    def answer(self, run_id: str, decision: Any, by: str, reason: str) -> None:
        answer_run(self.project.settings, run_id, decision, actor=by, reason=reason)

    async def roll_back(self, by: str, reason: str) -> None:
        settings = self.project.settings
        outcome = await roll_back_target(settings, TARGET, to=None, reason=reason, actor=by)
        finish_rollback(settings, TARGET, outcome)  # as the command does once it has shown it

    def release(self, by: str, reason: str) -> None:
        with open_registry(self.project.settings) as registry:
            registry.release(TARGET, actor=by, reason=reason)

    def spoil(self) -> None:
        """Change past Gatewright what applications read."""
        path = self.project.folder / _PUBLISHED
        facts = json.loads(path.read_text())
        path.write_text(json.dumps(facts | {"model_id": "something-else"}))

    async def see_drift(self) -> None:
        """Look at drift as the schedule does."""
        settings = self.project.settings
        record_check(settings, await check_drift(settings, TARGET, settle_s=0.0))

    async def put_back(self, by: str, reason: str) -> None:
        await put_back_drift(self.project.settings, TARGET, reason=reason, actor=by)

    def events(self) -> tuple[Event, ...]:
        """Everything that happened, oldest first."""
        with open_registry(self.project.settings) as registry:
            return registry.history(TARGET, 100_000, kinds=None)[::-1]

    async def look(self, *, reports: int = 1) -> list[Told]:
        """Read every view, with the reports of the newest runs, so many."""
        found = [*self._commands(), *self._pages()]
        for run_id in self.runs[-reports:]:
            found += [*self._reports(run_id), *[told async for told in _artifacts(run_id)]]
        return found

    def _commands(self) -> list[Told]:
        found = []
        for name in ("live", "history", "runs"):
            found.append(Told(name, _plain(self._command(name, TARGET))))
            found.append(
                Told(f"{name} --json", data=json.loads(self._command(name, TARGET, "--json")))
            )
        return found

    def _pages(self) -> list[Told]:
        paths: dict[str, str | None] = {"/": None, f"/targets/{TARGET}": None}
        paths |= {f"/runs/{run_id}": run_id for run_id in self.runs}
        with httpx.Client(base_url=self.service, timeout=60) as client:
            answers = {path: client.get(path) for path in paths}
        assert all(answer.status_code == 200 for answer in answers.values())
        return [
            Told(f"page {path}", _of_html(answers[path].text), run_id=run)
            for path, run in paths.items()
        ]

    def _reports(self, run_id: str) -> list[Told]:
        page = Path(self._command("report", run_id).strip())
        folder = page.parent
        return [
            Told(
                "report terminal",
                _plain(self._command("report", run_id, "--format", "terminal")),
                run_id=run_id,
            ),
            Told("report html", _of_html(page.read_text()), run_id=run_id),
            Told(
                "report markdown", _of_markdown((folder / "report.md").read_text()), run_id=run_id
            ),
            Told(
                "report json", data=json.loads((folder / "report.json").read_text()), run_id=run_id
            ),
        ]

    def _command(self, *arguments: str) -> str:
        done = self.project.command(*arguments, COLUMNS="4000")
        assert done.code == 0, (arguments, done.err)
        return done.out


async def _artifacts(run_id: str) -> AsyncIterator[Told]:
    """The newest report of a run in Prefect, as it stood when it was written."""
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[f"report-{run_id}"]))
    async with get_client() as client:
        found = await client.read_artifacts(artifact_filter=wanted)
    written = {f"{one.created:%Y-%m-%dT%H:%M:%S.%f}Z": str(one.data) for one in found}
    at = max(written)
    yield Told("artifact", _of_markdown(written[at]), run_id=run_id, at=at)


@contextmanager
def review_pages(project: Project, prefect_url: str) -> Iterator[str]:
    """The service on this project, for its pages."""
    with in_thread(project.settings, ServiceConfig(prefect_url=prefect_url)) as url:
        yield url


def _plain(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def _of_html(text: str) -> str:
    body = re.sub(r"<(style|title|caption)\b.*?</\1>", " ", text, flags=re.DOTALL)
    body = re.sub(r"</(p|li|tr|h1|h2|h3|div|section|dl|pre|summary)>", "\n", body)
    return _plain(unescape(re.sub(r"<[^>]*>", " ", body)).replace(" \n", "\n"))


def _of_markdown(text: str) -> str:
    return _plain(re.sub(r"\\(\W)", r"\1", unescape(text)).replace("**", ""))
