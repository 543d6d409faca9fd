"""A candidate that passes while its target is on hold: what is said before and after, and the commands that lead on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.letters import ModelHost
from support.succession import SUITE, Succession, model

from flows.evaluation import steps
from flows.evaluation.plan import plan_target
from flows.registry.opening import open_registry
from flows.release.go_live import go_live
from flows.reporting.gather import report_run

pytestmark = pytest.mark.slow

CASES = 80


class Small(Succession):
    def write_cases(self, changed: int = 0) -> None:
        rows = ({"id": f"c{n:03}", "item": {"number": n}, "expected": "yes"} for n in range(CASES))
        self.write_suite("line", SUITE, rows)


async def test_a_hold_is_told_before_money_is_spent_and_in_the_refusal_with_what_to_do(
    tmp_path: Path, host: ModelHost
) -> None:
    line = Small(tmp_path, host, checks=[{"metric": "exact", "at_least": 0.2, "max_drop": 0.2}])
    await line.promoted("v1", wrong=4)
    with open_registry(line.settings) as registry:
        registry.hold("line", actor="ana", reason="incident 12")
    assert "held by ana since" in plan_target(line.settings, "line").held
    run_id, verdict = await line.judged("v2", wrong=4)
    assert verdict.outcome == "PASS"
    (warning,) = [one for one in await steps.preflight(line.settings, run_id) if one.name == "hold"]
    assert (warning.level, "incident 12" in warning.message) == ("warn", True)
    assert (await go_live(line.settings, run_id)).state == "refused"
    page = report_run(line.settings, run_id).with_name("report.md").read_text()
    assert "all 2 deciding checks hold, but line is held by ana since" in page
    assert "incident 12; v1 stayed live" in page
    release = "gatewright release line --reason '…'"
    again = f"gatewright promote line --model {model('v2')} --again"
    assert 0 < page.replace("\\", "").index(release) < page.replace("\\", "").index(again)
    with open_registry(line.settings) as registry:
        registry.release("line", actor="ana", reason="over")
    page = report_run(line.settings, run_id).with_name("report.md").read_text()
    assert release not in page.replace("\\", "")
    run_id, _ = await line.judged("v2", wrong=4, again="1")  # as --again does
    assert (await go_live(line.settings, run_id)).state == "live"
