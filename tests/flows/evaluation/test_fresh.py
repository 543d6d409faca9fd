"""Stored answers of the live model are used again where the target allows it, and never by a run that is to be fresh."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from flows.evaluation.open_run import open_run
from flows.reporting.gather import gather

CANDIDATE = "ft:gpt-4.1-mini-2025-04-14:acme:new:Aa1"
BASELINE = "ft:gpt-4.1-mini-2025-04-14:acme:old:Bb2"


@pytest.fixture
def live(letters, host):
    letters.go_live()
    letters.change(letters.target, "max_attempts: 2}", "max_attempts: 2, reuse_baseline: 7d}")
    letters.change(
        letters.suite / "suite.yaml",
        '{name: preferred, type: pairwise_judge, model: gpt-4.1, rubric: "Which is better?", against: baseline}',
        "{name: kind, type: contains, text: letter}",
    )
    return letters


async def ask(letters, again: str, *, fresh: bool = False) -> str:
    run = letters.request(again, fresh=fresh)
    await letters.prepare(run)
    await letters.judge(run)
    return run


@pytest.mark.slow
async def test_a_second_run_reuses_the_live_models_answers_and_a_fresh_one_does_not(live, host):
    await ask(live, "one")
    assert host.asked[BASELINE] == 40
    second = await ask(live, "two")
    assert host.asked[BASELINE] == 40
    assert host.asked[CANDIDATE] == 80
    with open_run(live.settings, second) as opened:
        assert gather(opened).sampling["reused"] == 40
    await ask(live, "two", fresh=True)
    assert host.asked[BASELINE] == 80


@pytest.mark.slow
async def test_without_the_targets_word_nothing_is_reused(live, host):
    live.change(live.target, ", reuse_baseline: 7d", "")
    await ask(live, "one")
    await ask(live, "two")
    assert host.asked[BASELINE] == 80


def test_a_fresh_run_is_another_run_than_the_one_that_may_reuse(live):
    assert live.request() == live.request()
    fresh = live.request(fresh=True)
    assert fresh == live.request(fresh=True) != live.request()
    with open_run(live.settings, fresh) as opened:
        assert opened.fresh


def test_the_flow_takes_every_mark_of_a_trigger():
    from flows.promotion import promote

    assert {"job_id", "model_id", "checkpoint", "again", "fresh"} <= set(
        promote.parameters.properties
    )


@pytest.mark.slow
async def test_the_command_line_asks_for_it(live, host):
    await ask(live, "one")
    folders = {
        f"GATEWRIGHT_{name.upper()}": getattr(live.settings, name)
        for name in ("home", "targets", "gates", "datasets")
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [
            sys.executable,
            "-m",
            "flows.cli",
            "evaluate",
            "letters",
            "--model",
            CANDIDATE,
            "--fresh",
            "--json",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, **{name: str(path) for name, path in folders.items()}},
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"fresh":"yes"' in done.stdout
    assert host.asked[BASELINE] == 80
