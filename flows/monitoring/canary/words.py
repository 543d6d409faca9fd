"""What looks say, in sentences for people."""

from __future__ import annotations

from collections.abc import Sequence

from evals.report.numbers import counted
from evals.stats.steady_answers import LOOKS_A_YEAR
from flows.monitoring.canary.choosing import Chosen
from flows.monitoring.canary.comparing import Compared
from flows.monitoring.canary.trigger import fewest

__all__ = [
    "BUDGET_RAN_OUT",
    "bound_sentence",
    "said_alike",
    "said_changed",
    "said_chosen",
    "said_doubtful",
    "said_few",
    "said_other",
    "said_stopped",
]

BUDGET_RAN_OUT = "this month's budget ran out before the end of the look"
_SHOWN = 3


def bound_sentence() -> str:
    """The promise, in one sentence."""
    return f"at most one look in {LOOKS_A_YEAR:,} of an unchanged model triggers (once in a year of hourly looks)"


def said_chosen(chosen: Chosen, because: str) -> str:
    """Which cases were chosen, why and how, and how many of them have to differ."""
    number = len(chosen.cases)
    why = f", because {because}" if because else ""
    if not number:
        return f"no case is answered alike each time, so that no change in answers can be found; regression runs go on{why}"
    least = fewest(chosen.cases, chosen.passed_over)
    power = (
        f"A look triggers when {least} or more of them differ"
        if least is not None
        else "They are too few for answers that differ to trigger; new fingerprints do"
    )
    again = " again" if because else ""
    return (
        f"{counted(number, 'case')} chosen{again}{why}. Each is answered alike every time"
        f" ({_source(chosen)}; {chosen.passed_over} passed over). {power}"
    )


def _source(chosen: Chosen) -> str:
    if chosen.own_answers:
        return "today's answers alone; no earlier ones are used"
    if chosen.measured_by:
        return f"{chosen.compared} were compared with the answers of regression run {chosen.measured_by}"
    return f"{chosen.compared} were compared with kept answers"


def said_other(chosen: Chosen, marks: Sequence[str], *, turned: bool, restless: bool) -> str:
    """That the model that answers is not the one whose answers were kept."""
    than = (
        f"in regression run {chosen.measured_by}" if chosen.measured_by else "when it was promoted"
    )
    parts = (
        [f"{chosen.turned} of {chosen.compared} cases are answered otherwise than {than}"]
        if turned
        else []
    )
    parts += (
        [
            f"{chosen.restless} of {chosen.answered} cases are not answered alike each time, many more than before"
        ]
        if restless
        else []
    )
    return "; ".join((*parts, *(_unseen(mark) for mark in marks)))


def said_alike(compared: Compared) -> str:
    """That nothing changed, or too little to speak of."""
    differing = compared.differing
    if not differing:
        return f"{compared.answered} cases are answered as before"
    return f"{differing} of {compared.answered} cases are answered otherwise: an unchanged model does so, too"


def said_changed(differing: int, of: int, marks: Sequence[str]) -> str:
    """What changed: so many answers, marks of the deployment that were not seen before, or both."""
    parts = [f"{differing} of {of} cases are answered otherwise than before"] if differing else []
    return "; ".join((*parts, *(_unseen(mark) for mark in marks[:_SHOWN]), *_more(marks)))


def _unseen(mark: str) -> str:
    return f"{mark} was not seen before"


def _more(marks: Sequence[str]) -> list[str]:
    return (
        [f"{len(marks) - _SHOWN} more marks were not seen before either"]
        if len(marks) > _SHOWN
        else []
    )


def said_doubtful(compared: Compared) -> str:
    """That this would be a change, had the answers that confirm it not been lost."""
    return f"{_doubt(compared)}: the next look asks again"


def said_stopped(compared: Compared) -> str:
    """That the budget ended the look, and what it had seen by then."""
    return f"{BUDGET_RAN_OUT}; {_doubt(compared)}" if compared.unconfirmed else BUDGET_RAN_OUT


def _doubt(compared: Compared) -> str:
    otherwise = compared.differing + compared.unconfirmed
    return f"{otherwise} of {compared.answered} cases were answered otherwise, which could not be confirmed for {compared.unconfirmed}"


def said_few(answered: int, of: int) -> str:
    """That too few answers came to decide anything."""
    return f"{answered} of {of} cases were answered: too few to decide"
