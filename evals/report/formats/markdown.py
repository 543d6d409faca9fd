"""The report as Markdown, for Prefect artifacts and pull-request comments: the answer, the checks, the worst cases.

Kept below a size by leaving out whole rows and cases, and saying so; a page that was cut in the middle would lie.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from evals.report.sanitise import Excerpt, one_line, shorten
from evals.report.sections.board import CheckBoard
from evals.report.sections.check import CheckView
from evals.report.sections.examples import ExampleView
from evals.report.sections.field import FieldView
from evals.report.view import ReportView

__all__ = ["MAX_BYTES", "render_field", "render_markdown"]

MAX_BYTES = 20_000
_TABLE_SHARE = 9_000
_CASES = 6
_NOTES = 16
_SLICES = 12
_TEXT = 600
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~!@&$])")


def render_markdown(view: ReportView) -> str:
    """Return the page, below 20,000 bytes of UTF-8. What a model said stands in fences it can't close."""
    page = _Page(MAX_BYTES - 400)
    page.add("\n".join(_head(view)))
    for board in view.boards:
        page.add(f"### {board.title}: {board.outcome}\n\n{_plain(board.summary)}")
        page.add(_table(board, view.role_names, _TABLE_SHARE // len(view.boards)))
    if view.field is not None:
        page.add(render_field(view.field))
    page.add(_coverage(view))
    if view.judges:
        page.add("### Judges\n\n" + "\n".join(f"- {_plain(text)}" for text in view.judges))
    if view.decline:
        earlier = "\n".join(f"- {_plain(text)}" for text in view.decline)
        page.add(f"### Earlier live models\n\n{earlier}")
    page.add(_slices(view))
    for part in _cases(view):
        page.add(part)
    page.add("\n".join(f"- {_plain(pair.name)}: {_code(pair.value)}" for pair in view.provenance))
    return page.text()


class _Page:
    """Parts of a page that are added while they fit."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._parts: list[str] = []
        self._dropped = 0

    def add(self, part: str) -> None:
        size = len(part.encode()) + 2
        if not part:
            return
        if size > self._left:
            self._dropped += 1
            return
        self._left -= size
        self._parts.append(part)

    def text(self) -> str:
        if self._dropped:
            self._parts.append(f"_Shortened: {self._dropped} parts are in report.html only._")
        return "\n\n".join(self._parts) + "\n"


def _head(view: ReportView) -> Iterator[str]:
    yield f"## {view.headline.symbol} {_plain(view.headline.word)}: {_plain(view.target)}\n"
    yield f"**{_plain(view.headline.sentence)}**\n"
    if view.headline.live:
        yield f"Live now: {_plain(view.headline.live)}\n"
    yield from (f"- {_plain(pair.name)}: {_plain(pair.value)}" for pair in view.header)
    yield from (f"- note: {_plain(shorten(note, 400))}" for note in view.notes[:_NOTES])
    for step in view.next_steps[:6]:
        yield f"- next: {_code(step.command)} {_plain(step.effect)}".rstrip()


def _table(board: CheckBoard, names: tuple[str, str], budget: int) -> str:
    rows = [
        f"| | Check | Asked | {names[0]} | {names[1] or 'Reference'} | Difference | Interval | n |",
        "|---|---|---|---:|---:|---:|---|---:|",
    ]
    checks = board.checks
    for index, check in enumerate(checks):
        row = _row(check)
        budget -= len(row.encode()) + 1
        if budget < 0:
            rows.append(f"| | _{len(checks) - index} more checks in report.html_ | | | | | | |")
            break
        rows.append(row)
    return "\n".join(rows)


def _row(check: CheckView) -> str:
    name = f"{check.suite}/{check.name}" if check.suite else check.name
    remark = "" if check.decides else f" ({'; '.join(check.marks)})"
    cells: Iterable[str] = (
        f"{check.symbol} {check.outcome}{remark}",
        name,
        check.bar,
        check.candidate,
        check.baseline,
        check.difference,
        f"{check.interval} ({check.level} of the {check.interval_of}{_sure(check)})"
        if check.chart
        else check.interval,
        check.n,
    )
    return "| " + " | ".join(_plain(shorten(cell, 160)) for cell in cells) + " |"


def _sure(check: CheckView) -> str:
    return f"; each bound at {check.sure}" if check.sure else ""


def render_field(field: FieldView) -> str:
    """Return the field of a selection: what it is about, and a table of everybody in it."""
    rows = [
        " | ".join(["| Candidate", *(_plain(one) for one in field.columns), "Result |"]),
        "|---" * (len(field.columns) + 2) + "|",
    ]
    for row in field.rows:
        name = f"**{_plain(row.name)}**" if row.chosen else _plain(row.name)
        cells = (*row.cells, shorten(row.fate, 160))
        rows.append(" | ".join([f"| {name}", *(_plain(cell) for cell in cells)]) + " |")
    leads = [*field.leads, field.caption]
    return "\n\n".join(
        [f"### {_plain(field.title)}", *(_plain(lead) for lead in leads), "\n".join(rows)]
    )


def _coverage(view: ReportView) -> str:
    lines = [
        f"- {_plain(row.suite)}, {row.role}: {row.scored} of {row.planned} planned scored ({row.share}); "
        + _plain("; ".join((row.outcomes, *row.remarks)))
        for row in view.coverage
    ]
    lines += [f"- {_plain(text)}" for text in view.paired]
    return "### Coverage\n\n" + "\n".join(lines) if lines else ""


def _slices(view: ReportView) -> str:
    """How many slices were tested, and those that got worse."""
    worse = [row for row in view.slices if row.mark]
    lines = [f"- {_plain(text)}" for text in view.slice_leads]
    lines += [
        "- "
        + _plain(
            f"{shorten(row.slice, 160)} ({row.suite}, {row.metric}): {row.mark}, {row.baseline} before,"
            f" {row.candidate} now, n = {row.n}"
        )
        for row in worse[:_SLICES]
    ]
    if len(worse) > _SLICES:
        lines.append(f"- {len(worse) - _SLICES} more slices that got worse in report.html")
    return "### Slices\n\n" + "\n".join(lines) if lines else ""


def _cases(view: ReportView) -> Iterator[str]:
    for group in view.example_groups:
        if group.kind == "improvement":
            continue
        for example in group.examples[: _CASES // 2]:
            yield f"### {group.title}: {_code(example.case_id)}\n\n{_case(example, view.role_names)}"


def _case(example: ExampleView, names: tuple[str, str]) -> str:
    parts = [_fenced("Asked", example.prompt)]
    if example.expected is not None:
        parts.append(_fenced("Expected", example.expected))
    if names[1]:
        parts.append(_fenced(f"{names[1]}, score {example.baseline_score}", example.baseline))
    parts.append(_fenced(f"{names[0]}, score {example.candidate_score}", example.candidate))
    return "\n\n".join(parts)


def _fenced(title: str, excerpt: Excerpt | None) -> str:
    if excerpt is None:
        return f"{title}: no answer"
    text = shorten(excerpt.text, _TEXT)
    note = excerpt.note if len(text) == len(excerpt.text) else excerpt.note or "shortened"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{title}{f' ({note})' if note else ''}:\n\n{fence}text\n{text}\n{fence}"


def _plain(text: str) -> str:
    """Text in which Markdown and HTML find nothing to act upon, not even an address to link."""
    escaped = _SPECIAL.sub(_escaped, " ".join(text.split()))
    return escaped.replace("://", "&#58;//").replace("www.", "www&#46;")


def _escaped(found: re.Match[str]) -> str:
    # Entities where a backslash would not keep a renderer from seeing markup, a mention or a table cell.
    return f"&#{ord(found[1])};" if found[1] in "<>&@|" else f"\\{found[1]}"


def _code(text: str) -> str:
    """Text as inline code; its own backticks become quotes, as no reader copies those."""
    return f"`{one_line(text, 200).replace('`', chr(39)) or '–'}`"
