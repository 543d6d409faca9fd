"""The order of asking is random, the same for the same seed, and every prefix is a fair sample of every slice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases.table import CaseTable
from evals.evaluation.ordering import look_sizes, stratified_order
from evals.records import Case


def order_of(plans: list[str], tags: list[str], seed: str) -> list[int]:
    cases = CaseTable(
        Case(id=f"c{number}", messages=(), tags={"plan": plan}) for number, plan in enumerate(plans)
    )
    return stratified_order(cases, tags, seed).tolist()


@given(plans=st.lists(st.sampled_from("abc"), min_size=1, max_size=80), seed=st.text(max_size=5))
def test_every_case_is_asked_once_and_the_seed_alone_decides_when(
    plans: list[str], seed: str
) -> None:
    order = order_of(plans, ["plan"], seed)
    assert sorted(order) == list(range(len(plans)))
    assert order == order_of(plans, ["plan"], seed)


def test_another_seed_is_another_order() -> None:
    many = ["a"] * 100
    assert order_of(many, [], "one") != order_of(many, [], "two")


@given(seed=st.integers(0, 50), size=st.integers(50, 300))
def test_every_prefix_holds_every_slice_in_proportion(seed: int, size: int) -> None:
    plans = ["a" if number % 5 else "b" for number in range(size)]
    order = order_of(plans, ["plan"], str(seed))
    for step in range(1, 11):
        prefix = order[: size * step // 10]
        share = sum(plans[position] == "b" for position in prefix)
        assert abs(share - len(prefix) / 5) <= 2


@given(size=st.integers(1, 5000), looks=st.integers(1, 20))
def test_looks_are_equal_steps_the_first_after_thirty_cases(size: int, looks: int) -> None:
    sizes = look_sizes(size, looks)
    assert sizes[-1] == size
    assert len(sizes) <= min(looks, 10)
    assert len(sizes) == 1 or sizes[0] >= 30
    steps = [after - before for before, after in zip((0, *sizes), sizes, strict=False)]
    assert max(steps) - min(steps) <= 1


def test_a_suite_without_cases_has_no_looks() -> None:
    with pytest.raises(ValueError, match="without cases"):
        look_sizes(0, 10)
