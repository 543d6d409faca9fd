"""Commands that write a person's word into the registry, and those that read it back, as a machine sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.project import Project, adopt

from flows.registry.records import RunRecord
from flows.registry.store import Registry

TARGET = "support-triage"


@pytest.fixture
def two_models(project: Project) -> Iterator[Project]:
    """`v1` was live, `v2` is."""
    project.home.mkdir()
    with Registry.open(project.settings.registry_url) as registry:
        adopt(registry, TARGET, "v1")
        adopt(registry, TARGET, "v2")
    yield project


def done(project: Project, *arguments: str) -> Any:
    """Run a command that has to go well, and return what it prints as JSON."""
    answer = project.command(*arguments, "--json")
    assert answer.code == 0, answer.err
    return answer.json


def test_a_hold_is_set_seen_and_released(two_models: Project) -> None:
    held = done(two_models, "hold", TARGET, "--reason", "incident")
    assert set(held) == {"target", "actor", "reason", "since"}
    assert (held["actor"], held["reason"]) == ("ana", "incident")
    assert done(two_models, "live", TARGET)["hold"] == held
    again = two_models.command("hold", TARGET, "--reason", "still")
    assert "is on hold already, by ana: incident" in again.out
    released = done(two_models, "release", TARGET, "--reason", "over")
    assert released == {"target": TARGET, "released": held | {"also": ["ana: still"]}}
    assert done(two_models, "live", TARGET)["hold"] is None


def test_releasing_what_is_not_held_is_refused(two_models: Project) -> None:
    answer = two_models.command("release", TARGET, "--reason", "over")
    assert (answer.code, answer.out) == (1, "")
    assert "support-triage is not on hold" in answer.err


def test_a_model_is_revoked_by_its_generation_and_reinstated_by_its_name(
    two_models: Project,
) -> None:
    revoked = done(two_models, "revoke", TARGET, "#1", "--reason", "leaks")
    assert (revoked["kind"], revoked["model_id"]) == ("model_revoked", "v1")
    assert done(two_models, "live", TARGET)["hold"]["reason"] == "leaks"
    back = done(two_models, "reinstate", TARGET, "v1", "--reason", "it was a false alarm")
    assert (back["kind"], back["model_id"]) == ("model_reinstated", "v1")
    answer = two_models.command("reinstate", TARGET, "v1", "--reason", "again")
    assert answer.code == 3
    assert "nothing bars 'v1'" in answer.err


def test_revoking_what_is_live_says_how_to_go_back(two_models: Project) -> None:
    answer = two_models.command("revoke", TARGET, "v2", "--reason", "leaks")
    assert "v2 may not be live for support-triage any more, and automation is on hold" in answer.out
    assert f"it still is: gatewright rollback {TARGET}" in answer.out


def test_a_model_that_was_never_live_is_answered_with_those_that_were(two_models: Project) -> None:
    answer = two_models.command("revoke", TARGET, "v9", "--reason", "leaks")
    assert answer.code == 3
    assert [line.split()[:2] for line in answer.err.splitlines()[1:]] == [
        ["#2", "v2"],
        ["#1", "v1"],
    ]


def test_going_back_from_nothing_is_refused(project: Project) -> None:
    answer = project.command("rollback", TARGET, "--reason", "x")
    assert answer.code == 1
    assert "nothing is live for support-triage" in answer.err


def test_history_is_the_newest_changes_first(two_models: Project) -> None:
    done(two_models, "hold", TARGET, "--reason", "incident")
    events = done(two_models, "history", TARGET)
    assert [event["kind"] for event in events] == ["hold", "adopt", "adopt"]
    assert [event["generation"] for event in events] == [None, 2, 1]
    assert done(two_models, "history", TARGET, "--limit", "1") == events[:1]


def test_runs_are_listed_and_one_without_a_candidate_has_no_report(two_models: Project) -> None:
    with Registry.open(two_models.settings.registry_url) as registry:
        registry.start_run(
            RunRecord(run_id="r1", target=TARGET, kind="evaluation", requested_by="ana")
        )
    (run,) = done(two_models, "runs", TARGET)
    assert (run["run_id"], run["kind"], run["requested_by"]) == ("r1", "evaluation", "ana")
    answer = two_models.command("report", "r1")
    assert answer.code == 3
    assert "the run has no candidate yet" in answer.err


@pytest.mark.parametrize("decision", ["approve", "reject", "override"])
def test_a_run_that_asks_nothing_can_not_be_answered(two_models: Project, decision: str) -> None:
    with Registry.open(two_models.settings.registry_url) as registry:
        registry.start_run(
            RunRecord(run_id="r1", target=TARGET, kind="promotion", requested_by="ben")
        )
    answer = two_models.command(decision, "r1", "--reason", "read it", "--json")
    assert answer.code == 1
    assert answer.json["error"] == "run r1 is requested and asks nothing"
    assert answer.json["exit_code"] == 1


def test_verifying_names_the_chain_and_each_target(two_models: Project) -> None:
    found = done(two_models, "verify", TARGET, "--offline")
    assert set(found) == {"registry", TARGET}
    assert [(one["name"], one["level"]) for one in found["registry"]] == [("chain", "ok")]
    assert all(set(one) >= {"name", "level", "message"} for one in found[TARGET])


def test_a_registry_is_moved_once_into_an_empty_database(two_models: Project) -> None:
    goal = f"sqlite:///{two_models.folder}/new.db"
    moved = done(two_models, "registry", "move", "--to", goal)
    assert set(moved) == {"rows", "events", "head"}
    assert (moved["events"], moved["rows"]["pointers"]) == (2, 2)
    there = two_models.command("live", TARGET, "--json", GATEWRIGHT_REGISTRY_URL=goal)
    assert there.json["model_id"] == "v2"
    again = two_models.command("registry", "move", "--to", goal)
    assert again.code == 1
    assert "name an empty database" in again.err


def test_a_regression_run_of_nothing_is_refused_before_a_server_is_started(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.commands.run.local_prefect", None)
    answer = project.command("regress", TARGET)
    assert (answer.code, "nothing is live" in answer.err) == (3, True)
