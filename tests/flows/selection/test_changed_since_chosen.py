"""Who was chosen by one gate is not judged by another one without a person."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.project import Project
from support.topics import GATE, TARGET, write_target
from support.verdicts import stored_verdict

from evals.errors import ConfigurationError
from evals.records import Candidate
from evals.selection.records import FieldPlan, RungResult, Standing
from evals.selection.split import SplitRule
from flows.evaluation.open_run import open_run
from flows.evaluation.tries.counted import counted
from flows.registry.opening import open_registry
from flows.registry.selections import CHOSEN
from flows.selection.open_selection import rung_step
from flows.selection.request import request_selection
from flows.selection.rungs import request_judgement

LOOSER = GATE | {"checks": [{"metric": "team.accuracy", "at_least": 0.2, "max_drop": 0.1}]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path)
    write_target(found)
    return found


def chosen(project: Project) -> str:
    """A selection of m1 and m2 that has chosen m1, as the registry keeps it."""
    settings = project.settings
    run, _ = request_selection(settings, TARGET, ["m1", "m2"], actor="ana")
    plan = FieldPlan(
        named=("m1", "m2"),
        candidates=tuple(Candidate(model_id=name, target=TARGET) for name in ("m1", "m2")),
        rule=SplitRule(share=0.25),
        choosing={TARGET: 60},
        judging={TARGET: 180},
        metric="team.accuracy",
        check="team.accuracy",
        higher_is_better=True,
        rungs=(60,),
    )
    standing = Standing(place=0, score=0.9, asked=60, scored=60, left=True)
    rung = RungResult(rung=1, cases=60, standings=(standing,))
    with open_registry(settings) as registry:
        registry.enter_field(run.run_id, plan)
        registry.record_step(run.run_id, rung_step(1), "done", msgspec.to_builtins(rung))
        registry.record_step(run.run_id, CHOSEN, "done", {"place": 0, "why": "the highest"})
    return run.run_id


def test_the_judgement_is_refused_where_the_gate_was_changed_after_the_choice(project):
    selection = chosen(project)
    project.write_gate(TARGET, LOOSER)
    with pytest.raises(ConfigurationError, match=f"gate {TARGET} changed since this selection"):
        request_judgement(project.settings, selection)
    project.write_gate(TARGET, GATE)
    run = request_judgement(project.settings, selection)
    assert run is not None
    project.write_gate(TARGET, LOOSER)
    assert request_judgement(project.settings, selection) == run


@pytest.mark.parametrize(("model", "outcome"), [("m1", "INCONCLUSIVE"), ("m3", "PASS")])
def test_a_gate_changed_before_the_first_look_asks_a_person(project, model, outcome):
    selection = chosen(project)
    run = request_judgement(project.settings, selection)
    assert run is not None
    with open_registry(project.settings) as registry:
        registry.note_run(
            run.run_id,
            actor="gatewright",
            candidate=Candidate(model_id=model, target=TARGET),
            candidate_model=model,
            selection=selection,
        )
    with open_run(project.settings, run.run_id) as opened:
        assert counted(opened, stored_verdict(model, None, "PASS"), {}).outcome == "PASS"
    project.write_gate(TARGET, LOOSER)
    with open_run(project.settings, run.run_id) as opened:
        verdict = counted(opened, stored_verdict(model, None, "PASS"), {})
    assert verdict.outcome == outcome
