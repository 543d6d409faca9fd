"""Leases: who carries out a run, who has a target for itself, and what becomes of those who are silent for too long."""

from __future__ import annotations

import pytest

from evals.errors import LeaseLostError
from flows.registry.leases import require

ANA, BEN = "ana's process", "ben's process"


@pytest.fixture
def take(registry):
    def ask(run, holder, *, alone=True, dead=()):
        ahead = registry.take_lease(run, "triage", holder, dead=frozenset(dead), alone=alone)
        return ahead.run_id if ahead is not None else None

    return ask


def silent_for(registry, run, seconds):
    with registry.database.write() as writer:
        writer.connection.exec_driver_sql(
            f"UPDATE leases SET beat = beat - {seconds} WHERE run_id = '{run}'"
        )


def holds(registry, run, holder):
    with registry.database.read() as connection:
        require(connection, run, holder)


def test_a_target_is_one_runs_and_the_others_have_it_in_the_order_they_asked(registry, take):
    assert take("r1", ANA) is None
    assert [take("r2", BEN), take("r3", "c")] == ["r1", "r1"]
    assert take("r9", "d", alone=False) is None, "what does not want the target waits for nobody"
    registry.leave_lease("r1", ANA, finished=True)
    assert [take("r3", "c"), take("r2", BEN), take("r3", "c")] == ["r2", None, "r2"]
    assert [(one.run_id, one.state) for one in registry.leases_of("triage")] == [
        ("r2", "holds"),
        ("r3", "waits"),
        ("r9", "aside"),
    ]


def test_a_run_is_carried_out_by_one_process_at_a_time(registry, take):
    assert take("r1", ANA) is None
    assert take("r1", BEN) == "r1"
    registry.leave_lease("r1", ANA, finished=False)
    assert registry.lease("r1").holder == "", "something is left to do"
    assert take("r1", BEN) is None


def test_a_lease_is_over_after_20_seconds_without_a_beat(registry, take):
    take("r1", ANA)
    silent_for(registry, "r1", 19)
    assert take("r2", BEN) == "r1"
    assert registry.renew_lease("r1", ANA, holds=True)
    silent_for(registry, "r1", 19)
    assert take("r2", BEN) == "r1", "it was renewed"
    silent_for(registry, "r1", 2)
    assert not registry.lease("r1").alive
    assert take("r2", BEN) is None
    with pytest.raises(LeaseLostError):
        holds(registry, "r1", ANA)
    assert not registry.renew_lease("r1", ANA, holds=True)
    holds(registry, "r2", BEN)


def test_one_that_was_silent_and_that_nobody_missed_goes_on(registry, take):
    take("r1", ANA)
    silent_for(registry, "r1", 60)
    assert registry.renew_lease("r1", ANA, holds=True)
    holds(registry, "r1", ANA)


def test_a_process_that_is_known_to_be_dead_is_not_waited_for(registry, take):
    take("r1", ANA)
    take("r2", "c")
    assert take("r1", BEN, dead={ANA}) is None, "and its run keeps its place before the others"
    assert take("r2", "c") == "r1"
    with pytest.raises(LeaseLostError):
        holds(registry, "r1", ANA)


def test_whoever_lost_the_lease_cannot_switch(registry, story):
    story.judged("r1", "v1")
    registry.take_lease("r1", "triage", BEN, dead=frozenset(), alone=True)
    switch = {"expected_generation": 0, "actor": "ana", "reason": "PASS", "kind": "first_release"}
    with pytest.raises(LeaseLostError):
        registry.switch(story.pointer("v1", "r1"), holder=ANA, **switch)
    assert registry.live("triage") is None
    assert registry.switch(story.pointer("v1", "r1"), holder=BEN, **switch).model_id == "v1"
