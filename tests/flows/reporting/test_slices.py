"""Slices that got worse are named only when they still are after looking at all of them; pairs are counted exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evals.gate.policy import GatePolicy, load_policy
from evals.metrics.results import ModelResults
from evals.records import Role
from evals.stats.paired_binary import mcnemar
from evals.suites.opened import OpenedSuite, open_suite
from flows.reporting.slices import pairs_of, slices_of

SIZE = 30
TONGUES = ("cs", "de", "fr", "pl")


@pytest.fixture
async def opened(tmp_path: Path) -> OpenedSuite:
    (tmp_path / "suite.yaml").write_text(
        'version: 1\nname: letters\ntags: [tongue]\nprompt: [{role: user, content: "{{ item.q }}"}]\n'
        "graders: [{name: kind, type: contains, text: kind}]\n"
    )
    cases = (
        {"id": f"c{n}", "item": {"q": f"question {n}"}, "tags": {"tongue": TONGUES[n // SIZE]}}
        for n in range(SIZE * len(TONGUES))
    )
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    return open_suite(tmp_path)


@pytest.fixture
def policy(tmp_path: Path) -> GatePolicy:
    path = tmp_path / "gate.yaml"
    path.write_text(
        "version: 1\nname: letters\nfirst_release: absolute_checks\n"
        "checks:\n  - {metric: kind, at_least: 0.5}\n"
    )
    return load_policy(path)


@pytest.fixture
def answered(opened: OpenedSuite) -> Callable[..., Mapping[Role, Mapping[str, ModelResults]]]:
    """Both models' results, given how many cases of a tongue each gets wrong (the first so many, by turns)."""

    def side(model: str, values: np.ndarray) -> ModelResults:
        return ModelResults(
            model_id=model,
            suite="letters",
            fingerprint=opened.fingerprint,
            grader_versions={"kind": "1"},
            case_ids=tuple(case.id for case in opened.suite.cases),
            planned=np.ones(values.size, dtype=bool),
            columns={"kind": values},
            labels={},
            tags={"tongue": np.asarray([case.tags["tongue"] for case in opened.suite.cases])},
            clusters=None,
            outcomes={"answered": values.size},
            evidence_digest="none",
        )

    def both(
        lost: Mapping[str, int], won: Mapping[str, int], wrong: float = 0.0
    ) -> Mapping[Role, Mapping[str, ModelResults]]:
        ours, theirs = np.ones((4, SIZE)), np.ones((4, SIZE))
        for number, tongue in enumerate(TONGUES):
            ours[number, : lost.get(tongue, 0)] = wrong
            theirs[number, SIZE - won.get(tongue, 0) :] = wrong
        return {
            "candidate": {"letters": side("new", ours.ravel())},
            "baseline": {"letters": side("old", theirs.ravel())},
        }

    return both


def test_a_slice_is_worse_only_if_it_is_after_correcting_for_all_of_them(policy, opened, answered):
    results = answered(lost={"cs": 9, "de": 6, "fr": 1}, won={"de": 0, "fr": 1, "pl": 5})
    rows = {row.slice["tongue"]: row for row in slices_of(policy, opened, results)}
    assert rows["cs"].p_worse == pytest.approx(0.5**9)
    assert rows["cs"].p_holm == pytest.approx(4 * 0.5**9)
    assert rows["de"].p_worse == pytest.approx(0.5**6)
    assert rows["de"].p_holm == pytest.approx(3 * 0.5**6)
    assert [tongue for tongue, row in rows.items() if row.worse] == ["cs", "de"]
    # Five lost cases alone would be called worse (p = 0.03), but not as one of four slices.
    rows = {
        row.slice["tongue"]: row
        for row in slices_of(policy, opened, answered({"cs": 5}, {"de": 2}))
    }
    assert rows["cs"].p_worse < 0.05 < rows["cs"].p_holm
    assert not any(row.worse for row in rows.values())


def test_the_p_value_is_never_smaller_than_the_exact_one(policy, opened, answered):
    for lost in range(1, SIZE + 1):
        row = slices_of(policy, opened, answered({"cs": lost}, {"cs": 0}))[0]
        assert row.p_worse >= mcnemar(0, lost).p_worse_exact


def test_a_slice_that_may_not_decide_still_counts_as_one_that_was_looked_at(
    policy, opened, answered
):
    # Fifteen pairs of related cases in the first slice, but only three groups of ten in each of the others.
    related = np.concatenate([np.arange(SIZE) // 2, 100 + np.arange(3 * SIZE) // 10])
    results = {
        role: {"letters": replace(side["letters"], clusters=related)}
        for role, side in answered({"cs": 20, "de": 20}, {}, wrong=0.5).items()
    }
    rows = slices_of(policy, opened, results)
    assert [row.p_worse for row in rows[1:]] == [1.0, 1.0, 1.0]
    assert all("only 3 clusters" in row.note for row in rows[1:])
    assert rows[0].p_worse < 0.05
    assert rows[0].p_holm == pytest.approx(4 * rows[0].p_worse)


def test_without_a_baseline_nothing_is_tested(policy, opened, answered):
    alone = {"candidate": answered({"cs": 3}, {})["candidate"]}
    assert {row.p_holm for row in slices_of(policy, opened, alone)} == {None}
    assert list(pairs_of(policy, opened, alone)) == []


def test_pairs_are_counted_both_ways_with_the_exact_p(policy, opened, answered):
    (row,) = pairs_of(policy, opened, answered({"cs": 9, "de": 3}, {"pl": 4}))
    assert (row.suite, row.metric, row.n, row.wins, row.losses) == ("letters", "kind", 120, 4, 12)
    assert row.p_exact == pytest.approx(0.076812744140625)


def test_grades_between_right_and_wrong_have_no_pairs_to_count(policy, opened, answered):
    assert list(pairs_of(policy, opened, answered({"cs": 9}, {}, wrong=0.5))) == []
