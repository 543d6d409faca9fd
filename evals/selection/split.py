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
from evals.suites.composition import asked_digest

__all__ = ["Dealt", "SplitRule", "deal", "effective_choosing"]


class SplitRule(Record, frozen=True, kw_only=True):
    """How cases are dealt: the share of them that chooses, in (0, 1), and the tags whose proportions both parts keep."""

    share: float
    strata: tuple[str, ...] = ()


class Dealt(Record, frozen=True, kw_only=True):
    """Cases that were dealt at one time, by their ids: those that choose, and those that judge.

    `asked_choosing` and `asked_judging` are digests of what these cases ask, in the same order: by them a case is known
    whatever it is called later. They are empty in splits of before they were kept.
    """

    rule: SplitRule
    choosing: tuple[str, ...]
    judging: tuple[str, ...]
    asked_choosing: tuple[str, ...] = ()
    asked_judging: tuple[str, ...] = ()


class _Parts:
    """Says of a case whether it has chosen: by what it asks, and only where nobody knows that by its id.

    Ids that are numbers of rows move on by one when a row is put in, while the questions stay what they were.
    """

    def __init__(self, dealt: Iterable[Dealt]) -> None:
        self._by_id: dict[str, bool] = {}
        self._by_asked: dict[str, bool] = {}
        for one in dealt:
            self._note(self._by_id, one.judging, one.choosing)
            self._note(self._by_asked, one.asked_judging, one.asked_choosing)

    def chose(self, case_id: str, asked: str) -> bool | None:
        """Return whether a case has chosen, None for one that was never dealt."""
        return self._by_asked.get(asked, self._by_id.get(case_id))

    def knows(self, asked: str) -> bool:
        """Return whether a case that asks this was dealt."""
        return asked in self._by_asked

    @staticmethod
    def _note(known: dict[str, bool], judging: Iterable[str], choosing: Iterable[str]) -> None:
        for name in judging:  # what has chosen once, under whatever id, has chosen
            known.setdefault(name, False)
        known.update(dict.fromkeys(choosing, True))


class _Unit(NamedTuple):
    """Cases that stay together: a cluster, or one case that has none."""

    key: str
    stratum: tuple[str, ...]
    case_ids: list[str]


def deal(cases: CaseTable, before: Sequence[Dealt], rule: SplitRule, seed: str) -> Dealt | None:
    """Deal the cases of a suite that were not dealt before; None when there are none.

    A case that was dealt is known by what it asks, or by its id; one that asks something else by now is dealt once more,
    to the part it is of. A cluster stays whole: a new case goes where its cluster went. In each stratum units are taken in an order that
    follows from `seed` and their name alone, and every so often one chooses, so that its share of the stratum's cases is
    kept to within half a unit; what is left over goes on to the next stratum.

    Args:
        cases: all cases of the suite as it is now.
        before: what was dealt earlier.
        rule: the share and the strata.
        seed: any text, the same for a suite at all times.
    """
    parts, asked = _Parts(before), _asked(cases)
    choosing: list[str] = []
    judging: list[str] = []
    new: dict[tuple[str, ...], list[_Unit]] = defaultdict(list)
    for unit in _units(cases, rule.strata):
        chose = {case_id: parts.chose(case_id, asked[case_id]) for case_id in unit.case_ids}
        old = {case_id: part for case_id, part in chose.items() if part is not None}
        fresh = [case_id for case_id in unit.case_ids if case_id not in old]
        for (
            case_id,
            part,
        ) in old.items():  # asked otherwise since, or dealt before digests were kept
            if not parts.knows(asked[case_id]):
                (choosing if part else judging).append(case_id)
        if old and fresh:  # a dealt cluster that grew
            (choosing if any(old.values()) else judging).extend(fresh)
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
    return Dealt(
        rule=rule,
        choosing=tuple(choosing),
        judging=tuple(judging),
        asked_choosing=tuple(asked[case_id] for case_id in choosing),
        asked_judging=tuple(asked[case_id] for case_id in judging),
    )


def effective_choosing(cases: CaseTable, dealt: Iterable[Dealt]) -> tuple[str, ...]:
    """Return the ids of a suite's cases that may not judge, in the suite's order.

    These are the cases of the choosing part, known by what they ask or by their ids, and those that belong to the same
    cluster as one of them by now: a cluster that was put together of cases of both parts does not judge.
    """
    parts = _Parts(dealt)
    chosen = {case_id for case_id, asked in _asked(cases).items() if parts.chose(case_id, asked)}
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


def _asked(cases: CaseTable) -> dict[str, str]:
    """A digest of what each case asks, by its id."""
    return {case.id: asked_digest(case) for case in cases}


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
