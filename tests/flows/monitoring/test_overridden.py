"""A model that is live against its gate is shown as such, in `live`, in `verify` and in every report, until superseded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from flows.registry.opening import open_registry
from flows.registry.records import Binding, NewPointer, RunRecord
from flows.settings import load_settings

TARGET = "teams"


@pytest.fixture
def overridden(place: Any) -> Any:
    """The first model is live again: it failed against the second one, and ana and ben overrode that."""
    with open_registry(load_settings()) as registry:
        live, before = registry.live(TARGET), registry.previous(TARGET)
        registry.start_run(
            RunRecord(
                run_id="r3",
                target=TARGET,
                kind="promotion",
                requested_by="webhook",
                candidate_model=before.model_id,
                baseline_model=live.model_id,
                baseline_generation=live.generation,
            )
        )
        verdict = registry.verdict(place.runs[1])
        check = replace(verdict.checks[0], outcome="FAIL")
        failed = replace(
            verdict,
            outcome="FAIL",
            checks=(check,),
            candidate_model=before.model_id,
            baseline_model=live.model_id,
            first_release=False,
        )
        registry.save_verdict("r3", failed)
        for person in ("ana", "ben"):
            registry.answer(
                "r3", "override", actor=person, reason="a label error", binding=Binding.of(failed)
            )
        registry.set_run_state("r3", "promoting")
        kept = {
            k: v for k, v in asdict(before).items() if k not in ("generation", "since", "run_id")
        }
        registry.switch(
            NewPointer(**kept, run_id="r3"),
            expected_generation=live.generation,
            actor="webhook",
            reason="FAIL, overridden",
        )
        registry.set_run_state("r3", "promoted")
    return place


def shown(capsys: Any, place: Any, *arguments: str) -> str:
    capsys.readouterr()
    place.run(*arguments)
    return str(capsys.readouterr().out)


def test_live_names_the_people_and_their_reason(overridden, capsys):
    said = shown(capsys, overridden, "live", TARGET)
    assert "against its gate: overridden by ana" in said
    assert "a label error" in said
    told = json.loads(shown(capsys, overridden, "live", TARGET, "--json"))
    assert [answer["actor"] for answer in told["overrides"]] == ["ana", "ben"]
    assert told["evidence"] == "r3"


def test_every_report_of_the_target_says_it(overridden, capsys):
    report = shown(capsys, overridden, "report", overridden.runs[0], "--format", "json")
    assert "against its gate, overridden by ana (a label error) and ben" in report


def test_verify_says_it(overridden, capsys):
    assert "overridden by ben" in shown(capsys, overridden, "verify", TARGET, "--offline")


def test_once_another_model_is_live_nothing_says_it_but_history(overridden, capsys):
    overridden.run("rollback", TARGET, "--reason", "better so")
    assert "against its gate" not in shown(capsys, overridden, "live", TARGET)
    report = shown(capsys, overridden, "report", overridden.runs[0], "--format", "json")
    assert "overridden by" not in report
    changes = json.loads(shown(capsys, overridden, "history", TARGET, "--json"))
    assert [c["actor"] for c in changes if c["kind"] == "override"] == ["ben", "ana"]


def test_history_names_the_evidence(place, capsys):
    said = shown(capsys, place, "history", TARGET)
    assert place.runs[1] in said
