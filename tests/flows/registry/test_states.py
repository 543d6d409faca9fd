"""What a run's state says of it: whether a process has work to do, whether a person has, or nobody."""

from __future__ import annotations

from flows.registry.records import RUN_STATES, RunRecord


def runs(kind: str) -> list[RunRecord]:
    return [
        RunRecord(run_id=state, target="t", kind=kind, requested_by="ana", state=state)
        for state in RUN_STATES
    ]


def test_every_promotion_is_under_way_or_settled_or_failed() -> None:
    rest = {run.state for run in runs("promotion") if run.under_way == run.settled}
    assert rest == {"failed"}
    waiting = [run.state for run in runs("promotion") if run.settled and not run.decided]
    assert waiting == ["waiting"]


def test_a_judged_promotion_has_yet_to_go_live_and_a_judged_regression_is_through() -> None:
    judged = {
        kind: run.under_way
        for kind in ("promotion", "regression", "evaluation")
        for run in runs(kind)
        if run.state == "judged"
    }
    assert judged == {"promotion": True, "regression": False, "evaluation": False}
