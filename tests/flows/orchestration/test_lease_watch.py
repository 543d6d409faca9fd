"""Silence as a looker that stays has seen it: a death within a minute, and no pause taken for one."""

from __future__ import annotations

import pytest

from flows.orchestration.lease_watch import LeaseWatch
from flows.registry.leases import BEAT_S, Lease

ELSEWHERE = "other-host/77/1/another-boot.1/abc"


class World:
    """A process elsewhere that beats until it dies, the database's clock, and a looker with a clock of its own."""

    def __init__(self) -> None:
        self.database = self.own = 1000.0
        self.beat = 1000.0
        self.watch = LeaseWatch(lambda: self.own)

    @property
    def lease(self) -> Lease:
        return Lease(
            run_id="r1",
            target="triage",
            holder=ELSEWHERE,
            state="holds",
            ticket=1,
            since=900.0,
            beat=self.beat,
            silent_s=self.database - self.beat,
        )

    def pass_(self, seconds: float, *, beats: bool, every: float = 2.0) -> float | None:
        """Let time pass, looking now and then; returns when the process was taken for dead, None when it was not."""
        for step in range(round(seconds / every)):
            self.database += every
            self.own += every
            if beats and self.database - self.beat >= BEAT_S:
                self.beat = self.database
            self.watch.look([self.lease])
            if self.watch.died(self.lease):
                return (step + 1) * every
        return None


@pytest.fixture
def world() -> World:
    made = World()
    assert made.pass_(60, beats=True) is None
    return made


def test_a_process_that_died_elsewhere_is_noticed_within_a_minute(world):
    noticed = world.pass_(120, beats=False)
    assert noticed is not None
    assert noticed <= 60


def test_a_machine_that_slept_takes_nobody_for_dead_before_the_next_beat(world):
    world.database += 8 * 3600  # the looker's own clock stood still meanwhile
    world.watch.look([world.lease])
    assert not world.watch.died(world.lease)
    world.beat = world.database
    assert world.pass_(60, beats=True) is None


def test_while_the_registry_was_away_nobody_was_silent(world):
    world.database += 300
    world.own += 300  # nothing could be looked at
    world.watch.look([world.lease])
    assert not world.watch.died(world.lease)
    assert world.pass_(120, beats=False) <= 60


def test_a_clock_that_is_set_is_no_silence(world):
    world.database += 86400
    world.watch.look([world.lease])
    assert not world.watch.died(world.lease)
    world.database -= 2 * 86400
    assert world.pass_(60, beats=True) is None


def test_a_service_that_has_just_begun_watches_first():
    world = World()
    world.database += 3600
    world.watch.look([world.lease])
    assert not world.watch.died(world.lease)
    assert world.pass_(60, beats=False) <= 30


def test_a_service_that_is_slow_to_look_notices_all_the_same(world):
    assert world.pass_(120, beats=False, every=15.0) <= 60


def test_a_lease_that_was_given_back_is_nobodys(world):
    from msgspec.structs import replace

    assert world.watch.stopped(replace(world.lease, holder=""))
    assert not world.watch.stopped(world.lease)
