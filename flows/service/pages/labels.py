"""Words, symbols and times as the pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from evals.report.sections.check import SYMBOLS, TONES, Tone

__all__ = ["Mark", "Moment", "mark_of_state", "mark_of_verdict", "moment"]

_STATES: dict[str, tuple[str, str, Tone]] = {
    "promoted": ("promoted", "✓", "pass"),
    "refused": ("refused", "✕", "fail"),
    "failed": ("failed", "!", "error"),
    "waiting": ("waits for a person", "?", "undecided"),
    "inconclusive": ("inconclusive", "?", "undecided"),
    "superseded": ("superseded", "↷", "plain"),
    "requested": ("waits for its turn", "…", "plain"),
    "preflight": ("preflight", "…", "plain"),
    "deploying": ("deploying", "…", "plain"),
    "evaluating": ("asking both models", "…", "plain"),
    "judged": ("judged", "…", "plain"),
    "promoting": ("going live", "…", "plain"),
}
_SPANS = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (120, 60, "min"), (0, 1, "s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An outcome: a word, a symbol and a colour, none of which stands alone."""

    word: str
    symbol: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time: for machines, for people, and how long ago."""

    iso: str
    shown: str
    ago: str


def mark_of_state(state: str) -> Mark:
    """Return the mark of a run's state."""
    word, symbol, tone = _STATES.get(state, (state, "…", "plain"))
    return Mark(word=word, symbol=symbol, tone=tone)


def mark_of_verdict(outcome: str) -> Mark:
    """Return the mark of a verdict."""
    return Mark(word=outcome, symbol=SYMBOLS[outcome], tone=TONES[outcome])


def moment(iso: str, now: str) -> Moment:
    """Return a time as it is shown; both are UTC, ISO 8601."""
    at = datetime.fromisoformat(iso).astimezone(UTC)
    gone = (datetime.fromisoformat(now) - at).total_seconds()
    ago = f"in {_span(-gone)}" if gone < 0 else f"{_span(gone)} ago"
    return Moment(iso=iso, shown=f"{at:%Y-%m-%d %H:%M}", ago=ago)


def _span(seconds: float) -> str:
    size, name = next((size, name) for least, size, name in _SPANS if seconds >= least)
    return f"{int(seconds // size)} {name}"
