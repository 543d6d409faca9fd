"""What follows from a worse regression run is done once, whenever its process dies: by the sweep, the service, or `resume`."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.letters import ModelHost
from support.succession import SUITE, Succession, model

from flows.monitoring.regression_outcome import apply_outcome
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.reporting.finish import finish_stopped, unfinished_runs
from flows.reporting.settling import settle
from flows.service.dispatcher.dispatch import Dispatcher

pytestmark = pytest.mark.slow

CASES = 80


class Killed(BaseException):
    """The process is gone."""


class Fallen(Succession):
    """v2 is live and has fallen; a regression run has just found that. A suite as small as the gate allows."""

    def write_cases(self, changed: int = 0) -> None:
        rows = ({"id": f"c{n:03}", "item": {"number": n}, "expected": "yes"} for n in range(CASES))
        self.write_suite("line", SUITE, rows)

    async def fall(self) -> str:
        self.change(
            self.targets / "line.yaml",
            "suites:",
            "regression: {on_fail: [alert, hold, revoke, rollback]}\nsuites:",
        )
        await self.promoted("v1", wrong=5)
        await self.promoted("v2", wrong=4)
        self.wrong[model("v2")] = CASES
        run_id, verdict = await self.regressed("v2")
        assert verdict.outcome == "FAIL", verdict.reasons
        return run_id


@pytest.fixture
async def line(tmp_path: Path, host: ModelHost) -> Fallen:
    line = Fallen(tmp_path, host, checks=[{"metric": "exact", "at_least": 0.5}])
    line.run = await line.fall()  # type: ignore[attr-defined]
    return line


def dies_at(step: str, phase: str, *, after: bool) -> Callable[..., Any]:
    mark = Registry.record_step

    def record(self: Registry, run_id: str, name: str, which: Any, *more: Any, **named: Any) -> Any:
        here = (name, which) == (step, phase)
        if here and not after:
            raise Killed
        found = mark(self, run_id, name, which, *more, **named)
        if here:
            raise Killed
        return found

    return record


KILLS = {
    "before its outcome is on record": ("settling", "begun", True),
    "before what is gone back to is chosen": ("rollback", "begun", False),
    "before the pointer moves": ("rollback", "begun", True),
    "after the pointer moved": ("rollback", "done", False),
    "before anybody is told": ("rollback", "done", True),
    "after everybody was told": ("settling", "done", False),
}


async def test_a_run_killed_anywhere_on_the_way_is_finished_once_by_whoever_comes_next(
    line: Fallen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id: str = line.run  # type: ignore[attr-defined]
    told: Counter[str] = Counter()
    monkeypatch.setattr(
        "flows.orchestration.artifacts.alert", lambda *_, once, **__: told.update([once])
    )
    kept = shutil.copytree(line.home, tmp_path / "kept")
    for where, (step, phase, after) in KILLS.items():
        shutil.rmtree(line.home)
        shutil.copytree(kept, line.home)
        told.clear()
        with monkeypatch.context() as dying, pytest.raises(Killed):
            dying.setattr(Registry, "record_step", dies_at(step, phase, after=after))
            await settle(line.settings, run_id)
        with open_registry(line.settings) as registry:
            assert unfinished_runs(registry) == (run_id,), where
        assert await finish_stopped(line.settings, "line") == {run_id: ""}, where
        with open_registry(line.settings) as registry:
            live, found = registry.live("line"), registry.regression_outcome(run_id)
            assert live is not None and (live.model_id, live.generation) == (model("v1"), 3), where
            assert found is not None and found.rolled_back_to == model("v1"), where
            kinds = Counter(event.kind for event in registry.history("line", 200))
            assert (kinds["model_revoked"], kinds["rollback"]) == (1, 1), where
            assert unfinished_runs(registry) == (), where
        assert set(told) == {run_id}, where
        assert told[run_id] == (2 if where.startswith("after everybody") else 1), where
        assert await finish_stopped(line.settings, "line") == {}, where


async def test_the_service_finds_it_and_a_hold_that_a_person_released_is_not_placed_again(
    line: Fallen,
) -> None:
    run_id: str = line.run  # type: ignore[attr-defined]
    with open_registry(line.settings) as registry:
        registry.record_step(run_id, "settling", "begun")
    apply_outcome(line.settings, run_id)
    with open_registry(line.settings) as registry:
        registry.release("line", actor="ada", reason="I look after it")
        dispatcher = Dispatcher(line.settings, registry, None)
        assert dispatcher._left_undone() == (run_id,)
        await dispatcher._finish(run_id)
        assert dispatcher._left_undone() == ()
        live = registry.live("line")
        assert live is not None and live.model_id == model("v1")
        holds = [one for one in registry.history("line", 200) if one.kind == "hold"]
        assert len([one for one in holds if one.run_id == run_id]) == 1
        assert len(holds) == 2, "the rollback holds the target, as every one does"


async def test_resume_finishes_it_and_shows_it(line: Fallen) -> None:
    run_id: str = line.run  # type: ignore[attr-defined]
    shown = await asyncio.to_thread(line.command, "resume", run_id)
    assert shown.code == 1, shown.err
    assert "WORSE" in shown.out and "v1" in shown.out
    with open_registry(line.settings) as registry:
        live = registry.live("line")
        assert live is not None and live.model_id == model("v1")
    assert (await asyncio.to_thread(line.command, "resume", run_id)).code == 1
