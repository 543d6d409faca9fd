"""What looks say, in sentences for people."""

from __future__ import annotations

from collections.abc import Sequence

from evals.stats.steady_answers import LOOKS_A_YEAR
from flows.monitoring.canary.choosing import Chosen
from flows.monitoring.canary.comparing import Compared, fewest

__all__ = ["bound_sentence", "said_alike", "said_changed", "said_chosen", "said_few"]


def bound_sentence() -> str:
    """The promise, in one sentence."""
    return f"at most one look in {LOOKS_A_YEAR:,} of an unchanged model triggers (once in a year of hourly looks)"


def said_chosen(chosen: Chosen) -> str:
    """Which cases were chosen and how, and how many of them have to differ."""
    number = len(chosen.cases)
    if not number:
        return "no case is answered alike each time, so that no change in answers can be told; regression runs go on"
    source = (
        "by its own answers of now, none of before being taken"
        if chosen.own_answers
        else f"{chosen.compared} were held against kept answers"
    )
    least = fewest(chosen.cases, chosen.passed_over)
    power = (
        f"{least} that differ trigger"
        if least is not None
        else "too few for a change in answers to trigger; new fingerprints do"
    )
    return f"chose {number} cases that are always answered alike ({source}; {chosen.passed_over} passed over): {power}"


def said_alike(compared: Compared) -> str:
    """That nothing changed, or too little to speak of."""
    differing = compared.differing
    if not differing:
        return f"{compared.answered} cases are answered as before"
    return f"{differing} of {compared.answered} cases are answered otherwise: an unchanged model does so, too"


def said_changed(differing: int, of: int, marks: Sequence[str], *, kept: bool = False) -> str:
    """What changed: so many answers, marks of the deployment that were not seen before, or both."""
    than = "when it was promoted" if kept else "before"
    parts = [f"{differing} of {of} cases are answered otherwise than {than}"] if differing else []
    parts += [f"{mark} was not seen before" for mark in marks]
    return "; ".join(parts)


def said_few(answered: int, of: int) -> str:
    """That too few answers came to tell anything."""
    return f"{answered} of {of} cases were answered: too few to tell anything"
