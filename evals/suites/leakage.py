"""What follows from cases that a model was trained on: refused or reported, as the gate says, and always named.

The comparison itself is `evals.suites.overlap`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evals.cases.suite_file import Suite
from evals.config.documents import shown_path
from evals.errors import Problem

if TYPE_CHECKING:
    from evals.suites.overlap import Overlap, OverlappingPair

__all__ = ["DEFAULT_POLICY", "Leak", "find_leak", "leak_problems", "leak_words", "refused_pairs"]

DEFAULT_POLICY: Mapping[str, str] = {"exact": "refuse", "near": "report"}
"""What a gate without a word on it means."""

_NAMED = 5
_FIX = "train without it or take the case out; the gate's training_overlap says what is refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What a suite and a training file have in common (which may be nothing); `file` is what messages call the file.

    Cases of a `sealed` suite are counted and not named.
    """

    suite: str
    file: str
    overlap: Overlap
    sealed: bool = False


def find_leak(suite: Suite, training: Path | None = None, *, file: str = "") -> Leak | None:
    """Hold a suite against a training file, its own when none is given; None when it has none either.

    Raises:
        ConfigurationError: the file can't be read.
    """
    path = training if training is not None else suite.training
    if path is None:
        return None
    from evals.suites.overlap import training_overlap

    found = training_overlap(suite, path)
    return Leak(suite=suite.name, file=file or shown_path(path), overlap=found, sealed=suite.sealed)


def refused_pairs(leak: Leak, policy: Mapping[str, str]) -> tuple[OverlappingPair, ...]:
    """Return the cases that a `training_overlap` policy (exact and near: refuse or report) forbids."""
    exact = leak.overlap.exact if policy["exact"] == "refuse" else ()
    near = leak.overlap.near if policy["near"] == "refuse" else ()
    return (*exact, *near)


def leak_problems(suite: Suite, leak: Leak, policy: Mapping[str, str]) -> list[Problem]:
    """Return a problem for every case the policy forbids, each with its line and that of the training example.

    Of a sealed suite one for all of them.
    """
    if leak.sealed:
        return _sealed_problem(suite, leak, len(refused_pairs(leak, policy)))
    return [
        Problem(
            where=shown_path(suite.case_file),
            line=suite.cases.line(pair.case_id),
            message=f"case '{pair.case_id}' asks {_alike(pair)} line {pair.line} of {leak.file} asks",
            fix=_FIX,
        )
        for pair in refused_pairs(leak, policy)
    ]


def _sealed_problem(suite: Suite, leak: Leak, cases: int) -> list[Problem]:
    if not cases:
        return []
    message = f"{cases} cases ask what {leak.file} asks, or nearly; the suite is sealed, so that they are not named here"
    return [Problem(where=shown_path(suite.case_file), message=message, fix=_FIX)]


def leak_words(leak: Leak) -> str:
    """Say in one sentence how many cases were trained on, the first of them by name."""
    overlap = leak.overlap
    found = [
        f"{len(pairs)} of {overlap.cases} cases of {leak.suite} {verb} in {leak.file} ({_names(leak, pairs)})"
        for pairs, verb in ((overlap.exact, "stand"), (overlap.near, "nearly stand"))
        if pairs
    ]
    nothing = f"none of {overlap.cases} cases of {leak.suite} stands in {leak.file}"
    return "; ".join(found) or nothing


def _names(leak: Leak, pairs: tuple[OverlappingPair, ...]) -> str:
    if leak.sealed:
        return "sealed"
    rest = len(pairs) - _NAMED
    named = ", ".join(pair.case_id for pair in pairs[:_NAMED])
    return f"{named} and {rest} more" if rest > 0 else named


def _alike(pair: OverlappingPair) -> str:
    return "what" if pair.similarity == 1.0 else f"nearly what (similarity {pair.similarity:.2f})"
