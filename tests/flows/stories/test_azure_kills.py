"""SIGKILL at any moment of deploying, replacing and sweeping: done again, the end is the same, and others' is untouched.

The first life of each is cut short before the account can have finished what it takes 0.3 s for; later ones at any moment.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.approvals.answers import answer_run
from flows.deployments.identity import own_tags, slot_name
from flows.evaluation import steps
from flows.evaluation.request import request_run, resolve
from flows.platforms.lifetimes import EXPIRES_TAG

pytestmark = pytest.mark.slow
SEED = 5


class Lives:
    """Processes that work for the account of a test."""

    def __init__(self, folder: Path) -> None:
        program = str(Path(__file__).with_name("lives.py"))
        self.said = (folder / "lives.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
        )

    def one(self, do: str, run_id: str = "", kill_after: float | None = None) -> int:
        order = {"do": do, "run": run_id, "kill_after": kill_after}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def whole(self, do: str, run_id: str = "") -> None:
        """A life that nobody cuts short, and that has to go well."""
        code = self.one(do, run_id)
        self.said.seek(0)
        assert code == 0, self.said.read()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=900)
        self.process.stdout.close()
        self.said.close()


@pytest.fixture
def lives(account, tmp_path) -> Iterator[Lives]:
    made = Lives(tmp_path)
    yield made
    made.close()


@pytest.fixture
def chance():
    return random.Random(SEED)


def theirs(account, models):
    account.made_by_hand("theirs", models.first.model_id, **{EXPIRES_TAG: "2020-01-01T00:00:00Z"})


def judged(account, model, again):
    """A run that is ready to go live: it has passed, or is a further try that somebody else approved."""
    run_id = request_run(
        account.settings, "router", account.named(model), kind="promotion", actor="ana", again=again
    )[0].run_id
    if asyncio.run(account.evaluate(run_id)) != "PASS":
        answer_run(account.settings, run_id, "approve", actor="ben", reason="tried before")
    asyncio.run(steps.clean_up(account.settings, run_id))
    return run_id


def test_a_killed_deployment_and_a_killed_clean_up_leave_nothing(
    account, emulator, models, lives, chance
):
    theirs(account, models)
    emulator.set(provisioning_s=0.3, deleting_s=0.3)
    for number in range(4):
        run_id = request_run(
            account.settings,
            "router",
            account.named(models.second.model_id),
            kind="evaluation",
            actor="ana",
            again=str(number),
        )[0].run_id
        asyncio.run(resolve(account.settings, run_id))
        assert lives.one("deploy", run_id, chance.uniform(0.02, 0.28)) == -9
        lives.one("deploy", run_id, chance.uniform(0.02, 0.6))
        lives.whole("deploy", run_id)
        assert set(account.standing()) == {"theirs", slot_name(account.run(run_id))}
        assert lives.one("clean up", run_id, chance.uniform(0.02, 0.28)) == -9
        lives.whole("clean up", run_id)
        assert set(account.standing()) == {"theirs"}


def test_a_killed_replace_ends_with_the_new_model_under_the_one_name(
    account, emulator, models, lives, chance
):
    theirs(account, models)
    account.is_set_up(promotion={**account.target["promotion"], "strategy": "replace"})
    account.promoted(models.first.model_id)
    emulator.set(provisioning_s=0.15, deleting_s=0.15)
    turns = [models.second.model_id, models.first.model_id]
    for number in range(5):
        model = turns[number % 2]
        run_id = judged(account, model, str(number))
        assert lives.one("go live", run_id, chance.uniform(0.02, 0.28)) == -9
        for _ in range(chance.randint(0, 2)):
            lives.one("go live", run_id, chance.uniform(0.05, 1.2))
        lives.whole("go live", run_id)
        assert account.standing() == {"router": model, "theirs": models.first.model_id}
        live = account.live()
        assert (live.model_id, live.deployment, live.generation) == (model, "router", number + 2)
        assert json.loads((account.folder / "live.json").read_text())["model_id"] == model
        with account.registry() as registry:
            assert registry.verify() == ()
            assert registry.run(run_id).state == "promoted"


def test_a_killed_change_in_place_ends_with_the_new_model_and_no_gap(
    account, emulator, models, lives, chance
):
    account.is_set_up(
        promotion={**account.target["promotion"], "strategy": "in_place"},
        slots={
            "developer": {"sku": "DeveloperTier", "capacity": 10},
            "production": {"sku": "ProvisionedManaged", "capacity": 50},
        },
    )
    emulator.set(also_offered={"ProvisionedManaged": ["gpt-4.1-mini"]})
    account.promoted(models.first.model_id)
    emulator.set(retarget_finetuned="allow", update_s=0.3)
    before = len(emulator.log)
    for number, model in enumerate([models.second.model_id, models.first.model_id]):
        run_id = judged(account, model, str(number))
        assert lives.one("go live", run_id, chance.uniform(0.02, 0.28)) == -9
        lives.one("go live", run_id, chance.uniform(0.05, 0.6))
        lives.whole("go live", run_id)
        assert account.standing() == {"router": model}
        assert account.live().generation == number + 2
    ended = [one for one in emulator.log[before:] if one.path.endswith("/router")]
    assert "DELETE" not in {one.method for one in ended}


def test_a_killed_replace_that_is_held_meanwhile_gives_the_old_model_back(
    account, emulator, models, lives, chance
):
    account.is_set_up(promotion={**account.target["promotion"], "strategy": "replace"})
    account.promoted(models.first.model_id)
    emulator.set(provisioning_s=0.4, deleting_s=0.3)
    for number in range(4):
        run_id = judged(account, models.second.model_id, str(number))
        assert lives.one("go live", run_id, 0.1 + 0.15 * number) == -9
        with account.registry() as registry:
            registry.hold("router", actor="ana", reason="incident")
        assert lives.one("go live", run_id) == 1
        assert account.run(run_id).state == "refused"
        assert account.standing() == {"router": models.first.model_id}
        with account.registry() as registry:
            registry.release("router", actor="ana", reason="over")


def test_a_killed_sweep_is_finished_by_the_next(account, emulator, models, lives, chance):
    live = account.promoted(models.first.model_id).pointer.deployment
    theirs(account, models)
    emulator.set(deleting_s=0.1)
    for number in range(5):
        for model in (models.first.model_id, models.second.model_id, models.checkpoints[0].id):
            run_id = request_run(
                account.settings,
                "router",
                account.named(model),
                kind="evaluation",
                actor="ana",
                again=str(number),
            )[0].run_id
            tags = {**own_tags("router", run_id, "candidate"), "gatewright": "developer"}
            tags[EXPIRES_TAG] = "2020-01-01T00:00:00Z"
            name = slot_name(account.run(run_id))
            account.made_by_hand(name, model, "DeveloperTier", **tags)
            with account.registry() as registry:
                registry.set_run_state(run_id, "failed", "killed")
        assert lives.one("sweep", kill_after=chance.uniform(0.02, 0.28)) == -9
        lives.whole("sweep")
        assert set(account.standing()) == {live, "theirs"}
