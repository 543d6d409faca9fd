"""A target whose suite asks which team a topic is for, and fine-tunes that know as many of the topics as a test wants."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.emulator import QUICK, train
from support.paths import ROOT
from support.project import Project

from evals.records import LivePointer, Verdict
from evals.sampling.journal.journal import Journal
from evals.selection.records import SelectionFacts
from flows.emulator.server import Emulator
from flows.evaluation import looks, steps
from flows.evaluation.request import request_run, resolve
from flows.platforms.base import TriggerRef
from flows.platforms.embedded import open_embedded
from flows.platforms.fine_tuning.records import Job
from flows.registry.opening import open_registry, require_run
from flows.registry.records import RunRecord
from flows.release import go_live
from flows.selection import field, rungs
from flows.selection.facts import selection_facts
from flows.selection.request import request_selection
from flows.settings import Settings, load_settings

__all__ = ["GATE", "TARGET", "TOPICS", "WRONG", "Field", "field_on", "train_models", "write_target"]

TARGET = "teams"
WRONG = {"live": 2, "a": 6, "b": 4, "c": 1, "d": 8, "e": 5, "f": 7}
"""The models of a field, and about how many of the 20 topics each is mistaken."""
TEAMS = ("billing", "access", "repairs")
TOPICS = (
    *("invoice", "refund", "charge", "receipt", "coupon", "tariff", "budget"),
    *("password", "login", "badge", "token", "lockout", "username", "keycard"),
    *("kettle", "mirror", "shelf", "carpet", "wardrobe", "lamp"),
)
SYSTEM = "Which team is this for? Answer with one word."
GATE: dict[str, Any] = {
    "version": 1,
    "name": TARGET,
    "first_release": "absolute_checks",
    "checks": [{"metric": "team.accuracy", "at_least": 0.3, "max_drop": 0.1}],
    "on_inconclusive": "needs_approval",
    "approval": {"required": 1, "not_requester": False, "expires_after": "24h"},
}
SUITE = {
    "version": 1,
    "name": TARGET,
    "prompt": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "{{ item.text }}"},
    ],
    "graders": [{"name": "team", "type": "label", "labels": sorted(TEAMS)}],
}
TARGET_FILE: dict[str, Any] = {
    "version": 1,
    "name": TARGET,
    "platform": "embedded",
    "suites": [TARGET],
    "gate": TARGET,
    "sampling": {"temperature": 0, "max_completion_tokens": 20, "concurrency": 16},
    "promotion": {"smoke_cases": 2},
}


def team_of(topic: str) -> str:
    """Return the team that a topic is for."""
    return TEAMS[min(TOPICS.index(topic) // 7, 2)]


def _asked(topic: str, number: int) -> str:
    return f"{topic} {topic} request {number}"


def write_target(
    project: Project, each: int = 12, *, gate: dict[str, Any] | None = None, **changes: Any
) -> None:
    """Write target, gate and a suite with so many cases of every topic; `changes` are blocks of the target file."""
    project.write_gate(TARGET, gate or GATE)
    project.write_target(TARGET, TARGET_FILE | changes)
    project.write_suite(TARGET, SUITE, cases(each))


def cases(each: int) -> Iterator[dict[str, Any]]:
    for number in range(each):
        for topic in TOPICS:
            yield {
                "id": f"{topic}-{number:02}",
                "item": {"text": _asked(topic, number + 100)},
                "expected": team_of(topic),
            }


def training(wrong: int) -> bytes:
    """Chat examples of every topic; of so many topics, spread over the teams, all are answered with another team."""
    spread = sorted(range(len(TOPICS)), key=lambda place: (place % 7, place))
    mistaken = {TOPICS[place] for place in spread[:wrong]}
    rows = []
    for number in range(6):
        for topic in TOPICS:
            team = team_of(topic)
            if topic in mistaken:
                team = TEAMS[(TEAMS.index(team) + 1) % 3]
            messages = [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": _asked(topic, number)},
                {"role": "assistant", "content": team},
            ]
            rows.append(json.dumps({"messages": messages}))
    return "\n".join(rows).encode()


def train_models(emulator: Emulator, **wrong: int) -> dict[str, Job]:
    """Fine-tune a model for each name, mistaken about so many of the 20 topics; return its finished job by name."""

    async def all_of_them() -> dict[str, Job]:
        platform = open_embedded({}, {"GATEWRIGHT_EMBEDDED_URL": emulator.url}, pace=QUICK)
        try:
            return {
                name: await train(platform, name, training(count)) for name, count in wrong.items()
            }
        finally:
            await platform.aclose()

    return asyncio.run(all_of_them())


async def choose_here(selection: str) -> int | None:
    """Carry a selection out; returns the place of who is chosen."""
    settings = load_settings()
    for rung in range(1, await field.open_field(settings, selection) + 1):
        await rungs.ask_rung(settings, selection, rung)
        if rungs.judge_rung(settings, selection, rung):
            break
    place = rungs.settle(settings, selection)
    await rungs.clean_up_field(settings, selection)
    return place


class Field:
    """The target on an emulator, and the ways through it, step by step without Prefect."""

    def __init__(self, project: Project, emulator: Emulator, jobs: dict[str, Job]) -> None:
        self.project, self.emulator, self.jobs = project, emulator, jobs

    @property
    def settings(self) -> Settings:
        return load_settings()

    def named(self, names: str) -> list[str]:
        """The jobs of models, each named by a letter."""
        return [self.jobs[name].id for name in names]

    def model(self, name: str) -> str:
        return self.jobs[name].model_id or ""

    def begin(self, names: str = "abcdef", **more: Any) -> str:
        """Record a selection; returns its id."""
        run, _ = request_selection(self.settings, TARGET, self.named(names), actor="ana", **more)
        return run.run_id

    async def choose(self, selection: str) -> int | None:
        """Carry a selection out; returns the place of who is chosen."""
        return await choose_here(selection)

    @contextmanager
    def in_a_process(self, selection: str) -> Iterator[subprocess.Popen[bytes]]:
        """Carry a selection out in a process of its own, which may be killed."""
        command = [sys.executable, "-m", "support.topics", selection]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
        with subprocess.Popen(command, env=environment) as process:
            yield process

    async def judge(self, run_id: str) -> Verdict:
        """Judge a promotion run and let its candidate go live if it may."""
        await resolve(self.settings, run_id)
        await steps.preflight(self.settings, run_id)
        await steps.deploy_candidate(self.settings, run_id)
        for look in range(1, steps.rounds(self.settings, run_id) + 1):
            await steps.ask_round(self.settings, run_id, look)
            if looks.judge_look(self.settings, run_id, look):
                break
        verdict = steps.conclude(self.settings, run_id)
        await go_live.go_live(self.settings, run_id)
        await steps.clean_up(self.settings, run_id)
        return verdict

    def chosen(self, selection: str) -> str:
        """Choose, and return the id of the run that judges who was chosen."""
        asyncio.run(self.choose(selection))
        run = rungs.request_judgement(self.settings, selection)
        assert run is not None
        return run.run_id

    def by_hand(self, name: str, **marks: Any) -> str:
        """Record a promotion of one model without a selection; returns the run's id."""
        ref = TriggerRef(job_id=self.jobs[name].id)
        run, _ = request_run(self.settings, TARGET, ref, kind="promotion", actor="ana", **marks)
        return run.run_id

    def promoted(self, name: str) -> Verdict:
        return asyncio.run(self.judge(self.by_hand(name)))

    def facts(self, selection: str) -> SelectionFacts:
        with open_registry(self.settings) as registry:
            found = selection_facts(registry, selection)
        assert found is not None
        return found

    def run(self, run_id: str) -> RunRecord:
        with open_registry(self.settings) as registry:
            return require_run(registry, run_id)

    def live(self) -> LivePointer | None:
        with open_registry(self.settings) as registry:
            return registry.live(TARGET)

    def split(self, selection: str) -> set[str]:
        """The ids of the cases that choose, from the selection's folder."""
        path = self.settings.run_folder(selection) / field.SPLIT_FILE
        return set(json.loads(path.read_text("utf-8"))["choosing"][TARGET])

    def asked(self, folder: Path, role: Any = "candidate") -> list[str]:
        """The ids of the cases asked, with repetitions, from the journal in a folder."""
        with Journal.open(folder / "journal", read_only=True) as journal:
            return [found.case_id for found in journal.responses(role, TARGET)]

    def questions(self) -> int:
        """How many questions the emulator has answered since it was handed to this test."""
        return sum(one.path.endswith("/chat/completions") for one in self.emulator.log)

    def slots(self) -> list[str]:
        """Names of the developer slots that stand."""
        platform = open_embedded({}, {"GATEWRIGHT_EMBEDDED_URL": self.emulator.url}, pace=QUICK)

        async def look() -> list[str]:
            try:
                return [one.name for one in await platform.list_deployments()]
            finally:
                await platform.aclose()

        return [name for name in asyncio.run(look()) if name.endswith("-dev")]


@contextmanager
def field_on(project: Project, emulator: Emulator, jobs: dict[str, Job]) -> Iterator[Field]:
    """Hand out the target with nothing live; the environment points at it."""
    project.more = {"GATEWRIGHT_EMBEDDED_URL": emulator.url}
    write_target(project)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in project.environment.items():
            patch.setenv(key, value)
        yield Field(project, emulator, jobs)


if __name__ == "__main__":
    asyncio.run(choose_here(sys.argv[1]))
