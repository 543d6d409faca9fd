"""When two names are one person's. The one rule, for whoever asks, approves, overrides or may see sealed cases."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["distinct", "folded", "is_among", "same_person"]

_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that show nothing although Unicode calls them letters, marks or symbols."""


def folded(name: str) -> str:
    """Return what all spellings of a name have in common; "" for one that shows nothing.

    Compatibility forms, case, spaces at the ends and how many there are within, and characters nobody sees make no other
    person. Method: NFKC_Casefold of Unicode (UAX 31, section 5.1), with spaces collapsed.
    """
    shown = "".join(map(_shown, unicodedata.normalize("NFKC", name)))
    return " ".join(unicodedata.normalize("NFKC", shown.casefold()).split())


def same_person(name: str, other: str) -> bool:
    """Say whether two names are spellings of one."""
    return folded(name) == folded(other)


def is_among(name: str, people: Iterable[str]) -> bool:
    """Say whether somebody is one of these people."""
    return folded(name) in set(map(folded, people))


def distinct(people: Iterable[str]) -> tuple[str, ...]:
    """Return every person once, by the first spelling, in the order in which they came."""
    found: dict[str, str] = {}
    for name in people:
        found.setdefault(folded(name), name)
    return tuple(found.values())


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    variation = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    hidden = unicodedata.category(character).startswith("C") or character in _BLANKS or variation
    return "" if hidden else character
