"""A target file is read with its defaults, and refused with file, line, field and the nearest right word."""

from __future__ import annotations

from typing import Any

import pytest
from support.project import Project

from evals.errors import ConfigurationError
from evals.gate.policy import load_policy
from flows.config.connections import require_platform
from flows.config.strategy import fixed_name, strategy_problems
from flows.config.target import Target, load_target, target_names

LEAST: dict[str, Any] = {
    "version": 1,
    "name": "triage",
    "platform": "embedded",
    "suites": ["support-triage"],
    "gate": "support-triage",
}


def read(project: Project, **changes: Any) -> Target:
    project.write_target("triage", {**LEAST, **changes})
    return load_target(project.targets, "triage")


def refused(project: Project, **changes: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(project, **changes)
    return str(caught.value)


def test_what_a_target_does_not_say_has_a_careful_default(project: Project) -> None:
    target = read(project)
    assert target.promotion.strategy == "blue_green"
    assert target.promotion.keep_previous_s == 14 * 86400
    assert (target.developer.sku, target.production.sku) == ("DeveloperTier", "GlobalStandard")
    assert target.on_drift == ("alert",)
    assert target.judge is None


def test_durations_are_read_in_words_and_judges_share_the_platform(project: Project) -> None:
    target = read(project, promotion={"keep_previous": "2d"}, judge={"model": "gpt-4.1"})
    assert target.promotion.keep_previous_s == 2 * 86400
    assert target.judge is not None
    assert (target.judge.platform, target.judge.models) == ("embedded", ("gpt-4.1",))


def test_the_digest_covers_all_that_was_written(project: Project) -> None:
    assert read(project).digest == read(project).digest
    assert read(project).digest != read(project, promotion={"smoke_cases": 6}).digest


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest_one(project: Project) -> None:
    said = refused(project, suits=["support-triage"])
    assert f"{project.targets / 'triage.yaml'}:7" in said
    assert "did you mean 'suites'?" in said


def test_a_name_that_is_not_the_files_is_refused(project: Project) -> None:
    assert "expected 'triage', as the file is called; found 'other'" in refused(
        project, name="other"
    )


def test_targets_are_listed_by_name_and_a_folder_that_is_missing_has_none(
    project: Project,
) -> None:
    read(project)
    assert target_names(project.targets) == ("support-triage", "triage")
    assert target_names(project.folder / "elsewhere") == ()


def test_a_kept_deployment_name_is_the_targets_own_unless_it_names_one(project: Project) -> None:
    assert fixed_name(read(project)) is None
    assert fixed_name(read(project, promotion={"strategy": "replace"})) == "triage"
    named = {"strategy": "in_place", "deployment": "router"}
    assert fixed_name(read(project, promotion=named)) == "router"


@pytest.mark.parametrize(
    ("platform", "promotion", "said"),
    [
        ("embedded", {"deployment": "router"}, "expected only with 'strategy: replace'"),
        ("openai", {"strategy": "replace"}, "on this platform a model is asked by its own id"),
    ],
)
def test_what_does_not_go_together_with_a_strategy_is_said(
    project: Project, platform: str, promotion: dict[str, Any], said: str
) -> None:
    target = read(project, platform=platform, promotion=promotion)
    (problem,) = strategy_problems(target, load_policy(project.gate))
    assert said in problem.message
    assert problem.field is not None
    assert problem.field.startswith("promotion.")


def test_a_problem_of_the_platforms_block_is_told_with_its_line(project: Project) -> None:
    target = read(project, platform="azure_openai", azure_openai={"acount": "x"})
    with pytest.raises(ConfigurationError) as caught:
        require_platform(target)
    assert f"{target.path}:8: field 'azure_openai.acount'" in str(caught.value)
    assert "did you mean 'account'" in str(caught.value)
