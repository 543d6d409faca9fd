"""Ids of many cases in little memory: their text and some twenty bytes more for each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import Any, overload

__all__ = ["Ids", "all_different"]

_NONE = -1
_FIRST_SLOTS = 16
_SORTED_AT_ONCE = 1 << 16


class Ids(Sequence[str]):
    """Different texts in the order in which they were added, found by place (`ids[3]`) and by text (`ids.find("a")`).

    A list of a million ids takes some 75 MB and a dictionary of them another 80; this takes their UTF-8 and 16 to 24
    bytes a text. `ascending` says whether every text came after the one before it in the order of code points.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.ascending = True
        self._text = bytearray()
        self._starts = array("Q", [0])
        # Open addressing: a slot holds the place of a text, and texts with the same slot stand in the next free ones.
        self._slots = array("i", [_NONE]) * _FIRST_SLOTS
        for text in texts:
            self.add(text)

    def add(self, text: str) -> int:
        """Add a text and return its place. Raises ValueError when it is there already."""
        slot, place = self._look_up(text)
        if place != _NONE:
            raise ValueError(f"'{text}' is there already")
        place, raw = len(self), text.encode("utf-8", "surrogatepass")
        self.ascending = self.ascending and (not place or self._raw(place - 1) < raw)
        self._text += raw
        self._starts.append(len(self._text))
        self._slots[slot] = place
        if 2 * len(self) > len(self._slots):
            self._widen()
        return place

    def find(self, text: str) -> int | None:
        """Return the place of a text, None when it is not there."""
        place = self._look_up(text)[1]
        return None if place == _NONE else place

    def places(self) -> Iterator[int]:
        """Yield all places in the order of their texts' code points."""
        if self.ascending:
            return iter(range(len(self)))
        # Sorted in parts that are merged, so that never all texts are there as objects.
        starts = range(0, len(self), _SORTED_AT_ONCE)
        parts = (range(start, min(start + _SORTED_AT_ONCE, len(self))) for start in starts)
        return merge(*(array("I", sorted(part, key=self._raw)) for part in parts), key=self._raw)

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(self[index] for index in range(*place.indices(len(self))))
        index = place + len(self) if place < 0 else place
        if not 0 <= index < len(self):
            raise IndexError(place)
        return self._raw(index).decode("utf-8", "surrogatepass")

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.find(text) is not None

    def __eq__(self, other: Any) -> bool:
        if isinstance(other, Ids):
            return self is other or (self._text, self._starts) == (other._text, other._starts)
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def _raw(self, place: int) -> bytes:
        return bytes(self._text[self._starts[place] : self._starts[place + 1]])

    def _look_up(self, text: str) -> tuple[int, int]:
        """Return the slot that holds a text with its place, or the free slot that it would get."""
        slots, starts = self._slots, self._starts
        last, raw = len(slots) - 1, text.encode("utf-8", "surrogatepass")
        slot = hash(text) & last
        while (place := slots[slot]) != _NONE:
            start = starts[place]
            if starts[place + 1] - start == len(raw) and self._text.startswith(raw, start):
                break
            slot = (slot + 1) & last
        return slot, place

    def _widen(self) -> None:
        slots = array("i", [_NONE]) * (2 * len(self._slots))
        last = len(slots) - 1
        for place in range(len(self)):
            slot = hash(self[place]) & last
            while slots[slot] != _NONE:
                slot = (slot + 1) & last
            slots[slot] = place
        self._slots = slots


def all_different(ids: Sequence[str]) -> bool:
    """Return whether no id occurs twice."""
    return isinstance(ids, Ids) or len(set(ids)) == len(ids)
