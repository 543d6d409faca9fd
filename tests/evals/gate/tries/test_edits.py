"""What changed between two gates is told key by key, with whether a model passes more easily since."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.results import policy_of

from evals.checks.check import Check
from evals.gate.anchor import Anchor
from evals.gate.policy import Approval, GatePolicy
from evals.gate.tries.edits import gate_edits
from evals.gate.tries.family import Family

DROP: dict[str, Any] = {"metric": "exact_match", "kind": "max_drop", "threshold": 0.02}
LEVEL: dict[str, Any] = {"metric": "exact_match", "kind": "at_least", "threshold": 0.8}


def gate(*checks: dict[str, Any], **more: Any) -> GatePolicy:
    made = [
        Check(**{"field": f"checks[{number}].{one['kind']}", **one})
        for number, one in enumerate(checks)
    ]
    return policy_of(*made, **more)


def told(before: GatePolicy, now: GatePolicy) -> list[str]:
    return [edit.words for edit in gate_edits(before, now)]


def test_the_same_gate_has_no_differences_wherever_its_checks_stand() -> None:
    assert told(gate(DROP, LEVEL), gate(LEVEL, DROP)) == []


@pytest.mark.parametrize(
    ("kind", "looser"),
    [("at_least", 0.7), ("at_most", 0.9), ("max_drop", 0.9), ("max_rise", 0.9), ("min_gain", 0.7)],
)
def test_a_threshold_is_looser_on_the_side_that_lets_more_pass(kind: str, looser: float) -> None:
    before = gate({"metric": "m", "kind": kind, "threshold": 0.8})
    after = gate({"metric": "m", "kind": kind, "threshold": looser})
    assert told(before, after) == [f"gate checks[0].{kind}: 0.8 -> {looser} (looser)"]
    assert told(after, before) == [f"gate checks[0].{kind}: {looser} -> 0.8"]


def test_a_margin_that_became_a_share_can_not_be_compared_and_counts_as_looser() -> None:
    share = {**DROP, "percent": True}
    assert told(gate(DROP), gate(share)) == ["gate checks[0].max_drop: 0.02 -> 2% (looser)"]


def test_a_check_that_is_gone_is_looser_and_a_new_one_is_not() -> None:
    assert told(gate(DROP, LEVEL), gate(DROP)) == [
        "gate checks[1].at_least: removed (exact_match at_least 0.8) (looser)"
    ]
    assert told(gate(DROP), gate(DROP, LEVEL)) == [
        "gate checks[1].at_least: added (exact_match at_least 0.8)"
    ]


def test_a_slice_that_is_gone_is_looser() -> None:
    narrow = {**DROP, "where": {"plan": "free"}}
    assert any(edit.looser for edit in gate_edits(gate(DROP, narrow), gate(DROP)))


@pytest.mark.parametrize(
    ("strict", "loose"),
    [
        ({"mode": "enforce"}, {"mode": "shadow"}),
        ({"decide_on": "bound"}, {"decide_on": "point"}),
        ({"if_too_few": "inconclusive"}, {"if_too_few": "report"}),
        ({"overridable": False}, {"overridable": True}),
        ({"min_cases": 100}, {"min_cases": 50}),
        (
            {"min_cases": 50, "if_too_few": "report"},
            {"min_cases": 100, "if_too_few": "report"},
        ),
    ],
)
def test_what_a_check_asks_less_of_is_looser(strict: dict[str, Any], loose: dict[str, Any]) -> None:
    before, after = gate({**DROP, **strict}), gate({**DROP, **loose})
    assert any(edit.looser for edit in gate_edits(before, after))
    assert not any(edit.looser for edit in gate_edits(after, before))


@pytest.mark.parametrize(
    ("strict", "loose"),
    [
        ({"confidence": 0.95}, {"confidence": 0.9}),
        ({"min_scored": 0.99}, {"min_scored": 0.5}),
        ({"missing": "worst_case"}, {"missing": "at_random"}),
        ({"on_inconclusive": "fail"}, {"on_inconclusive": "needs_approval"}),
        ({"first_release": "refuse"}, {"first_release": "absolute_checks"}),
        ({"family": Family(candidates=10)}, {"family": None}),
        ({"family": Family(candidates=10)}, {"family": Family(candidates=5)}),
        ({"approval": Approval(required=2)}, {"approval": Approval(required=1)}),
        (
            {"approval": Approval(not_requester=True)},
            {"approval": Approval(not_requester=False)},
        ),
        ({"training_overlap": {"exact": "refuse"}}, {"training_overlap": {"exact": "report"}}),
    ],
)
def test_what_a_gate_asks_less_of_is_looser(strict: dict[str, Any], loose: dict[str, Any]) -> None:
    before, after = gate(DROP, **strict), gate(DROP, **loose)
    assert any(edit.looser for edit in gate_edits(before, after))
    assert not any(edit.looser for edit in gate_edits(after, before))


@pytest.mark.parametrize("change", [{"early_stop": False}, {"futility": False}])
def test_when_asking_ends_makes_no_gate_looser(change: dict[str, Any]) -> None:
    for before, after in ((gate(DROP), gate(DROP, **change)), (gate(DROP, **change), gate(DROP))):
        (edit,) = gate_edits(before, after)
        assert not edit.looser


def test_every_key_of_a_gate_and_of_a_check_has_a_rule_or_counts_as_looser() -> None:
    unknown = gate({**DROP, "with_labels": True})
    assert [edit.looser for edit in gate_edits(gate(DROP), unknown)] == [True]
    assert [edit.looser for edit in gate_edits(unknown, gate(DROP))] == [True]


def test_a_gate_is_read_back_from_plain_data_as_it_was() -> None:
    whole = gate(DROP, LEVEL, family=Family(candidates=3, window_s=86400))
    assert msgspec.convert(msgspec.to_builtins(whole), GatePolicy) == whole


def test_what_did_not_decide_may_go() -> None:
    shadow = {**LEVEL, "mode": "shadow"}
    assert not any(edit.looser for edit in gate_edits(gate(DROP, shadow), gate(DROP)))


def test_what_changed_is_told_in_the_words_of_the_file() -> None:
    blocks = {
        "anchor": Anchor(model="first", margins={"refusal": (0.3, False), "cost": (0.1, True)})
    }
    assert told(gate(DROP), gate(DROP, **blocks, family=Family(candidates=2))) == [
        "gate anchor: none -> model first, candidates 20, margin {refusal: 0.3, cost: 10%}",
        "gate family: none -> candidates 2, window 90d, confidence 0.95",
    ]
    shorter = gate(DROP, family=Family(candidates=2, window_s=36 * 3600))
    assert told(gate(DROP, family=Family(candidates=2)), shorter) == [
        "gate family.window: 90d -> 36h (looser)"
    ]
    wider = {"anchor": Anchor(model="first", margins={"refusal": (0.4, False)})}
    narrow = {"anchor": Anchor(model="first", margins={"refusal": (0.3, False)})}
    assert told(gate(DROP, **narrow), gate(DROP, **wider)) == [
        "gate anchor.margin: {refusal: 0.3} -> {refusal: 0.4} (looser)"
    ]
