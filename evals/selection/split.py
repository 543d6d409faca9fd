"""Which cases of a suite choose among candidates and which judge the chosen one: dealt once, and never dealt again.

The best of k candidates on some cases looks better on these cases than it is. On other cases it does not: whoever was
chosen, and however, the cases that took no part in choosing judge it at the gate's full promise. So a case that has once
been dealt to the choosing part never judges a candidate that was chosen.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

from evals.cases.table import CaseTable
from evals.records import Record

__all__ = ["Dealt", "SplitRule", "deal", "effective_choosing"]


class SplitRule(Record, frozen=True, kw_only=True):
    """How cases are dealt: the share of them that chooses, in (0, 1), and the tags whose proportions both parts keep."""

    share: float
    strata: tuple[str, ...] = ()


class Dealt(Record, frozen=True, kw_only=True):
    """Cases that were dealt at one time, by their ids: those that choose, and those that judge."""

    rule: SplitRule
    choosing: tuple[str, ...]
    judging: tuple[str, ...]


class _Unit(NamedTuple):
    """Cases that stay together: a cluster, or one case that has none."""

    key: str
    stratum: tuple[str, ...]
    case_ids: list[str]


def deal(cases: CaseTable, before: Sequence[Dealt], rule: SplitRule, seed: str) -> Dealt | None:
    """Deal the cases of a suite that were not dealt before; None when there are none.

    A cluster stays whole: a new case goes where its cluster went. In each stratum units are taken in an order that
    follows from `seed` and their name alone, and every so often one chooses, so that its share of the stratum's cases is
    kept to within half a unit; what is left over goes on to the next stratum.

    Args:
        cases: all cases of the suite as it is now.
        before: what was dealt earlier.
        rule: the share and the strata.
        seed: any text, the same for a suite at all times.
    """
    chosen = frozenset(case_id for one in before for case_id in one.choosing)
    known = chosen | {case_id for one in before for case_id in one.judging}
    choosing: list[str] = []
    judging: list[str] = []
    new: dict[tuple[str, ...], list[_Unit]] = defaultdict(list)
    for unit in _units(cases, rule.strata):
        old = [case_id for case_id in unit.case_ids if case_id in known]
        fresh = [case_id for case_id in unit.case_ids if case_id not in known]
        if old and fresh:  # a dealt cluster that grew
            (choosing if chosen.intersection(old) else judging).extend(fresh)
        elif fresh:
            new[unit.stratum].append(unit)
    owed = 0.0
    for stratum in sorted(new):
        for unit in sorted(new[stratum], key=lambda one: _place(seed, one.key)):
            owed += rule.share * len(unit.case_ids)
            if 2.0 * owed >= len(unit.case_ids):
                owed -= len(unit.case_ids)
                choosing += unit.case_ids
            else:
                judging += unit.case_ids
    if not choosing and not judging:
        return None
    return Dealt(rule=rule, choosing=tuple(choosing), judging=tuple(judging))


def effective_choosing(cases: CaseTable, dealt: Iterable[Dealt]) -> tuple[str, ...]:
    """Return the ids of a suite's cases that may not judge, in the suite's order.

    These are the cases of the choosing part, and those that belong to the same cluster as one of them by now: a cluster
    that was put together of cases of both parts does not judge.
    """
    chosen = {case_id for one in dealt for case_id in one.choosing}
    names = list(cases.cluster_names())
    tied = {
        name
        for case_id, name in zip(cases.ids, names, strict=True)
        if name is not None and case_id in chosen
    }
    return tuple(
        case_id
        for case_id, name in zip(cases.ids, names, strict=True)
        if case_id in chosen or name in tied
    )


def _units(cases: CaseTable, strata: Iterable[str]) -> Iterator[_Unit]:
    """The units of a suite; a cluster belongs to the stratum that most of its cases are of."""
    members: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    keys = _strata(cases, strata)
    for case_id, name, key in zip(cases.ids, cases.cluster_names(), keys, strict=True):
        unit = f"case {case_id}" if name is None else f"cluster {name}"
        members.setdefault(unit, []).append((case_id, key))
    for unit, found in members.items():
        counts = Counter(key for _, key in found)
        stratum = min(counts, key=lambda key: (-counts[key], key))
        yield _Unit(unit, stratum, [case_id for case_id, _ in found])


def _strata(cases: CaseTable, names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    known: Mapping[str, Iterable[str]] = {
        name: column.each() for name, column in cases.tags.items()
    }
    columns = [known[name] for name in sorted(set(names)) if name in known]
    return zip(*columns, strict=True) if columns else repeat((), len(cases))


def _place(seed: str, key: str) -> bytes:
    return hashlib.sha256(f"{seed}/{key}".encode()).digest()
