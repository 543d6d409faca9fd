"""SIGKILL at any moment of the whole product, on a Prefect server that stays up: what comes next puts it right by itself.

Commands of a person, the service and a worker are killed with all they started. Afterwards nothing is done but what is
done anyway: the same command again or `resume`, a supervisor that starts the service and the worker again. Then exactly
one model is live, registry and both publishers agree, the report is there, no slot is left, and nothing was asked again
that was answered more than a moment before the kill. `--kills N` and `--kill-seed N` choose how many and which.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.killing import CASES, CONCURRENCY, Command, Place, running_place

pytestmark = [pytest.mark.slow, pytest.mark.story]

WAITED = "waiting for run"
MOMENTS = ("requested", "deploying", "evaluating", "judged", "promoting", "promoted")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_place(tmp_path_factory.mktemp("kills")) as started:
        yield started


class Deck:
    """Cards in an order of chance; each comes once before one comes again, so that few kills meet every moment."""

    def __init__(self, chance: random.Random, *cards: Any) -> None:
        self._chance, self._cards, self._left = chance, cards, list[Any]()
        self.drawn: set[Any] = set()

    def draw(self) -> Any:
        self._left = self._left or self._chance.sample(self._cards, len(self._cards))
        card = self._left.pop()
        self.drawn.add(card)
        return card


class Story:
    """One target, its kills, and what has to be so after each."""

    def __init__(self, place: Place, target: str, chance: random.Random) -> None:
        self.place, self.target, self.chance = place, target, chance
        self.kills: Counter[str] = Counter()
        self.killed_of: Counter[str] = Counter()
        self.worker_kills = 0
        self.goals = Deck(chance, *range(len(MOMENTS)))
        self.ways_back = Deck(chance, "early", "begun", "switched")

    def killed(self, what: str, run_id: str = "") -> None:
        self.kills[what] += 1
        self.killed_of[run_id] += 1

    # ---- by hand

    def promote(self) -> None:
        """Promote a model in commands of which some are killed; the last of them is not."""
        self.worker_kills = self.place.worker_kills
        job = self.place.fine_tune(self.target)
        first = ("promote", self.target, "--job", job, "--json")
        command = self.place.begin(*first)
        run_id = self.place.run_of(self.target, job)
        what = "promote"
        for _ in range(self.chance.randint(2, 5)):
            self._until_some_moment(run_id, command)
            if command.kill():
                self.killed(what, run_id)
            resumes = self.chance.random() < 0.5
            what = "resume" if resumes else "promote"
            command = self.place.begin(*(("resume", run_id, "--json") if resumes else first))
            self.place.until(partial(self._at_work, run_id, command), "the work goes on")
            assert WAITED not in command.log.read_text(), "who is dead is not waited for"
        said = command.json()
        assert (said["state"], Path(said["report"]).exists()) == ("promoted", True), said
        self.is_right(run_id)

    def _at_work(self, run_id: str, command: Command) -> bool:
        with self.place.registry() as registry:
            lease = registry.lease(run_id)
        mine = lease is not None and lease.holder.split("/")[1] == str(command.pid)
        return mine or command.ended

    def _until_some_moment(self, run_id: str, command: Command) -> None:
        """Wait until the run is in a state of chance, and a little longer; a run that is past it is killed at once."""
        goal = self.goals.draw()
        delay = self.chance.uniform(0.0, 0.2)

        def there() -> bool:
            state = self.place.run(run_id).state
            known = MOMENTS.index(state) if state in MOMENTS else 0
            return known >= goal or command.ended

        self.place.until(there, MOMENTS[goal], every_s=0.02)
        time.sleep(delay)

    def roll_back(self) -> None:
        """Go back once, in commands of which the first ones are killed; automation is released again."""
        with self.place.registry() as registry:
            before, goal = registry.live(self.target), registry.previous(self.target)
        if goal is None:  # all the way down
            self.promote()
            return
        back = ("rollback", self.target, "--reason", "a test", "--json")
        for _ in range(self.chance.randint(1, 2)):
            command = self.place.begin(*back)
            moment = self.ways_back.draw()
            seen = partial(self._has_gone, moment, before.generation, command)
            self.place.until(seen, moment, every_s=0.02)
            time.sleep(self.chance.uniform(0.0, 0.1))
            if command.kill():
                self.killed("rollback")
            if self._was_told(before.generation):
                command.says()
                break
        else:  # the last one is let go through
            assert self.place.begin(*back).json()["pointer"]["model_id"] == goal.model_id
        with self.place.registry() as registry:
            live = registry.live(self.target)
            registry.release(self.target, actor="ben", reason="a test")
        assert (live.generation, live.model_id) == (before.generation + 1, goal.model_id)
        self.is_right()

    def _was_told(self, generation: int) -> bool:
        """Whether the rollback from a generation was printed; asking once more would be another one then."""
        with self.place.registry() as registry:
            last = registry.rollback_attempt(self.target)
        return last is not None and last.generation == generation and last.told

    def _has_gone(self, moment: str, generation: int, command: Command) -> bool:
        with self.place.registry() as registry:
            last, now = registry.rollback_attempt(self.target), registry.generation(self.target)
        begun = now > generation or (last is not None and last.generation == generation)
        return (
            moment == "early"
            or command.ended
            or (now > generation if moment == "switched" else begun)
        )

    # ---- by itself

    def by_itself(self) -> None:
        """A fine-tune ends, its webhook starts a promotion on the worker; service and worker are killed meanwhile."""
        self.worker_kills = self.place.worker_kills
        job = self.place.fine_tune(self.target)
        for _ in range(self.chance.randint(1, 2)):
            time.sleep(self.chance.uniform(0.0, 1.0))
            self._kill_and_restart("serve")
        run_id = self.place.run_of(self.target, job)
        self._until_some_moment(run_id, self.place.worker)
        self._kill_and_restart("worker")
        self.place.until(lambda: self.place.run(run_id).state == "promoted", f"{run_id} promoted")
        self.is_right(run_id)

    def _kill_and_restart(self, what: str) -> None:
        """As a supervisor does it, without whom nothing would run."""
        self.place.kill_and_restart(what)
        self.killed(what)

    # ---- what has to be so

    def is_right(self, run_id: str | None = None) -> None:
        place, target = self.place, self.target
        place.until(lambda: not place.leases(target), "nothing is left to do")
        with place.registry() as registry:
            live, runs = registry.live(target), registry.runs(target, None)
            assert registry.verify() == ()
        for seen in place.published(target):
            assert (seen["model_id"], seen["generation"]) == (live.model_id, live.generation)
        standing = place.standing(target)
        assert standing[live.deployment] == live.model_id
        assert [name for name in standing if name.endswith("-dev")] == []
        for run in runs:
            assert run.decided, run
            assert run.report is not None, run
            assert Path(run.report).exists(), run
        if run_id is not None:
            assert live.run_id == run_id
            asked = place.asked(target, run_id)
            assert len(asked) == CASES
            again = sum(asked.values()) - CASES
            kills = self.killed_of[run_id] + self.place.worker_kills - self.worker_kills
            assert again <= kills * CONCURRENCY, asked.most_common(3)


def test_whatever_is_killed_is_whole_again_without_help(
    place: Place, request: pytest.FixtureRequest
) -> None:
    wanted, seed = (request.config.getoption(name) for name in ("--kills", "--kill-seed"))
    of_worker = wanted // 5
    hand, itself = (
        Story(place, target, random.Random(f"{seed} {target}"))
        for target in ("by-hand", "by-itself")
    )

    def by_hand() -> None:
        for _ in range(2):
            place.promoted("by-hand")
        acts = Deck(hand.chance, hand.promote, hand.roll_back, hand.roll_back)
        while hand.kills.total() < wanted - of_worker:
            acts.draw()()

    def by_itself() -> None:
        place.promoted("by-itself")
        while itself.kills.total() < of_worker:
            itself.by_itself()
        place.worker.kill()  # one that looks for work each second is a good part of what this costs

    with ThreadPoolExecutor() as side_by_side:
        for told in [side_by_side.submit(story) for story in (by_hand, by_itself)]:
            told.result()
    assert hand.goals.drawn == set(range(len(MOMENTS))), "every state of a promotion"
    assert hand.ways_back.drawn == {"early", "begun", "switched"}
    assert {*hand.kills, *itself.kills} == {"promote", "resume", "rollback", "serve", "worker"}
    print(f"killed: {dict(hand.kills + itself.kills)}")
