"""A new kind of check is one entry of one table: the gate judges by it at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evals.checks.kinds import KINDS, KindSpec
from evals.gate.examiner import Evidence
from evals.gate.judge import judge

CLEARLY_BELOW = KindSpec(
    relative=True,
    rising=True,
    condition="may exceed the baseline by less than {threshold}",
    asked="exceed by less than {threshold}",
    proven="no higher than",
    limit="it must stay below {threshold}",
)


@pytest.fixture(autouse=True)
def new_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "max_excess", CLEARLY_BELOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ones", "outcome"), [(50, "PASS"), (190, "FAIL")])
def test_the_gate_judges_by_a_kind_that_was_added_to_the_table(
    results: Callable[..., Any], policy: Callable[..., Any], ones: int, outcome: str
) -> None:
    gate = policy({"metric": "loud", "kind": "max_excess", "threshold": 0.1})
    evidence = Evidence(
        candidate={"triage": results({"loud": [1.0] * ones + [0.0] * (200 - ones)})},
        baseline={"triage": results({"loud": [1.0] * 60 + [0.0] * 140}, model="base")},
    )
    verdict = judge(gate, evidence)
    assert verdict.outcome == outcome
    assert "may exceed the baseline by less than 0.1" in verdict.checks[0].reason
