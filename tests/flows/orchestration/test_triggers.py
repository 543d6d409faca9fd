"""Which targets a finished fine-tuning job is for."""

from __future__ import annotations

from typing import Any

import pytest
from support.project import Project

from evals.errors import ConfigurationError
from flows.config.target import load_target
from flows.orchestration.triggers import all_targets, targets_wanting
from flows.platforms.fine_tuning.records import Job

WATCHES: dict[str, dict[str, Any]] = {
    "quiet": {},
    "by-metadata": {"metadata": {"team": "support"}},
    "by-suffix": {"suffix": "triage-*"},
    "by-both": {"suffix": "triage-*", "metadata": {"team": "support"}},
}


def wanting(project: Project, suffix: str | None = None, **metadata: str) -> list[str]:
    """Names of the targets that want a job."""
    for name, watch in WATCHES.items():
        plain = {"version": 1, "name": name, "platform": "embedded", "suites": ["s"], "gate": "g"}
        project.write_target(name, {**plain, **({"watch": watch} if watch else {})})
    job = Job(id="ftjob-1", status="succeeded", suffix=suffix, metadata=metadata)
    targets = [load_target(project.targets, name) for name in WATCHES]
    return [target.name for target in targets_wanting(job, targets)]


@pytest.mark.parametrize(
    ("suffix", "metadata", "names"),
    [
        (None, {"target": "quiet"}, ["quiet"]),
        (None, {"team": "support"}, ["by-metadata"]),
        ("triage-7", {}, ["by-suffix"]),
        ("triage-7", {"team": "support"}, ["by-metadata", "by-suffix", "by-both"]),
        ("other", {"team": "sales"}, []),
        (None, {}, []),
    ],
)
def test_a_job_is_for_the_target_it_names_and_for_those_whose_watch_fits(
    project: Project, suffix: str | None, metadata: dict[str, str], names: list[str]
) -> None:
    assert wanting(project, suffix, **metadata) == names


def test_the_problems_of_all_target_files_are_told_at_once(project: Project) -> None:
    for name in ("one", "two"):
        project.write_target(name, {"version": 1, "name": name})
    with pytest.raises(ConfigurationError) as caught:
        all_targets(project.settings)
    assert {"one.yaml", "two.yaml"} == {
        problem.where.rpartition("/")[2] for problem in caught.value.problems
    }
