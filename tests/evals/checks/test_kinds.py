"""Every kind of check is one entry of a table, from preflight to report; a new kind is a new entry."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, get_args

import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.checks.check import Check
from evals.checks.kinds import KINDS, CheckKind, KindSpec, kind_spec
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.report.sections.check import check_view


def test_the_table_the_type_and_the_gate_files_schema_name_the_same_kinds() -> None:
    schema = json.loads(files("evals").joinpath("schemas/gate.schema.json").read_text())
    assert tuple(KINDS) == get_args(CheckKind)
    for part in ("check", "slice"):
        assert set(KINDS) <= set(schema["$defs"][part]["properties"])


@pytest.mark.parametrize(
    ("kind", "stated", "ratio", "threshold"),
    [
        ("at_least", 0.8, False, 0.8),
        ("at_most", 1800.0, False, 1800.0),
        ("max_drop", 0.02, False, -0.02),
        ("max_drop", 0.1, True, 0.9),
        ("max_rise", 5.0, False, 5.0),
        ("max_rise", 0.1, True, 1.1),
        ("min_gain", 0.01, False, 0.01),
        ("min_gain", 0.05, True, 1.05),
    ],
)
def test_a_margin_becomes_a_difference_or_a_ratio(
    kind: str, stated: float, ratio: bool, threshold: float
) -> None:
    assert kind_spec(kind).threshold(stated, ratio=ratio) == pytest.approx(threshold)


def test_each_kind_suits_one_direction_and_a_gain_both() -> None:
    for kind, spec in KINDS.items():
        suited = [higher for higher in (True, False) if spec.suits(higher_is_better=higher)]
        assert suited == ([True, False] if kind == "min_gain" else [not spec.rising])
        if spec.opposite is not None:
            assert KINDS[spec.opposite].rising != spec.rising


def test_a_new_kind_is_judged_and_told_by_its_entry_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    within = KindSpec(
        relative=True,
        opposite="max_rise",
        condition="may fall short by less than {threshold}",
        asked="within {threshold}",
        proven="no further behind than",
        limit="it must lie above {threshold}",
    )
    monkeypatch.setitem(KINDS, "within", within)  # type: ignore[misc,arg-type]
    asked: dict[str, Any] = {"metric": "exact_match", "kind": "within", "threshold": 0.05}
    right = {"exact_match": np.ones(500)}
    evidence = Evidence(
        candidate={"triage": results_of(right)},
        baseline={"triage": results_of(right, model="live")},
    )
    found = judge(policy_of(asked), evidence)
    (result,) = found.checks
    assert found.outcome == "PASS"
    assert Check(**asked).relative
    assert "may fall short by less than 0.05" in result.reason
    view = check_view(result)
    assert view.bar == "within 0.05"
    assert "is no further behind than" in view.reason
    assert view.reason.endswith("it must lie above −0.050.")
