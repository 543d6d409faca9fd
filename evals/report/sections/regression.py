"""The words for a regression run: whether what is live is as it was, what moved, what it was held against, what followed."""

from __future__ import annotations

from evals.report.facts import RegressionFacts
from evals.report.sanitise import one_line
from evals.report.sections.check import Tone

__all__ = ["REGRESSION_WORDS", "regression_notes", "regression_sentence"]

REGRESSION_WORDS: dict[str, tuple[str, str, Tone]] = {
    "steady": ("STEADY", "✓", "pass"),
    "worse": ("WORSE", "✕", "fail"),
    "changed": ("CHANGED", "!", "undecided"),
    "cannot_tell": ("CAN'T TELL", "?", "undecided"),
}


def regression_sentence(
    found: RegressionFacts, model: str, held: str, blocking: str, live: str
) -> str:
    """Return what a run came to and what is live; `held` and `blocking` say which checks did and did not hold, `live` names
    what is live by now."""
    if found.outcome == "steady":
        return f"{model} is as it was: {held}."
    if found.outcome == "changed":
        moved = "; ".join(one_line(one, 300) for one in found.changes)
        return f"{model} is not as it was, and no worse: {moved}; {held}."
    stays = f"{live} is live"
    if found.rolled_back_to:
        stays = f"{live} was gone back to by itself"
    elif live == model:
        stays = f"{model} stays live until somebody acts"
    if found.outcome == "worse":
        return f"{model} is worse than its gate allows: {blocking}; {stays}."
    return f"Whether {model} got worse can't be told: {blocking}; {stays}."


def regression_notes(found: RegressionFacts) -> tuple[str, ...]:
    """Return what a reader should know besides: what was compared with, what moved, why nothing was gone back to."""
    notes = [one_line(found.note, 500)] if found.note else []
    if found.outcome != "changed":
        notes += [one_line(one, 500) for one in found.changes]
    if found.rollback_problem:
        notes.append(f"It was not gone back by itself: {one_line(found.rollback_problem, 500)}")
    return tuple(notes)
