"""What is live for a target as `gatewright live` shows it: since when, who decided it, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evals.records import LivePointer
from evals.report.sanitise import shorten
from flows.platforms.model_names import short_name
from flows.recovery.earlier_models import rollback_command
from flows.registry.decisions import Decided, decided_by
from flows.registry.frozen import of_model, standing_for
from flows.registry.provenance import failed_checks, origin, overrides_behind, revocation_of
from flows.registry.store import Registry

__all__ = ["live_data", "live_renderable"]

_LONGEST = 160
_Line = tuple[str, str, str]
"""A label, what is said, and a style."""


def live_data(registry: Registry, name: str, pointer: LivePointer | None) -> dict[str, object]:
    """Return what is live as plain data."""
    data: dict[str, object] = {
        "target": name,
        "live": None,
        "hold": msgspec.to_builtins(registry.held(name)),
        "drift": msgspec.to_builtins(registry.drifted(name)),
    }
    frozen = standing_for(registry.frozen(name), pointer)
    data["frozen"] = frozen.baseline.frozen_id if frozen is not None else None
    if pointer is not None:
        data["live"] = msgspec.to_builtins(pointer)
        data["name"] = short_name(pointer.model_id)
        data["model_id"] = pointer.model_id
        data["by"] = _made_live_by(registry, pointer)
        overrides, revoked = overrides_behind(registry, pointer), revocation_of(registry, pointer)
        data["overrides"] = msgspec.to_builtins(overrides)
        data["failed_checks"] = [check.check for check in failed_checks(registry, pointer)]
        data["revoked"] = msgspec.to_builtins(revoked)
        data["evidence"] = origin(registry, pointer).run_id
    return data


def live_renderable(registry: Registry, name: str, pointer: LivePointer | None) -> RenderableType:
    """Lay out what is live for one target; long lines go on below their own label."""
    if pointer is None:
        frozen = standing_for(registry.frozen(name), None)
        head = Text.assemble((name, "bold"), ": nothing is live")
        if frozen is not None:
            of = frozen.baseline
            head.append(f"; frozen baseline {of.frozen_id} ({short_name(of.model_id)}) is here")
    else:
        live = (short_name(pointer.model_id), "green")
        generation = f" is live (generation {pointer.generation})"
        head = Text.assemble((name, "bold"), ": ", live, generation)
    details = _lines(registry, pointer) if pointer is not None else ()
    lines = [*details, *_drift(registry, name), *_hold(registry, name)]
    return Group(head, _labelled(lines)) if lines else head


def _labelled(lines: list[_Line]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=10)
    table.add_column(overflow="fold")
    for label, text, style in lines:
        table.add_row(Text(label, style=style), Text(text, style=style))
    return Padding(table, (0, 0, 0, 2))


def _lines(registry: Registry, pointer: LivePointer) -> Iterator[_Line]:
    decided, run_id = _decided(registry, pointer), origin(registry, pointer).run_id
    yield "model", pointer.model_id, ""
    yield "answers at", f"{pointer.endpoint.base_url} as {pointer.endpoint.model}", ""
    yield "since", f"{_time(pointer.since)} UTC", ""
    yield "by", f"{decided.named}: {shorten(decided.reason, _LONGEST)}", ""
    if run_id and registry.run(run_id) is not None:
        yield "evidence", f"gatewright report {run_id}", ""
    frozen = of_model(registry.frozen(pointer.target), pointer.model_id)
    if frozen is not None:
        one = frozen.baseline
        yield "frozen", f"{one.frozen_id}, {_time(one.frozen_at)} UTC, {one.answers:,} answers", ""
    yield from _warnings(registry, pointer)


def _warnings(registry: Registry, pointer: LivePointer) -> Iterator[_Line]:
    """What speaks against what is live, and the way back from it."""
    for answer in overrides_behind(registry, pointer):
        text = (
            f"against its gate: overridden by {answer.actor} on {answer.at[:10]}: {answer.reason}"
        )
        yield "override", text, "yellow"
    for check in failed_checks(registry, pointer):
        yield "failed", f"{check.check}: {shorten(check.reason, _LONGEST)}", "yellow"
    if (revoked := revocation_of(registry, pointer)) is None:
        return
    yield "revoked", f"{_time(revoked.at)} by {revoked.actor}: {revoked.reason}", "red"
    if (back := rollback_command(registry, pointer.target)) is not None:
        yield "way back", back.command, "red"
        yield "", f"goes back to {back.model_id}", "red"


def _drift(registry: Registry, name: str) -> Iterator[_Line]:
    found = registry.drifted(name)
    if found is not None:
        yield "drift", f"seen {_time(found.at)}: {found.reason}", "red"
        yield "", f"gatewright verify {name}   looks again and says what to do", "red"


def _hold(registry: Registry, name: str) -> Iterator[_Line]:
    held = registry.held(name)
    if held is not None:
        yield "on hold", f"since {_time(held.since)} by {held.actor}: {held.why}", "yellow"


def _decided(registry: Registry, pointer: LivePointer) -> Decided:
    event = registry.event_of(pointer.target, pointer.generation)
    if event is None:  # only in a registry that was tampered with; `verify` names it
        return Decided(people=("nobody on record",))
    return decided_by(registry, event)


def _made_live_by(registry: Registry, pointer: LivePointer) -> dict[str, str]:
    event, decided = (
        registry.event_of(pointer.target, pointer.generation),
        _decided(registry, pointer),
    )
    return {
        "actor": decided.who,
        "how": decided.how,
        "asked_by": decided.asked_by,
        "kind": event.kind if event is not None else "",
        "reason": decided.reason,
        "at": event.at if event is not None else pointer.since,
    }


def _time(iso: str) -> str:
    return iso[:19].replace("T", " ")
