"""Says how the checks of a run stand after a look, one short line each: for a terminal, a log and a page of Prefect."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.gate.looks import CheckLook, LookEvent

__all__ = ["look_heading", "look_lines", "look_view"]

_MOST_SHOWN = 12
_STYLES = {"PASS": "green", "FAIL": "red", "ERROR": "red"}
_ORDER = {"FAIL": 0, "ERROR": 0, "undecided": 1, "PASS": 2}
_OPEN = "undecided"


def look_heading(event: LookEvent) -> str:
    """Return how far the run has come: 'after look 2 of 10, 3 of 5 checks are decided'."""
    deciding = [check for check in event.checks if check.result.decides]
    decided = sum(_word(event, check) != _OPEN for check in deciding)
    return f"after look {event.look} of {event.rounds}, {decided} of {len(deciding)} checks are decided"


def look_lines(event: LookEvent, before: LookEvent | None = None) -> list[str]:
    """Return a line for each check, in the gate's order; with `before` of those only that stand otherwise than then.

    Left out is what neither decides nor was measured, as every comparison in a first release.
    """
    was = {} if before is None else {one.key: _word(before, one) for one in before.checks}
    return [
        f"{_word(event, check):<9}  {_label(check)}, n {check.n:,}"
        for check in _worth_showing(event)
        if was.get(check.key) != _word(event, check)
    ]


def look_view(event: LookEvent) -> RenderableType:
    """Return the same for a terminal: what failed first, what is open next; what passed is cut where it is a lot."""
    ranked = sorted(
        _worth_showing(event), key=lambda one: (not one.result.decides, _ORDER[_word(event, one)])
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # the one that gives way in a narrow terminal
    table.add_column(justify="right", no_wrap=True, style="dim")
    for check in ranked[:_MOST_SHOWN]:
        word = _word(event, check)
        style = _STYLES.get(word, "yellow") if check.result.decides else "dim"
        label = Text(_label(check), "" if check.result.decides else "dim")
        table.add_row(Text(f"  {word}", style=style), label, f"n {check.n:,}")
    more = len(ranked) - _MOST_SHOWN
    rest = [Text(f"  and {more} more", style="dim")] if more > 0 else []
    return Group(Text(f"  {look_heading(event)}", style="dim"), table, *rest)


def _worth_showing(event: LookEvent) -> list[CheckLook]:
    return [check for check in event.checks if check.result.decides or check.n]


def _word(event: LookEvent, check: CheckLook) -> str:
    """PASS, FAIL or ERROR where that stands, or is all there will be; what may still change is undecided."""
    last = event.stop and event.look == event.rounds
    stands = check.decided or last or not check.result.decides
    return check.result.outcome if stands and check.result.outcome in _STYLES else _OPEN


def _label(check: CheckLook) -> str:
    if not check.result.decides:
        return f"{check.result.check} (does not decide)"
    return f"{check.result.check} (given up)" if check.futile else check.result.check
