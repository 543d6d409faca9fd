"""How targets stand as `gatewright status` shows it: a line for each target, and below it all that needs a person.

A wide terminal has a column for each matter; a narrow one (less than 120) has what belongs together in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from evals.report.numbers import counted, rough_duration, signed
from flows.monitoring.against_itself import AgainstItself
from flows.monitoring.status.records import (
    SEVERITIES,
    Need,
    Severity,
    Status,
    TargetStatus,
)
from flows.registry.regression_outcomes import in_words

__all__ = ["status_renderable"]

_WIDE = 120
_MARKS: dict[Severity, tuple[str, str]] = {
    "well": ("✓", "green"),
    "notice": ("·", "cyan"),
    "person": ("?", "yellow"),
    "unseen": ("…", "magenta"),
    "misconfigured": ("!", "red"),
    "broken": ("✗", "red"),
}
_WORDS: dict[Severity, str] = {
    "well": "all is well",
    "notice": "nothing needs you",
    "person": "a person is needed",
    "unseen": "not all could be looked at",
    "misconfigured": "a target can't be read",
    "broken": "something live is broken or got worse",
}
_NOTHING = "–"


def status_renderable(status: Status) -> RenderableType:
    """Lay out how targets stand, for any width of terminal."""
    now = datetime.fromisoformat(status.at)
    needs = [(target.target, need) for target in status.targets for need in target.needs]
    needs += [("", need) for need in status.needs]
    needs.sort(key=lambda one: -SEVERITIES.index(one[1].severity))
    details = _details(status.targets[0]) if len(status.targets) == 1 else ()
    return Group(_Table(status.targets, now), *details, *_needs(needs, now), _last_line(status))


class _Table:
    """The table, laid out when the width is known."""

    def __init__(self, targets: Sequence[TargetStatus], now: datetime) -> None:
        self._targets, self._now = targets, now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _WIDE
        columns = _wide_columns if wide else _narrow_columns
        rows = [columns(one, self._now) for one in self._targets]
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column("", width=1)
        table.add_column("target", overflow="fold")
        for name in rows[0]:
            table.add_column(name, overflow="fold", vertical="top")
        for target, row in zip(self._targets, rows, strict=True):
            mark, style = _MARKS[target.severity]
            cells = (Text(cell) for cell in row.values())
            table.add_row(Text(mark, style=style), Text(target.target, style="bold"), *cells)
        yield table


def _wide_columns(one: TargetStatus, now: datetime) -> dict[str, str]:
    return {
        "live": _live(one),
        "regression": _regression(one),
        "canary": _canary(one),
        "tries": _tries(one),
        "ends": _ends(one, now),
        "slots": _slots(one),
        "per hour": _cost(one),
        "state": _state(one),
    }


def _narrow_columns(one: TargetStatus, now: datetime) -> dict[str, str]:
    watched = [_regression(one)] + ([f"canary {_canary(one)}"] if one.canary else [])
    slots = [_slots(one)] + ([_cost(one)] if one.slots else [])
    return {
        "live": _live(one),
        "watched": "\n".join(watched),
        "tries": _tries(one),
        "ends": _ends(one, now),
        "slots": "\n".join(slots),
        "state": _state(one),
    }


def _live(one: TargetStatus) -> str:
    if one.live is None and one.frozen is not None:
        return f"nothing; frozen baseline {one.frozen['frozen_id']} ({one.frozen['name']}) is here"
    if one.live is None:
        return "nothing"
    return f"{one.live.name}, {rough_duration(one.live.age_s)}"


def _regression(one: TargetStatus) -> str:
    if one.regression is None:
        return "never" if one.live is not None else _NOTHING
    return f"{in_words(one.regression.outcome)}, {rough_duration(one.regression.age_s)}"


def _canary(one: TargetStatus) -> str:
    if one.canary is None:
        return _NOTHING
    last = one.canary.get("last") or {}
    said = "changed" if one.canary.get("change") else last.get("outcome", "due")
    if not one.canary.get("scheduled"):
        said = f"{said}, by hand" if last else "off"
    cost = f", ${one.canary['spent_usd']:,.2f} this month" if one.canary.get("calls") else ""
    return said + cost


def _tries(one: TargetStatus) -> str:
    """Candidates tried, of those the gate's family allows, and the number of the newest one's try where it is not its first."""
    if one.tries is None:
        return _NOTHING
    said = str(one.tries.candidates)
    said += f"/{one.tries.allowed}" if one.tries.allowed else ""
    return said + (f", try {one.tries.newest_try}" if one.tries.newest_try > 1 else "")


def _ends(one: TargetStatus, now: datetime) -> str:
    days = [end.answers_until for end in one.ends if end.role == "live"]
    known = [day for day in days if day is not None]
    if not known:
        return _NOTHING
    left = (min(known) - now.date()).days
    return (
        f"{min(known)}"
        + (f" ({left} d)" if left <= 180 else "")
        + (", frozen" if one.frozen else "")
    )


def _slots(one: TargetStatus) -> str:
    if not one.looked and not one.slots:
        return "?" if one.live is not None else _NOTHING
    kinds = ("live", "previous", "developer", "leftover", "other")
    counts = {kind: sum(slot.role == kind for slot in one.slots) for kind in kinds}
    words = [f"{count} {kind}" for kind, count in counts.items() if count]
    return ", ".join(words) or _NOTHING


def _cost(one: TargetStatus) -> str:
    if not one.slots:
        return _NOTHING
    return f"${one.usd_per_hour:,.2f}" if one.usd_per_hour is not None else "price unknown"


def _state(one: TargetStatus) -> str:
    broken = [need.kind for need in one.needs if need.severity == "broken"]
    words = ["hold"] if one.hold else []
    words += [kind for kind in ("drift", "revoked") if kind in broken]
    return ", ".join(words) or _NOTHING


def _details(one: TargetStatus) -> Iterator[RenderableType]:
    """What only fits where one target is asked for: its slots, and the live model against itself."""
    for slot in one.slots:
        price = (
            f"${slot.usd_per_hour:,.2f} an hour"
            if slot.usd_per_hour is not None
            else "price unknown"
        )
        yield Text(f"  {slot.role}: {slot.name} ({slot.sku}), {slot.state}, {price}")
    too_few = [found for found in one.against_itself if found.says == "too_few"]
    if too_few:
        yield Text(f"  A/A: {_too_few(min(too_few, key=lambda found: found.pairs))}")
    for found in one.against_itself:
        if found.says != "too_few":
            yield Text(f"  A/A, {found.suite}/{found.column}: {_against_itself(found)}")


def _too_few(found: AgainstItself) -> str:
    said = f"{found.pairs} of {found.enough_pairs} pairs of passes so far; nothing claimed before {found.enough_pairs}"
    return said + (f", about {found.enough_on} at this pace" if found.enough_on else "")


def _against_itself(found: AgainstItself) -> str:
    mean = f"later minus earlier {signed(found.difference, 'score')}"
    interval = f"[{signed(found.lower, 'score')}, {signed(found.upper, 'score')}]"
    claim = "nothing speaks against their being the same" if found.says == "same" else "they differ"
    return f"{mean} {interval} over {found.pairs} pairs of passes: {claim}"


def _needs(needs: Sequence[tuple[str, Need]], now: datetime) -> Iterator[RenderableType]:
    if needs:
        yield Text("")
    for target, need in needs:
        mark, style = _MARKS[need.severity]
        since = f" ({_ago(need.since, now)})" if need.since else ""
        head = Text.assemble(
            (mark, style), " ", (target, "bold"), ": " if target else "", need.message, since
        )
        yield head
        for command in filter(None, (need.command, need.way_back)):
            yield Text(f"    {command}", style="dim")


def _ago(at: str, now: datetime) -> str:
    seconds = (now - datetime.fromisoformat(at)).total_seconds()
    return f"{rough_duration(seconds)} ago" if seconds >= 1 else "now"


def _last_line(status: Status) -> Text:
    _mark, style = _MARKS[status.severity]
    asked = "" if status.looked else "; no platform was asked"
    words = _WORDS[status.severity]
    if status.severity in ("well", "notice") and all(one.live is None for one in status.targets):
        words = "nothing is live yet"
    if status.severity == "notice":
        needs = [*(need for one in status.targets for need in one.needs), *status.needs]
        words += f"; {counted(len(needs), 'notice')}"
    at = status.at[:16].replace("T", " ")
    return Text(f"\nAs of {at} UTC: {words}{asked}.", style=style)
