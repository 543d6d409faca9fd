"""`gatewright plan` takes the share of answers that is expected to be lost, as people write it."""

from __future__ import annotations

import pytest
from support.project import Project

TARGET = "support-triage"


def test_a_share_of_lost_answers_is_in_the_plan(project: Project) -> None:
    plan = project.command("plan", TARGET, "--discordance", "0.1", "--loss", "0.5%", "--json").json
    assert plan["lost"] == pytest.approx(0.005)
    assert any(check.get("lost_cost") for check in plan["checks"])


def test_what_no_model_could_pass_is_said(project: Project) -> None:
    told = project.command("plan", TARGET, "--discordance", "0.1", "--loss", "0.3")
    assert "can't pass" in told.out


@pytest.mark.parametrize("loss", ["1.5", "120%", "some", "-1%", "nan"])
def test_what_is_no_share_is_refused(project: Project, loss: str) -> None:
    refused = project.command("plan", TARGET, f"--loss={loss}")
    assert refused.code == 3
    assert "expected a share such as 0.5%" in refused.err
