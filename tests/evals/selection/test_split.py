"""Which cases choose and which judge: whole clusters, fair to every slice, and dealt once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases.table import CaseTable
from evals.records import Case, Message, decode, encode
from evals.selection.split import Dealt, SplitRule, deal, effective_choosing

QUARTER = SplitRule(share=0.25, strata=("plan",))


def table(*cases: Case) -> CaseTable:
    return CaseTable(cases)


def case(name: object, plan: str = "", cluster: str | None = None) -> Case:
    tags = {"plan": plan} if plan else {}
    return Case(id=f"c{name}", messages=asked(name), tags=tags, cluster=cluster)


def asked(name: object) -> tuple[Message, ...]:
    return (Message(role="user", content=f"{name}?"),)


def dealt(cases: CaseTable, *before: Dealt, rule: SplitRule = QUARTER) -> Dealt:
    found = deal(cases, before, rule, "router/routing")
    assert found is not None
    return found


def test_a_quarter_chooses_of_the_suite_and_of_each_slice():
    cases = table(
        *(case(n, "free") for n in range(160)), *(case(n, "paid") for n in range(160, 200))
    )
    found = dealt(cases)
    assert (len(found.choosing), len(found.judging)) == (50, 150)
    plans = Counter(cases.get(name).tags["plan"] for name in found.choosing)
    assert plans == {"free": 40, "paid": 10}


def test_many_slices_of_one_case_each_still_give_a_quarter():
    cases = table(*(case(n, f"plan {n}") for n in range(80)))
    assert len(dealt(cases).choosing) == 20


def test_the_order_of_the_cases_changes_nothing():
    cases = [case(n, "free" if n % 3 else "paid") for n in range(90)]
    assert set(dealt(table(*cases)).choosing) == set(dealt(table(*reversed(cases))).choosing)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), min_size=1, max_size=120),
    st.sampled_from([0.05, 0.25, 0.5, 0.75]),
)
def test_clusters_stay_whole_and_every_case_has_one_part(rows, share):
    cases = table(*(case(n, plan, f"k{key}") for n, (key, plan) in enumerate(rows)))
    found = dealt(cases, rule=SplitRule(share=share, strata=("plan",)))
    assert sorted([*found.choosing, *found.judging]) == sorted(cases.ids)
    keys = {
        part: {cases.get(name).cluster for name in getattr(found, part)}
        for part in ("choosing", "judging")
    }
    assert not keys["choosing"] & keys["judging"]


def test_a_suite_that_grows_keeps_its_parts_and_deals_what_is_new_by_the_same_rule():
    first = [case(n, "free") for n in range(100)]
    before = dealt(table(*first))
    more = [*first, *(case(n, "free") for n in range(100, 300))]
    after = dealt(table(*more), before)
    assert not {*after.choosing, *after.judging} & set(table(*first).ids)
    assert len(after.choosing) == 50
    assert deal(table(*more), (before, after), QUARTER, "router/routing") is None
    whole = effective_choosing(table(*more), (before, after))
    assert set(whole) == {*before.choosing, *after.choosing}


def test_a_new_case_goes_where_its_cluster_went():
    first = [case(n, "free", f"k{n // 4}") for n in range(80)]
    before = dealt(table(*first))
    grown = table(*first, *(case(n, "free", f"k{n - 80}") for n in range(80, 100)))
    after = dealt(grown, before)
    parts = {
        grown.get(name).cluster: part
        for one in (before,)
        for part in ("choosing", "judging")
        for name in getattr(one, part)
    }
    for part in ("choosing", "judging"):
        assert all(parts[grown.get(name).cluster] == part for name in getattr(after, part))


def test_a_cluster_put_together_of_both_parts_does_not_judge():
    before = dealt(table(*(case(n) for n in range(40))))
    chose, judged = before.choosing[0], before.judging[0]
    both = {chose, judged}
    regrouped = table(
        *(case(n, cluster="both" if f"c{n}" in both else f"own {n}") for n in range(40))
    )
    assert judged in effective_choosing(regrouped, (before,))


def test_a_case_that_was_taken_out_and_put_back_keeps_its_part():
    cases = [case(n) for n in range(40)]
    before = dealt(table(*cases))
    fewer = table(*(one for one in cases if one.id != before.choosing[0]))
    assert deal(fewer, (before,), QUARTER, "router/routing") is None
    assert before.choosing[0] in effective_choosing(table(*cases), (before,))


def renamed(cases: list[Case], name: Callable[[int], str]) -> CaseTable:
    return table(*(msgspec.structs.replace(one, id=name(n)) for n, one in enumerate(cases)))


def test_cases_that_are_called_otherwise_keep_their_part():
    cases = [case(n) for n in range(40)]
    before = dealt(table(*cases))
    named = renamed(cases, lambda n: f"other-{n}")
    assert deal(named, (before,), QUARTER, "router/routing") is None
    chosen = {f"other-{name[1:]}" for name in before.choosing}
    assert set(effective_choosing(named, (before,))) == chosen


def test_a_row_that_is_put_in_moves_no_question_to_the_other_part():
    cases = [case(n) for n in range(40)]
    before = dealt(table(*cases))
    shifted = renamed([case("new"), *cases], lambda n: f"c{n}")
    judging = {f"c{int(name[1:]) + 1}" for name in before.judging}
    chosen = {f"c{int(name[1:]) + 1}" for name in before.choosing}
    found = effective_choosing(shifted, (before,))
    assert chosen <= set(found)
    assert not judging & set(found)


def test_a_question_that_was_reworded_keeps_its_part_also_under_another_name_later():
    cases = [case(n) for n in range(40)]
    before = dealt(table(*cases))
    reworded = [msgspec.structs.replace(one, messages=asked(f"so, {one.id}")) for one in cases]
    after = dealt(table(*reworded), before)
    assert set(after.choosing) == set(before.choosing)
    found = effective_choosing(renamed(reworded, lambda n: f"other-{n}"), (before, after))
    assert set(found) == {f"other-{name[1:]}" for name in before.choosing}


def test_a_split_of_before_digests_were_kept_goes_by_ids_and_gets_them_when_dealt_again():
    cases = [case(n) for n in range(40)]
    now = dealt(table(*cases))
    old = decode(encode({"rule": QUARTER, "choosing": now.choosing, "judging": now.judging}), Dealt)
    assert set(effective_choosing(table(*cases), (old,))) == set(now.choosing)
    again = dealt(table(*cases), old)
    assert set(again.choosing) == set(old.choosing)
    found = effective_choosing(renamed(cases, lambda n: f"other-{n}"), (old, again))
    assert set(found) == {f"other-{name[1:]}" for name in old.choosing}


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_another_suite_is_dealt_otherwise_and_the_same_one_alike(share):
    cases, rule = table(*(case(n) for n in range(100))), SplitRule(share=share)
    one, same = (deal(cases, (), rule, "router/routing") for _ in range(2))
    other = deal(cases, (), rule, "router/other")
    assert one == same
    assert one is not None
    assert other is not None
    assert one.choosing != other.choosing
    assert len(one.choosing) == 100 * share
