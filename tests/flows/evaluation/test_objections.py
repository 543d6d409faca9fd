"""A model that got worse does not become its own measure, unless a person says why; and the measure is of the model that is live."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.letters import ModelHost
from support.succession import SUITE, Succession, model

from evals.errors import RefusedError
from flows.deployments.standing import Astray
from flows.evaluation.kept.fresh_pass import pass_over, take_reference
from flows.monitoring.regression_outcome import apply_outcome
from flows.monitoring.status.watching import reference_needs
from flows.registry.opening import open_registry
from flows.reporting.gather import report_run

pytestmark = pytest.mark.slow

CASES = 80


class Small(Succession):
    def write_cases(self, changed: int = 0) -> None:
        rows = ({"id": f"c{n:03}", "item": {"number": n}, "expected": "yes"} for n in range(CASES))
        self.write_suite("line", SUITE, rows)

    async def week(self, number: int) -> tuple[str, str]:
        run_id, _ = await self.regressed("v1", again=str(number))
        return run_id, apply_outcome(self.settings, run_id)


@pytest.fixture
async def line(tmp_path: Path, host: ModelHost) -> Small:
    line = Small(tmp_path, host, checks=[{"metric": "exact", "at_least": 0.2, "max_drop": 0.2}])
    line.run = await line.promoted("v1", wrong=4)  # type: ignore[attr-defined]
    return line


async def test_after_a_worse_run_a_reference_takes_a_reason_which_report_and_status_tell(
    line: Small,
) -> None:
    await take_reference(line.settings, "line", actor="ada")
    line.wrong[model("v1")] = 50
    run_id, word = await line.week(1)
    assert word == "worse"
    asked = line.host.asked[model("v1")]
    with pytest.raises(RefusedError, match=rf"regression run {run_id} found it worse .*--reason"):
        await take_reference(line.settings, "line", actor="ada")
    with pytest.raises(RefusedError, match="nobody is named"):
        await take_reference(line.settings, "line", actor=" ", reason="the labels were wrong")
    assert line.host.asked[model("v1")] == asked
    await take_reference(line.settings, "line", actor="ada", reason="the labels were wrong")
    again, word = await line.week(2)
    assert word == "steady"
    page = report_run(line.settings, again).with_name("report.md").read_text()
    assert "taken anew by ada on" in page and f"regression run {run_id} found it worse" in page
    assert "the labels were wrong" in page
    assert "1 regression run was held against other recorded answers before" in page
    with open_registry(line.settings) as registry:
        (need,) = reference_needs(registry, registry.live("line"))
        assert "taken anew by ada" in need.message
        (event,) = [
            one
            for one in registry.history("line", 200, kinds=None)
            if one.reason == "the labels were wrong"
        ]
        assert (event.kind, event.actor) == ("reference_kept", "ada")
    await take_reference(line.settings, "line", actor="bo")  # nothing speaks against the new one


async def test_nor_does_one_that_was_revoked_and_no_automation_says_why(line: Small) -> None:
    with open_registry(line.settings) as registry:
        registry.revoke("line", model("v1"), actor="eve", reason="leaks names")
    with pytest.raises(RefusedError, match="v1 was revoked by eve"):
        await take_reference(line.settings, "line", actor="ada")
    made = await pass_over(line.settings, line.run)  # type: ignore[attr-defined]
    assert made is not None and made.kept is None and "revoked by eve" in made.why


@pytest.mark.parametrize("at", [1, 2])
async def test_answers_of_another_model_behind_the_name_are_no_reference(
    line: Small, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    looks: list[str] = []

    async def stands(_platform: object, live: object) -> Astray | None:
        looks.append("look")
        message = "deployment d serves v9, and v1 is recorded as live"
        return Astray(kind="other_model", found="v9", message=message) if len(looks) == at else None

    monkeypatch.setattr("flows.evaluation.kept.fresh_pass.astray", stands)
    made = await pass_over(line.settings, line.run)  # type: ignore[attr-defined]
    assert made is not None and made.kept is None and "serves v9" in made.why
    with open_registry(line.settings) as registry:
        assert "serves v9" in registry.reference_failure("line", 1)
