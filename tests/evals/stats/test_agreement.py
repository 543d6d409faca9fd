"""Agreement of a judge with people, against published and independent figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.records import Score
from evals.stats.agreement import agreement, krippendorff_alpha

# The worked example of Krippendorff (2011): four observers, twelve units, missing values.
RATERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def test_alpha_is_that_of_the_published_example() -> None:
    units = [list(unit) for unit in zip(*RATERS, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(units, level="interval") == pytest.approx(0.849, abs=5e-4)


def test_alpha_is_undefined_where_nobody_differs() -> None:
    assert krippendorff_alpha([]) is None
    assert krippendorff_alpha([[1, 1], [1, 1]]) is None
    assert krippendorff_alpha([[1], [2]]) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_alpha_of_two_raters_follows_from_its_definition(pairs) -> None:
    values = [value for pair in pairs for value in pair]
    n = len(values)
    observed = sum(a != b for a, b in pairs) / len(pairs)
    expected = sum(a != b for i, a in enumerate(values) for j, b in enumerate(values) if i != j) / (
        n * (n - 1)
    )
    alpha = krippendorff_alpha([list(pair) for pair in pairs])
    assert alpha is None if expected == 0 else alpha == pytest.approx(1 - observed / expected)


def score(case: str, value: float | None, label: str | None = None) -> Score:
    return Score(case_id=case, grader="j", version="1", value=value, predicted=label, truth=label)


def test_kappa_is_scikit_learns() -> None:
    from sklearn.metrics import cohen_kappa_score

    judge, human = "aabbabcab", "aabbbbcaa"
    scores = [score(f"c{n}", 1.0, label) for n, label in enumerate(judge)]
    found = agreement(scores, {f"c{n}": label for n, label in enumerate(human)})
    assert found.kappa == pytest.approx(cohen_kappa_score(list(judge), list(human)))
    assert (found.n, found.exact) == (9, pytest.approx(7 / 9))


def test_numbers_are_weighed_by_their_distance() -> None:
    from sklearn.metrics import cohen_kappa_score

    judge, human = [0, 0.5, 1, 0.5, 0], [0, 0.5, 0.5, 1, 0]
    found = agreement(
        [score(f"c{n}", v) for n, v in enumerate(judge)],
        {f"c{n}": v for n, v in enumerate(human)},
        level="interval",
    )
    ranks = [[int(v * 2) for v in side] for side in (judge, human)]
    assert found.kappa == pytest.approx(cohen_kappa_score(*ranks, weights="quadratic"))


def test_what_only_one_side_judged_is_left_out() -> None:
    found = agreement(
        [score("a", 1.0), score("b", None), score("c", 0.0)], {"a": 1.0, "b": 1.0, "z": 0.0}
    )
    assert found.n == 1
    assert found.kappa is None
    with pytest.raises(ValueError, match="found none"):
        agreement([score("b", None)], {"b": 1.0})
