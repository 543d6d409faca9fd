"""Several real processes at one registry."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.registry.store import Registry

ROUNDS = 80


@contextmanager
def racers(url: str, *names: str) -> Iterator[list[subprocess.Popen[str]]]:
    script = Path(__file__).with_name("switch_race.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    running = [subprocess.Popen([sys.executable, script, url, name], **pipes) for name in names]
    try:
        yield running
    finally:
        for racer in running:
            racer.communicate(timeout=900)


def say(racer: subprocess.Popen[str]) -> str:
    return racer.stdout.readline().strip()


@pytest.mark.slow
def test_two_processes_switching_at_once_never_both_win_a_generation(url):
    winners: Counter[str] = Counter()
    with racers(url, "ana", "ben") as running:
        assert [say(racer) for racer in running] == ["ready", "ready"]
        for generation in range(ROUNDS):
            for racer in running:
                racer.stdin.write(f"{generation}\n")
            said = [say(racer) for racer in running]
            assert sorted(said) == ["lost", "won"], (generation, said)
            winners["ana" if said[0] == "won" else "ben"] += 1
    with Registry.open(url) as registry:
        assert registry.generation("triage") == ROUNDS
        switches = [e for e in registry.history("triage", 9999) if e.generation is not None]
        assert Counter(e.actor for e in switches) == winners
        assert Counter(e.kind for e in switches) == {
            "adopt": ROUNDS * 3 // 4,
            "promotion": ROUNDS // 4,
        }
        assert registry.verify() == ()


@pytest.mark.slow
def test_processes_that_open_a_new_registry_at_once_are_all_served(url):
    with racers(url, "a", "b", "c", "d") as running:
        assert [say(racer) for racer in running] == ["ready"] * 4
    with Registry.open(url) as registry:
        assert registry.verify() == ()
