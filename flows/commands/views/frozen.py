"""Frozen baselines as the command line shows them: one in full, or a line for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evals.records import LivePointer, SuiteResult
from evals.report.numbers import counted
from flows.platforms.model_names import same_id, short_name
from flows.registry.frozen import FrozenOnRecord

__all__ = ["frozen_data", "frozen_renderable", "frozen_table"]


def frozen_data(found: FrozenOnRecord) -> dict[str, object]:
    """Return a frozen baseline as plain data."""
    data: dict[str, object] = msgspec.to_builtins(found.baseline)
    return {
        **data,
        "signed": found.signed,
        "on_record_since": found.at,
        "set_aside": found.set_aside,
    }


def frozen_renderable(found: FrozenOnRecord) -> RenderableType:
    """Lay one out in full."""
    one = found.baseline
    head = Text.assemble((one.target, "bold"), ": frozen ", (one.frozen_id, "green"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=10)
    table.add_column(overflow="fold")
    for label, text, style in _lines(found):
        table.add_row(Text(label, style=style), Text(text, style=style))
    return Group(head, Padding(table, (0, 0, 0, 2)))


def frozen_table(
    found: Sequence[FrozenOnRecord], live: Mapping[str, LivePointer | None]
) -> RenderableType:
    """A line for each; `live` maps a target to what is live now."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("target", "id", "model", "frozen (UTC)", "answers", "signed", "live"):
        table.add_column(name, overflow="fold")
    for one in found:
        of, pointer = one.baseline, live.get(one.baseline.target)
        is_live = pointer is not None and same_id(pointer.model_id, of.model_id)
        cells = (
            of.target,
            of.frozen_id,
            short_name(of.model_id),
            of.frozen_at[:16].replace("T", " "),
            f"{of.answers:,}",
            "yes" if one.signed else "no",
            "yes" if is_live else "no",
        )
        table.add_row(*(Text(cell) for cell in cells))
    return Group(table, *map(Text, _set_aside(found)))


def _set_aside(found: Sequence[FrozenOnRecord]) -> Iterator[str]:
    for one in found:
        if one.set_aside:
            yield f"{one.baseline.frozen_id} was set aside {one.set_aside}"


def _lines(found: FrozenOnRecord) -> Iterator[tuple[str, str, str]]:
    one = found.baseline
    yield "model", one.model_id, ""
    yield (
        "frozen",
        f"{_time(one.frozen_at)} UTC by {one.frozen_by}, live then as generation {one.generation}",
        "",
    )
    for result in one.results:
        yield "prompts" if result.suite == one.prompts else "suite", _of_suite(result), ""
    yield (
        "answers",
        f"{counted(one.answers, 'answer')}, each case asked {counted(one.repeats, 'time')}",
        "",
    )
    if one.lost:
        yield (
            "lost",
            f"{counted(one.lost, 'answer')} never came: they count at their worst",
            "yellow",
        )
    if one.unscored:
        told = f"{counted(one.unscored, 'answer')} have no score yet, since no judge could be asked: a run that takes them has them scored"
        yield "unscored", told, "yellow"
    if one.unverified:
        told = f"it could not be seen that this model answered: {one.unverified}"
        yield "unverified", told, "yellow"
    if found.signed:
        yield "signed", f"by {found.envelope['signatures'][0]['keyid']}", ""
    else:
        yield "unsigned", "GATEWRIGHT_SIGNING_KEY was not set: only its digests prove it", "yellow"
    if found.set_aside:
        yield "set aside", f"{found.set_aside}; it is never chosen", "yellow"
    else:
        yield "use it", f"gatewright promote {one.target} … --against {one.mark}", ""


def _of_suite(result: SuiteResult) -> str:
    """The scores that are most often judged by; all of them stand in the JSON."""
    known = {name: value for name, value in result.metrics.items() if value is not None}
    scores = [
        name
        for name in sorted(known)
        if name in result.grader_versions or name.endswith(".macro_f1")
    ]
    told = [f"{name} {known[name]:.3f}" for name in scores] or [f"{result.answered:,} answers"]
    if "latency_p95_ms" in known:
        told.append(f"95 % of answers within {known['latency_p95_ms']:,.0f} ms")
    if "cost_usd_per_1k" in known:
        told.append(f"{known['cost_usd_per_1k']:.3f} USD per 1,000")
    return f"{result.suite}: {', '.join(told)}"


def _time(iso: str) -> str:
    return iso[:19].replace("T", " ")
