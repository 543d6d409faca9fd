"""What a candidate scored: missing answers at their worst, and what it clearly breaks."""

from __future__ import annotations

import pytest

from evals.checks.check import Check
from evals.errors import ConfigurationError
from evals.gate.policy import load_policy
from evals.metrics.tabulation import tabulate
from evals.records import Response, Score
from evals.selection.standing import choosing_check, higher_is_better, standing_of
from evals.suites.part import without

GATE = """checks:
  - {metric: latency_p95_ms, at_most: 900, mode: shadow}
  - metric: exact
    slices: [{each: plan, max_drop: 0.3, min_cases: 10, if_too_few: report}]
  - {metric: exact, at_least: 0.6}
  - {metric: refusal_rate, at_most: 0.3}
"""


@pytest.fixture
def policy(gate_file):
    return load_policy(gate_file(GATE))


def results(opened, right, answered):
    """Answers to the first `answered` cases, the first `right` of them as expected."""
    ids = list(opened.suite.cases.ids)[:answered]
    (grader,) = opened.graders
    return {
        opened.suite.name: tabulate(
            opened,
            [Response(case_id=name, model_id="m", outcome="answered", text="yes") for name in ids],
            [
                Score(
                    case_id=name,
                    grader=grader.name,
                    version=grader.version,
                    value=float(place < right),
                )
                for place, name in enumerate(ids)
            ],
            model_id="m",
            price=None,
        )
    }


def test_the_first_check_that_decides_on_all_cases_ranks(policy, folder_suite):
    opened = folder_suite(40)
    check = choosing_check(policy, [opened], None, "t.yaml")
    assert (check.metric, check.kind) == ("exact", "at_least")
    assert higher_is_better(check, [opened])
    other = choosing_check(policy, [opened], "refusal_rate", "t.yaml")
    assert not higher_is_better(other, [opened])


def test_a_metric_that_no_check_decides_on_is_refused_by_name(policy, folder_suite):
    with pytest.raises(ConfigurationError, match=r"promotion\.choose_by.*'exakt'.*exact"):
        choosing_check(policy, [folder_suite(40)], "exakt", "t.yaml")


def test_missing_answers_count_as_wrong(policy, folder_suite):
    opened = folder_suite(40)
    check = choosing_check(policy, [opened], None, "t.yaml")
    whole = standing_of(policy, check, 0, results(opened, 30, 40))
    hanging = standing_of(policy, check, 1, results(opened, 30, 30))
    assert (whole.score, hanging.score) == (0.75, 0.75)
    assert (hanging.scored, hanging.asked) == (30, 40)


def test_who_clearly_breaks_a_condition_of_its_own_is_marked(policy, folder_suite):
    opened = folder_suite(60)
    check = choosing_check(policy, [opened], None, "t.yaml")
    bad = standing_of(policy, check, 0, results(opened, 10, 60))
    unclear = standing_of(policy, check, 1, results(opened, 33, 60))
    assert "exact at_least 0.6" in bad.failed[0]
    assert unclear.failed == ()


def test_without_any_answer_there_is_no_score(policy, folder_suite):
    opened = folder_suite(40)
    check: Check = choosing_check(policy, [opened], None, "t.yaml")
    assert not standing_of(policy, check, 0, results(opened, 0, 0)).score


def test_a_part_of_a_suite_is_a_suite_of_fewer_cases(folder_suite):
    opened = folder_suite(10)
    part = without(opened, ["c3", "c4", "gone"])
    assert list(part.suite.cases.ids) == [f"c{n}" for n in (0, 1, 2, 5, 6, 7, 8, 9)]
    assert part.fingerprint == opened.fingerprint
    assert part.suite.cases.line("c9") == opened.suite.cases.line("c9")
    assert part.suite.cases.get("c9") == opened.suite.cases.get("c9")
    assert without(opened, ["c3", "c4"]).suite.cases is part.suite.cases, "made once"
    with pytest.raises(ValueError, match="no case of triage is left"):
        without(opened, list(opened.suite.cases.ids))
