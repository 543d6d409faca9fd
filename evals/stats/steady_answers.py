"""Does a model still answer a few cases as it always did? A look every hour, with a known rate of false triggers.

A model at temperature 0 is not deterministic, and cases that were chosen because they agreed will agree less from then on.
So nothing is assumed of how often an unchanged model differs from itself. All that is assumed: its answers to a case are
exchangeable over time (as long as it is the same model, any order of them was as likely as any other), and cases are
independent of one another.

Take a case that was answered alike `agreed` times, and otherwise each of `again` times since. Of all orders of those answers
this is one in C(agreed + again, again), and in the others the case would not have been chosen. So of the cases with such
answers, those that were chosen are a binomial sample with that chance: a sign test (Dixon & Mood 1946), as McNemar's (1947) is
one on pairs that differ. How many such cases were passed over is not known, since they are asked no more, but no more than were
passed over at all: counting all of them pays for the choice.

A look triggers when that p-value is at most 1 / `LOOKS_A_YEAR`. Whatever was seen before, an unchanged model does so in at most
that share of its looks on average, so that a year of hourly looks has one false trigger at most: expectations add up, however
much looks depend on one another.
"""

from __future__ import annotations

import math

__all__ = [
    "CHOICES_PER_FALSE_TRIGGER",
    "LEAST_CHANCE",
    "LOOKS_A_YEAR",
    "chance_of_order",
    "fewest_differing",
    "p_of_differing",
    "p_of_more_restless",
]

LOOKS_A_YEAR = 366 * 24
"""Hourly looks in the longest year: of so many looks of an unchanged model one triggers at most, on average."""
CHOICES_PER_FALSE_TRIGGER = 1000
"""Choosing compares new answers with kept ones, and takes an unchanged model for another one in one of so many choices at most."""
LEAST_CHANCE = 0.01
"""However often a case was answered alike, three answers that differ are not taken for a rarer thing: services are not ideal."""


def chance_of_order(agreed: int, again: int) -> float:
    """The chance that a case's answers came in just this order: `agreed` alike, then `again` otherwise; at least `LEAST_CHANCE`.

    Raises ValueError unless there is one of each at least.
    """
    if agreed < 1 or again < 1:
        raise ValueError(f"expected answers before and after, got {agreed} and {again}")
    # With as many before as after, the same two answers could have come the other way round, too.
    orders = math.comb(agreed + again, again) / (2.0 if agreed == again else 1.0)
    return max(LEAST_CHANCE, 1.0 / orders)


def p_of_differing(differing: int, passed_over: int, chance: float) -> float:
    """The p-value of so many chosen cases that differ, of an unchanged model.

    Args:
        differing: chosen cases that were answered otherwise each time they were asked.
        passed_over: cases that were looked at and not chosen, since their answers did not agree.
        chance: the largest `chance_of_order` of the cases.

    Raises:
        ValueError: for negative counts, or a chance outside (0, 1].
    """
    if differing < 0 or passed_over < 0 or not 0.0 < chance <= 1.0:
        raise ValueError(
            f"expected counts and a chance in (0, 1], got {differing}, {passed_over}, {chance}"
        )
    from scipy import special  # late: `gatewright status` reads a constant of this module

    return float(special.bdtrc(differing - 1, differing + passed_over, chance))


def p_of_more_restless(now: int, of_now: int, before: int, of_before: int) -> float:
    """The p-value of `now` of `of_now` cases that are not answered alike each time, where `before` of `of_before` were not.

    Fisher's exact test, one-sided (Fisher 1935). Where many cases are the same both times it errs on the safe side. 1 without
    any case before.

    Raises:
        ValueError: for counts below 0, or above how many there are.
    """
    if not (0 <= now <= of_now and 0 <= before <= of_before):
        raise ValueError(f"expected counts, got {now} of {of_now} and {before} of {of_before}")
    if not of_now or not of_before:
        return 1.0
    from scipy.stats import hypergeom

    return float(hypergeom.sf(now - 1, of_now + of_before, now + before, of_now))


def fewest_differing(cases: int, passed_over: int, chance: float) -> int | None:
    """How many of the chosen cases have to differ for a look to trigger; None when all of them are not enough."""
    for number in range(1, cases + 1):
        if p_of_differing(number, passed_over, chance) <= 1.0 / LOOKS_A_YEAR:
            return number
    return None
