"""The cases of a suite: on disk, decoded one by one; in memory only what is looked at for all of them at once.

What stays in memory is a few tens of bytes a case: its id, its line, its tags and its cluster as codes. A million cases
are read, ordered, sliced and counted without holding their texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import msgspec

from evals.cases.ids import Ids
from evals.cases.row_file import RowFile
from evals.codec import decoder
from evals.records import Case, Message

__all__ = ["CaseTable", "TagColumn"]

_NONE = -1
_USUAL_WEIGHT = 1.0


class TagColumn:
    """One tag over all cases: `codes` into `values`, -1 where a case does not have it."""

    def __init__(self, rows: int) -> None:
        self.codes = array("i", [_NONE]) * rows
        self.values: list[str] = []
        self._known: dict[str, int] = {}

    def add(self, value: str | None) -> None:
        """Note the value of the next case, None when it has none."""
        code = _NONE if value is None else self._known.setdefault(value, len(self.values))
        if code == len(self.values):
            self.values.append(str(value))
        self.codes.append(code)

    def each(self) -> Iterator[str]:
        """Yield the value of every case, "" where it has none."""
        return (self.values[code] if code >= 0 else "" for code in self.codes)


class _Stored(msgspec.Struct, array_like=True):
    """A case without its id as it is kept; a number stands for one of the messages that all cases share.

    The usual weight is None: an encoder leaves a number out only when it is the default itself, not one that equals it.
    """

    messages: list[int | Message]
    expected: Any
    item: dict[str, Any]
    tags: dict[str, str]
    cluster: str | None
    weight: float | None = None


class CaseTable(Sequence[Case]):
    """All cases of a suite, in its order; two readings of one row give two equal cases.

    `ids` are the cases' ids, `lines` their 1-based lines in the case file, `tags` their tags by name, `clusters` the
    code of each case's cluster, -1 where it has none (see `has_clusters`).
    """

    def __init__(self, cases: Iterable[Case] = (), *, shared: Sequence[Message] = ()) -> None:
        self.ids = Ids()
        self.lines = array("Q")
        self.clusters = array("i")
        self._tags: dict[str, TagColumn] = {}
        self._cluster_names = Ids()
        self._spool = RowFile()
        self._shared = tuple(shared)
        self._numbers = {id(message): number for number, message in enumerate(self._shared)}
        for line, case in enumerate(cases, start=1):
            self.add(case, line)

    def add(self, case: Case, line: int) -> None:
        """Put a case behind the others. Raises ValueError when one of them has its id."""
        row = self.ids.add(case.id)
        self.lines.append(line)
        self.clusters.append(self._cluster_code(case.cluster))
        for name in case.tags:
            if name not in self._tags:
                self._tags[name] = TagColumn(row)
        for name, column in self._tags.items():
            column.add(case.tags.get(name))
        self._spool.append(_encode(self._stored(case)))

    @property
    def has_clusters(self) -> bool:
        """Whether there are cases and every one of them belongs to a cluster."""
        return bool(self.clusters) and _NONE not in self.clusters

    @property
    def tags(self) -> dict[str, TagColumn]:
        """The tags by name, in the order of the names."""
        return dict(sorted(self._tags.items()))

    def row(self, case_id: str) -> int | None:
        """Return where a case stands, None when the suite has no such case."""
        return self.ids.find(case_id)

    def line(self, case_id: str) -> int | None:
        """Return the line of a case in the case file, None when the suite has no such case."""
        row = self.ids.find(case_id)
        return None if row is None else self.lines[row]

    def get(self, case_id: str) -> Case | None:
        """Return a case by its id, None when the suite has no such case."""
        row = self.ids.find(case_id)
        return None if row is None else self._case(case_id, self._spool[row])

    def only(self, rows: Iterable[int]) -> CaseTable:
        """Return a table of the cases at these places, in this order; each keeps its line in the case file."""
        part = CaseTable(shared=self._shared)
        for row in rows:
            part.add(self[row], self.lines[row])
        return part

    def cluster_names(self) -> Iterator[str | None]:
        """Yield the name of each case's cluster, None where it has none."""
        return (self._cluster_names[code] if code >= 0 else None for code in self.clusters)

    def by_id(self) -> Iterator[Case]:
        """Yield all cases in the order of their ids."""
        return (self[row] for row in self.ids.places())

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Case: ...
    @overload
    def __getitem__(self, row: slice) -> tuple[Case, ...]: ...
    def __getitem__(self, row: int | slice) -> Case | tuple[Case, ...]:
        if isinstance(row, slice):
            return tuple(self[index] for index in range(*row.indices(len(self))))
        index = row + len(self) if row < 0 else row
        return self._case(self.ids[index], self._spool[index])

    def __iter__(self) -> Iterator[Case]:
        return (self._case(name, raw) for name, raw in zip(self.ids, self._spool, strict=True))

    def _stored(self, case: Case) -> _Stored:
        return _Stored(
            messages=[self._numbers.get(id(message), message) for message in case.messages],
            expected=case.expected,
            item=case.item,
            tags=case.tags,
            cluster=case.cluster,
            weight=None if case.weight == _USUAL_WEIGHT else case.weight,
        )

    def _case(self, case_id: str, raw: bytes) -> Case:
        kept = _decode(raw)
        case = Case(
            id=case_id,
            messages=tuple(
                self._shared[one] if isinstance(one, int) else one for one in kept.messages
            ),
            expected=kept.expected,
            item=kept.item,
            tags=kept.tags,
            cluster=kept.cluster,
        )
        if kept.weight is not None:
            case = msgspec.structs.replace(case, weight=kept.weight)
        return case

    def _cluster_code(self, name: str | None) -> int:
        if name is None:
            return _NONE
        code = self._cluster_names.find(name)
        return self._cluster_names.add(name) if code is None else code


_encode = msgspec.json.Encoder().encode
_decode = decoder(_Stored).decode
