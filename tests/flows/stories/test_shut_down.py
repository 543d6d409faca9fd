"""The live model is frozen, its service shuts it down, and its successor is judged against what it had answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.promoted import TARGET, Place, fine_tune

from evals.records import Verdict
from flows.evaluation import steps
from flows.evaluation.request import request_run, resolve
from flows.housekeeping.sweep_target import sweep_all
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry
from flows.release.go_live import go_live

pytestmark = pytest.mark.slow

ELSEWHERE = "gpt-4.1-2025-04-14"


@pytest.fixture
def shut_down(place: Place) -> Iterator[Place]:
    """v2 is live and frozen, and its base model's fine-tunes have ended."""
    assert place.run("freeze", TARGET) == 0
    before = place.emulator.switches.retired_fine_tunes
    place.emulator.set(retired_fine_tunes=["gpt-4.1-mini"])
    yield place
    place.emulator.set(retired_fine_tunes=list(before))


async def judged(place: Place, job: str) -> tuple[str, Verdict]:
    ref = TriggerRef(job_id=job)
    run, _ = request_run(place.settings, TARGET, ref, kind="promotion", actor="webhook")
    await resolve(place.settings, run.run_id)
    await steps.preflight(place.settings, run.run_id)
    await steps.deploy_candidate(place.settings, run.run_id)
    await steps.ask_round(place.settings, run.run_id, 1)
    return run.run_id, steps.conclude(place.settings, run.run_id)


async def test_a_successor_goes_live_and_a_worse_one_does_not(shut_down: Place) -> None:
    worse, verdict = await judged(shut_down, await fine_tune("worse", ELSEWHERE, wrong=0.6))
    assert verdict.outcome == "FAIL"
    assert verdict.against.startswith("frozen:")
    assert any("answers no more" in reason for reason in verdict.reasons)
    outcome = await go_live(shut_down.settings, worse)
    assert outcome.state == "refused"
    await steps.clean_up(shut_down.settings, worse)
    better, verdict = await judged(shut_down, await fine_tune("better", ELSEWHERE))
    assert verdict.outcome == "PASS", verdict.reasons
    outcome = await go_live(shut_down.settings, better)
    assert outcome.state == "live", outcome.detail
    with open_registry(shut_down.settings) as registry:
        live = registry.live(TARGET)
        assert live is not None
        assert (live.run_id, live.generation) == (better, 3)
        assert registry.verify() == ()
    (swept,) = await sweep_all(shut_down.settings, TARGET)
    assert swept.problems == (), "a deployment that is retired is no failure of each sweep"
    assert any("no going back to it" in warning for warning in swept.warnings)
