"""The verdict in a terminal: the answer, a table of checks, and what to look at next. Fits 80 columns, uses 120."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from evals.report.sanitise import one_line
from evals.report.sections.board import CheckBoard
from evals.report.sections.check import CheckView, Tone
from evals.report.sections.field import FieldView
from evals.report.view import ReportView

__all__ = ["field_renderable", "verdict_renderable"]

_WIDE = 110
_REASONS = 8
_LONGEST = 4000
_STYLES: dict[Tone, str] = {
    "pass": "green",
    "fail": "red",
    "undecided": "yellow",
    "error": "magenta",
    "plain": "dim",
}


def verdict_renderable(view: ReportView) -> RenderableType:
    """Return something a Rich console prints. Texts are plain `Text`, so that no markup in them is obeyed."""
    return _VerdictPage(view)


def field_renderable(field: FieldView) -> RenderableType:
    """Return the field of a selection: who was chosen, everybody in it, and by which rule."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Candidate", overflow="fold")
    for column in field.columns:
        table.add_column(column, justify="right")
    table.add_column("Result", overflow="fold")
    for row in field.rows:
        cells = [one_line(row.name, 80), *row.cells, one_line(row.fate)]
        table.add_row(*map(Text, cells), style="bold" if row.chosen else "")
    return Group(
        Text(field.title, style="bold"),
        *(Text(_whole(lead)) for lead in field.leads),
        table,
        Text(_whole(field.caption), style="dim"),
    )


class _VerdictPage:
    def __init__(self, view: ReportView) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        view, wide = self._view, options.max_width >= _WIDE
        yield from _head(view)
        for board in view.boards:
            yield Text()
            yield Text.assemble((board.title, "bold"), f"  {board.summary}")
            yield _table(board, view.role_names, wide=wide)
            yield from _reasons(board)
        if view.field is not None:
            yield Text()
            yield field_renderable(view.field)
        yield from _tail(view)


def _head(view: ReportView) -> Iterator[RenderableType]:
    headline = view.headline
    style = f"bold {_STYLES[headline.tone]}"
    yield Text.assemble(
        (f"{headline.symbol} {headline.word}", style), f"  {_whole(headline.sentence)}"
    )
    if headline.live:
        yield Text.assemble(("Live now: ", "bold"), _whole(headline.live))
    for note in view.notes:
        yield Text(f"Note: {_whole(note)}", style="dim")


def _whole(text: str) -> str:
    """A sentence of ours is never cut: what stands at its end may be what decides."""
    return one_line(text, _LONGEST)


def _table(board: CheckBoard, names: tuple[str, str], *, wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Check", overflow="fold", min_width=20)
    table.add_column(names[0] if wide else "Found", justify="right", no_wrap=True)
    if wide:
        table.add_column(names[1] or "Reference", justify="right", no_wrap=True)
        table.add_column("Difference", justify="right", no_wrap=True)
    table.add_column("Interval", justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for check in board.checks:
        table.add_row(*_cells(check, wide=wide), style="" if check.decides else "dim")
    return table


def _cells(check: CheckView, *, wide: bool) -> Iterator[Text]:
    yield Text(f"{check.symbol} {check.outcome}", style=_STYLES[check.tone])
    yield _name(check)
    # With one figure there is room for, it is the one that the interval is of.
    yield Text(check.candidate if wide or check.interval_of == "candidate" else check.difference)
    if wide:
        yield Text(check.baseline)
        yield Text(check.difference)
    yield Text(check.interval)
    yield Text(check.count)


def _name(check: CheckView) -> Text:
    text = Text(one_line(check.name, 120), style="bold" if check.decides else "")
    text.append(f" {check.bar}", style="not bold")
    if not check.decides:
        text.append(f" ({'; '.join(check.marks)})", style="not bold")
    return text


def _reasons(board: CheckBoard) -> Iterator[RenderableType]:
    blocking = [check for check in board.checks if check.decides and check.outcome != "PASS"]
    if not blocking:
        return
    yield Text()
    for check in blocking[:_REASONS]:
        text = Text(f"{check.symbol} ", style=_STYLES[check.tone])
        text.append(f"{one_line(check.name, 120)} {check.bar}: ", style="bold default")
        text.append(_whole(check.reason), style="default")
        if check.sure and check.chart and check.sure.partition(", ")[2] not in check.reason:
            text.append(f" Each bound at {check.sure}.", style="default")
        yield text
    if len(blocking) > _REASONS:
        yield Text(f"and {len(blocking) - _REASONS} more in the report", style="dim")


def _tail(view: ReportView) -> Iterator[RenderableType]:
    yield Text()
    for row in view.coverage:
        if row.remarks:
            yield Text(f"{row.suite}, {row.role}: {_whole('; '.join(row.remarks))}", style="dim")
    for text in view.decline:
        yield Text(_whole(text), style="dim")
    for step in view.next_steps:
        effect = _whole(step.effect)
        yield Text.assemble(("Next: ", "bold"), _whole(step.command), (f"  {effect}", "dim"))
