"""Carrying a run out under a lease: renewed while the work blocks, lost by whoever stood still, told by whoever waits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest
from support.waiting import PATIENCE_S, wait_until

from evals.errors import InfrastructureError, LeaseLostError
from flows.orchestration import target_lease as leases
from flows.orchestration.target_lease import held_here, target_lease, waits_here
from flows.orchestration.this_process import is_dead, is_gone, new_holder, read_holder
from flows.registry.store import Registry
from flows.settings import load_settings


@pytest.fixture
def settings(tmp_path):
    return replace(load_settings(), registry_url=f"sqlite:///{tmp_path}/registry.db")


@pytest.fixture
def registry(settings):
    with Registry.open(settings.registry_url) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(leases, "BEAT_S", 0.02)
    monkeypatch.setattr(leases, "POLL_S", 0.02)


def age(registry, seconds):
    with registry.database.write() as writer:
        writer.connection.exec_driver_sql(f"UPDATE leases SET beat = beat - {seconds}")


async def test_it_is_renewed_while_the_work_blocks(settings, registry, quick):
    async with target_lease(settings, "triage", "r1") as lease:
        assert held_here("r1") == lease.holder
        age(registry, 60)
        wait_until(lambda: registry.lease("r1").silent_s < 50)
        lease.finished = True
    assert registry.lease("r1") is None
    assert held_here("r1") is None


async def test_whoever_stood_still_while_another_one_took_over_stops(settings, registry, quick):
    with pytest.raises(LeaseLostError, match="another one goes on"):
        async with target_lease(settings, "triage", "r1") as lease:
            with registry.database.write() as writer:  # before the next beat, as a stopped process
                writer.connection.exec_driver_sql("UPDATE leases SET holder = 'elsewhere'")
            await asyncio.sleep(PATIENCE_S)
    assert lease.lost
    assert registry.lease("r1").holder == "elsewhere", "what it lost is not given back by it"


async def test_whoever_waits_says_for_whom_and_how_long(settings, registry, quick):
    registry.take_lease("r1", "triage", "a/1/2/w/x", dead=frozenset(), alone=True)
    said = []
    with pytest.raises(InfrastructureError, match="was not free in time"):
        async with target_lease(settings, "triage", "r2", patience_s=0.1, say=said.append):
            raise AssertionError("r1 has the target")
    assert len(said) == 1
    assert said[0].startswith("waiting for run r1, which has held the target since 20")
    assert ": at most 20 s if its process has died, else up to " in said[0]
    assert waits_here("r2") is None


async def test_a_run_that_only_waits_itself_is_not_said_to_hold_the_target(
    settings, registry, quick
):
    for run_id in ("r1", "r2"):
        registry.take_lease(run_id, "triage", f"a/1/2/w/{run_id}", dead=frozenset(), alone=True)
    with registry.database.write() as writer:  # r1 is over; r2 has not asked again yet
        writer.connection.exec_driver_sql("DELETE FROM leases WHERE run_id = 'r1'")
    with pytest.raises(InfrastructureError, match="run r2, which has been ahead in the queue"):
        async with target_lease(settings, "triage", "r3", patience_s=0.1):
            raise AssertionError("r2 is ahead")


async def test_what_is_stopped_leaves_word_that_something_is_left_to_do(settings, registry, quick):
    with pytest.raises(KeyError):
        async with target_lease(settings, "triage", "r1"):
            raise KeyError
    assert registry.lease("r1").holder == ""
    async with target_lease(settings, "triage", "r1") as lease:
        lease.finished = True


async def test_a_process_that_died_on_this_machine_is_not_waited_for(
    settings, registry, monkeypatch
):
    monkeypatch.setattr(
        "flows.registry.leases.LIFE_S", 2 * PATIENCE_S
    )  # what it would be waited for else
    program = "from flows.orchestration.this_process import new_holder; print(new_holder())"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    holder = ran.stdout.strip()
    registry.take_lease("r1", "triage", holder, dead=frozenset(), alone=True)
    async with asyncio.timeout(PATIENCE_S), target_lease(settings, "triage", "r2") as lease:
        lease.finished = True
    assert is_dead(holder)
    assert not is_dead(new_holder())
    assert not is_dead(holder.replace("/" + read_holder(holder).world, "/other.1")), "who knows"
    assert is_gone(f"{read_holder(holder).host}:{read_holder(holder).pid}")
    assert not is_gone(f"elsewhere:{read_holder(holder).pid}")
