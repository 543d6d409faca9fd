"""A report shows a few cases of each kind, in the order of the suite, and none that says nothing."""

from __future__ import annotations

import numpy as np

from flows.reporting.examples import MOST_OF_A_KIND, _chosen

LOST, NOT_ASKED = -1.0, -2.0


def test_each_kind_is_told_from_the_two_scores() -> None:
    ours = np.array([0.0, 1.0, 0.5, 1.0, LOST, 1.0, NOT_ASKED, NOT_ASKED])
    theirs = np.array([1.0, 0.0, 0.5, 1.0, 1.0, LOST, 1.0, LOST])
    assert _chosen(ours, theirs) == {
        0: "regression",
        1: "improvement",
        2: "both_wrong",
        4: "error",
        5: "error",
    }


def test_a_case_that_only_the_candidate_was_asked_is_no_error() -> None:
    ours = np.array([0.0, 1.0, LOST])
    for theirs in (None, np.full(3, NOT_ASKED)):
        assert _chosen(ours, theirs) == {0: "both_wrong", 2: "error"}


def test_of_many_the_first_dozen_of_each_kind_is_shown() -> None:
    ours = np.array([0.0, 1.0] * 1000)
    found = _chosen(ours, 1.0 - ours)
    assert sorted(found) == list(range(2 * MOST_OF_A_KIND))
    assert set(found.values()) == {"regression", "improvement"}
