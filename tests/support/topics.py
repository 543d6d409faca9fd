"""A target whose suite asks which team a topic is for, and fine-tunes that know as many of the topics as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from support.emulator import QUICK, train
from support.project import Project

from flows.emulator.server import Emulator
from flows.platforms.embedded import open_embedded
from flows.platforms.fine_tuning.records import Job

__all__ = ["TARGET", "TOPICS", "train_models", "write_target"]

TARGET = "teams"
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


def write_target(project: Project, each: int = 12, **changes: Any) -> None:
    """Write target, gate and a suite with so many cases of every topic; `changes` are blocks of the target file."""
    project.write_gate(TARGET, GATE)
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
