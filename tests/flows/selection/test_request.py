"""What is said of a suite that can't be split, before anything is recorded."""

from __future__ import annotations

import pytest
from support.project import Project
from support.topics import GATE, TARGET, write_target

from evals.errors import ConfigurationError
from flows.registry.opening import open_registry
from flows.selection.request import request_selection


def refusal(project: Project) -> str:
    with pytest.raises(ConfigurationError) as refused:
        request_selection(project.settings, TARGET, ["m1", "m2"], actor="ana")
    with open_registry(project.settings) as registry:
        assert registry.runs(TARGET) == ()
    return str(refused.value)


def test_a_suite_with_too_few_cases_to_choose_on_says_how_many_it_needs(tmp_path):
    project = Project(tmp_path)
    write_target(project, each=5, promotion={"choose_on": 0.1})
    told = refusal(project)
    assert "10 cases are too few to choose on: at least 20 are needed" in told
    assert "have at least 200 cases" in told


def test_a_rest_that_is_too_small_to_judge_says_how_many_cases_it_takes_in_all(tmp_path):
    project = Project(tmp_path)
    write_target(project, each=6, promotion={"choose_on": 0.25})
    checks = [{"metric": "team.accuracy", "at_least": 0.3, "max_drop": 0.025}]
    project.write_gate(TARGET, GATE | {"checks": checks})
    told = refusal(project)
    assert "the 90 cases that are left to judge can never pass" in told
    assert "even flawless answers need 106 (have at least 142 cases in all" in told


def test_a_metric_that_no_check_decides_on_can_t_rank(tmp_path):
    project = Project(tmp_path)
    write_target(project, promotion={"choose_by": "team.acuracy"})
    assert "team.accuracy" in refusal(project)


def test_a_plan_for_one_of_several_counts_the_cases_that_judge(tmp_path):
    project = Project(tmp_path)
    write_target(project)
    whole = project.command("plan", TARGET, "--json", "--discordance", "0.1")
    rest = project.command("plan", TARGET, "--json", "--discordance", "0.1", "--one-of-several")
    assert (whole.json["suites"], rest.json["suites"]) == ({TARGET: 240}, {TARGET: 180})
    assert rest.json["checks"][1]["power"] < whole.json["checks"][1]["power"]
    write_target(project, each=5, promotion={"choose_on": 0.1})
    refused = project.command("plan", TARGET, "--one-of-several")
    assert (refused.code, "at least 200 cases" in refused.err) == (3, True)
