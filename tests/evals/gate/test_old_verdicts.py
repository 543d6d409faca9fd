"""Verdicts and looks stored before their checks had fields for state and look are read, and told, as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.gate.look_store import LookStore
from evals.gate.old_verdicts import completed_verdict
from evals.records import LookPosition, Verdict, decode, encode
from evals.report.sections.check import check_view

PLACE = "at look 3 of 8, 90 of 240 cases"
ENDING = f"asking ended after look 3 of 8: the verdict can't become PASS any more: drop ({PLACE})"
CANT_TELL = "the interval holds the bar, so this sample can't tell"


def old_check(outcome: str, finding: str, **more: Any) -> dict[str, Any]:
    label = f"exact {more.get('kind', 'max_drop')} {more.pop('amount', '0.02')}"
    known = {
        "check": label,
        "metric": "exact",
        "kind": "max_drop",
        "threshold": 0.02,
        "outcome": outcome,
        "reason": f"{label}: {finding}",
        "decides": True,
        "suite": None,
        "slice": {},
        "n": 90,
        "estimate": -0.03,
        "lower": -0.06,
        "upper": 0.01,
    }
    return known | more


def old_verdict(*checks: dict[str, Any]) -> Verdict:
    known = {
        "outcome": "INCONCLUSIVE",
        "reasons": [check["reason"] for check in checks] + [ENDING],
        "checks": checks,
        "policy": "p",
        "policy_digest": "d",
        "evidence_digest": "d",
        "candidate_model": "c",
        "baseline_model": "b",
    }
    return completed_verdict(decode(json.dumps(known), Verdict))


@pytest.mark.parametrize(
    ("check", "state", "rests_on"),
    [
        (old_check("PASS", f"−0.03; decided {PLACE}", lower=-0.01), "decided", "interval"),
        (old_check("INCONCLUSIVE", f"−0.03 — {CANT_TELL}; still open {PLACE}"), "open", "interval"),
        (
            old_check("INCONCLUSIVE", f"−0.03 — {CANT_TELL} — would not pass: given up {PLACE}"),
            "given_up",
            "interval",
        ),
        (old_check("INCONCLUSIVE", "only 71.00% of the cases were scored"), "decided", "rule"),
        (old_check("FAIL", "9 scored cases, the policy asks for at least 60"), "decided", "rule"),
        (old_check("ERROR", "no suite measured it", estimate=None), "decided", "rule"),
        (old_check("FAIL", "decided on the estimate", decide_on="point"), "decided", "point"),
    ],
)
def test_an_old_check_gets_the_fields_that_its_sentence_says(
    check: dict[str, Any], state: str, rests_on: str
) -> None:
    (found,) = old_verdict(check).checks
    assert (found.state, found.rests_on) == (state, rests_on)
    named = LookPosition(look=3, rounds=8, planned=240) if PLACE in check["reason"] else None
    assert found.look == named


def test_an_old_margin_in_per_cent_is_a_ratio() -> None:
    cost = {"kind": "max_rise", "threshold": 0.1, "estimate": 1.2, "lower": 1.15, "upper": 1.25}
    ratio, plain = old_verdict(
        old_check("FAIL", "too dear", amount="10%", **cost),
        old_check("FAIL", "too dear", amount="0.1", **cost),
    ).checks
    assert (ratio.percent, plain.percent) == (True, False)
    assert check_view(ratio).reason.endswith("is at least +15.0 %; it must stay below +10.0 %.")


def test_an_old_verdict_says_where_asking_ended() -> None:
    assert old_verdict(old_check("INCONCLUSIVE", CANT_TELL)).ending == ENDING


def test_what_has_the_fields_is_left_as_it_is() -> None:
    once = old_verdict(old_check("INCONCLUSIVE", f"{CANT_TELL}; still open {PLACE}"))
    assert completed_verdict(decode(encode(once), Verdict)) == once


def test_the_looks_of_an_old_run_are_completed_as_they_are_read(tmp_path: Path) -> None:
    event = {"look": 3, "rounds": 8, "policy_digest": "d", "evidence_digest": "d", "stop": False}
    look = {"key": "k", "n": 90, "counted": True, "decided": False}
    check = old_check("INCONCLUSIVE", f"{CANT_TELL}; still open {PLACE}")
    line = json.dumps({**event, "needs": [], "checks": [{**look, "result": check}]})
    (tmp_path / "looks.jsonl").write_text(line + "\n")
    (found,) = LookStore(tmp_path).events()
    assert (found.checks[0].result.state, found.checks[0].decided) == ("open", False)
