"""Which targets a finished fine-tuning job is for."""

from __future__ import annotations

from typing import Any

import pytest
from support.project import Project
from support.recording_proxy import recording_proxy

from flows.config.target import load_target
from flows.orchestration.triggers import targets_wanting
from flows.platforms.fine_tuning.records import Job
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.watching import watch_targets

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


async def test_what_one_target_lacks_hides_no_other(
    project: Project,
) -> None:
    """A file that can't be read, and a platform that does not answer, come before a target that is well."""
    plain = {"version": 1, "platform": "openai", "suites": ["s"], "gate": "g"}
    with recording_proxy() as platform:
        project.write_target("a-broken", {"version": 1, "name": "a-broken"})
        for name, address in (("b-dead", "http://127.0.0.1:9"), ("c-well", platform.url)):
            options = {"base_url": f"{address}/v1", "key_variable": "none"}
            project.write_target(name, {**plain, "name": name, "openai": options})
        async with PrefectRuns("http://127.0.0.1:9/api", patience_s=0) as api:
            found = {one.target: one.problem for one in await watch_targets(project.settings, api)}
    assert "a-broken.yaml" in found["a-broken"]
    assert "nothing answers at http://127.0.0.1:9" in found["b-dead"]
    assert (found["c-well"], bool(platform.asked)) == ("", True)
