"""The words for a regression run: whether what is live is as it was, what moved, what it was held against, what followed."""

from __future__ import annotations

from evals.report.facts import RegressionFacts, RunFacts
from evals.report.sanitise import one_line
from evals.report.sections.check import Tone

__all__ = [
    "REGRESSION_WORDS",
    "reference_words",
    "regression_notes",
    "regression_sentence",
    "role_names",
]

REGRESSION_WORDS: dict[str, tuple[str, str, Tone]] = {
    "steady": ("STEADY", "✓", "pass"),
    "worse": ("WORSE", "✕", "fail"),
    "changed": ("CHANGED", "!", "undecided"),
    "cannot_tell": ("CAN'T TELL", "?", "undecided"),
}


_HELD_AGAINST = {
    "": "none: no answers of this model are on record",
    "reference": "its own answers of a fresh pass over the production deployment",
    "promotion": "the answers that won its promotion",
    "frozen": "its frozen answers",
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
        by = (
            f" by {', '.join(one_line(one, 120) for one in found.margins)}" if found.margins else ""
        )
        return f"{model} changed, but is not worse{by}: {moved}; {held}."
    stays = f"{live} is live"
    if found.rolled_back_to:
        stays = f"Gatewright rolled back to {live} automatically"
    elif live == model:
        stays = f"{model} stays live until somebody acts"
    if found.outcome == "worse":
        return f"{model} is worse than its gate allows: {blocking}; {stays}."
    return f"Whether {model} got worse can't be told: {blocking}; {stays}."


def regression_notes(found: RegressionFacts) -> tuple[str, ...]:
    """Return what a reader should know besides: what was compared with, by which gate, what moved, why nobody rolled back."""
    notes = [one_line(found.note, 500)] if found.note else []
    if found.outcome != "changed":
        notes += [one_line(one, 500) for one in found.changes]
    notes += [one_line(one, 500) for one in (*found.loosened, found.remedy) if one]
    if found.rollback_problem:
        notes.append(f"Gatewright did not roll back: {one_line(found.rollback_problem, 500)}")
    return tuple(f"{note[:1].upper()}{note[1:]}" for note in notes)


def role_names(facts: RunFacts) -> tuple[str, str]:
    """Return what heads the figures of the candidate and those of the baseline; "" where there is nothing to compare with."""
    if facts.kind != "regression":
        return "Candidate", "Baseline"
    found = facts.regression
    compared = found.compared_with if found is not None and found.comparable else ""
    return "Today", {"": "", "promotion": "At promotion"}.get(compared, "Reference")


def reference_words(facts: RunFacts) -> str:
    """Return what the live model was held against."""
    found = facts.regression
    if found is None:
        return _HELD_AGAINST[""]
    lost = "" if found.comparable or not found.compared_with else ", which can't be compared"
    return _HELD_AGAINST[found.compared_with] + lost
