"""The live model is measured again and fails: its evidence is revoked, automation held, and the way back offered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from evals.records import CheckResult, Endpoint, Verdict
from flows.monitoring.regression_outcome import apply_outcome
from flows.registry.records import NewPointer, RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

TARGET = "support-triage"


@pytest.fixture
def settings(project: Any) -> Settings:
    home = Path(project.environment["GATEWRIGHT_HOME"])
    return Settings(
        home=home,
        registry_url=f"sqlite:///{home / 'registry.db'}",
        targets=project.targets,
        gates=project.gates,
        datasets=project.datasets,
        actor="test",
    )


@pytest.fixture
def registry(settings: Settings) -> Any:
    """v1 was live before, v2 is."""
    with Registry.open(settings.registry_url) as registry:
        for generation, model in enumerate(("v1", "v2")):
            endpoint = Endpoint(
                base_url="http://127.0.0.1:1", model=model, model_id=model, slot="production"
            )
            registry.switch(
                NewPointer(target=TARGET, model_id=model, platform="embedded", endpoint=endpoint),
                expected_generation=generation,
                actor="ana",
                reason="runs already",
                kind="adopt",
            )
        yield registry


def measured_again(
    registry: Registry, outcome: str, model: str = "v2", besides: tuple[str, ...] = ()
) -> str:
    """A regression run of a model whose check came out so, and further checks as `besides` says."""
    run_id = f"again-{model}-{outcome.lower()}"
    registry.start_run(
        RunRecord(
            run_id=run_id,
            target=TARGET,
            kind="regression",
            requested_by="cron",
            candidate_model=model,
        )
    )
    check = CheckResult(
        check="exact_match at_least 0.8",
        metric="exact_match",
        kind="at_least",
        threshold=0.8,
        outcome=outcome,  # type: ignore[arg-type]
        reason="0.6 is below 0.8",
        decides=True,
        suite=None,
        slice={},
        n=300,
        estimate=0.6,
        candidate=0.6,
    )
    verdict = Verdict(
        outcome=outcome,  # type: ignore[arg-type]
        reasons=("0.6 is below 0.8",),
        checks=(
            check,
            *(
                replace(check, check=f"c{n} at_least 0.8", outcome=one)
                for n, one in enumerate(besides)
            ),
        ),
        policy="support-triage",
        policy_digest="sha256:p",
        evidence_digest=f"sha256:{run_id}",
        candidate_model=model,
        baseline_model=None,
    )
    registry.save_verdict(run_id, verdict)
    registry.set_run_state(run_id, "judged")
    return run_id


def asks_for(project: Any, *wanted: str) -> None:
    project.change(project.target, "on_fail: [alert, hold]", f"on_fail: [{', '.join(wanted)}]")


@pytest.mark.slow
def test_a_failed_regression_revokes_where_the_target_says_so(project, settings, registry):
    asks_for(project, "revoke")
    run_id = measured_again(registry, "FAIL")
    assert apply_outcome(settings, run_id) == "worse"
    assert registry.barred(TARGET, "v2").endswith(
        f"regression run {run_id}: exact_match is 0.600 (at least 0.80 asked)"
    )
    assert registry.held(TARGET).actor == "gatewright"
    assert registry.live(TARGET).model_id == "v2"  # a person goes back, not a machine
    said = registry.run(run_id).detail
    assert "go back to v1 with: gatewright rollback support-triage" in said
    (event,) = [e for e in registry.history(TARGET) if e.kind == "model_revoked"]
    assert (event.run_id, event.evidence_digest) == (run_id, f"sha256:{run_id}")


@pytest.mark.slow
def test_settling_twice_revokes_once(project, settings, registry):
    asks_for(project, "revoke", "hold")
    run_id = measured_again(registry, "FAIL")
    apply_outcome(settings, run_id)
    apply_outcome(settings, run_id)
    kinds = [event.kind for event in registry.history(TARGET)]
    assert kinds.count("model_revoked") == 1
    assert kinds.count("hold") == 1


def test_where_only_a_hold_is_asked_for_the_model_keeps_its_standing(project, settings, registry):
    asks_for(project, "hold")
    besides = ("FAIL", "INCONCLUSIVE", "INCONCLUSIVE", "PASS")
    apply_outcome(settings, measured_again(registry, "FAIL", besides=besides))
    assert registry.barred(TARGET, "v2") is None
    # What is undecided is no part of the reason.
    assert registry.held(TARGET).reason.endswith(
        ": exact_match is 0.600 (at least 0.80 asked), and 1 more check failed"
    )


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["PASS", "INCONCLUSIVE", "ERROR"])
def test_what_is_no_fail_has_no_consequence(project, settings, registry, outcome):
    asks_for(project, "revoke", "hold")
    apply_outcome(settings, measured_again(registry, outcome))
    assert registry.barred(TARGET, "v2") is None
    assert registry.held(TARGET) is None


@pytest.mark.slow
def test_a_model_that_is_not_live_any_more_is_revoked_without_a_hold(project, settings, registry):
    asks_for(project, "revoke")
    apply_outcome(settings, measured_again(registry, "FAIL", model="v1"))
    assert registry.barred(TARGET, "v1") is not None
    assert registry.held(TARGET) is None


@pytest.mark.slow
def test_live_shows_the_revocation_and_the_way_back(project, settings, registry):
    asks_for(project, "revoke")
    apply_outcome(settings, measured_again(registry, "FAIL"))
    shown = project.command("live", TARGET)
    assert "revoked" in shown.out
    assert "gatewright rollback support-triage" in shown.out
    assert project.command("live", TARGET, "--json").json["revoked"]["actor"] == "gatewright"
    lifted = project.command(
        "reinstate", TARGET, "again-v2-fail", "--reason", "a label error", GATEWRIGHT_ACTOR="ana"
    )
    assert lifted.out == "v2 may be live for support-triage again\n"
    assert project.command("live", TARGET, "--json").json["revoked"] is None
    refused = project.command("reinstate", TARGET, "v2", "--reason", "again")
    assert (refused.code, "nothing bars 'v2'" in refused.err) == (3, True)


def test_a_person_may_revoke_what_was_live(project, settings, registry):
    refused = project.command("revoke", TARGET, "v3", "--reason", "leaks")
    assert refused.code == 3
    assert "MODEL: 'v3' was never live" in refused.err
    assert "#1  v1" in refused.err
    done = project.command("revoke", TARGET, "#1", "--reason", "leaks", "--json")
    assert (done.code, done.json["kind"], done.json["model_id"]) == (0, "model_revoked", "v1")
    back = project.command("rollback", TARGET, "--to", "v1", "--reason", "x", "--json")
    assert back.code == 1
    assert "may not be live" in json.loads(back.out)["error"]


def test_a_first_model_that_is_revoked_after_a_rollback_has_a_way_back_too(
    project, settings, registry
):
    registry.switch(
        NewPointer(
            target=TARGET,
            model_id="v1",
            platform="embedded",
            endpoint=registry.find(TARGET, "v1").endpoint,
        ),
        expected_generation=2,
        actor="ana",
        reason="wrong refunds",
        kind="rollback",
    )
    done = project.command("revoke", TARGET, "v1", "--reason", "leaks")
    way = f"gatewright rollback {TARGET} --to '#2' --reason '…'"
    assert f"it still is: {way}" in done.out
    assert way in project.command("live", TARGET).out
    registry.revoke(TARGET, "v2", actor="ana", reason="leaks too")
    assert "way back" not in project.command("live", TARGET).out
