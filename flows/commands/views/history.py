"""A target's history as `gatewright history` shows it: a change takes a line, its reason and evidence stand below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evals.report.sanitise import shorten
from flows.platforms.model_names import short_name
from flows.registry.decisions import decided_by
from flows.registry.records import Event
from flows.registry.store import Registry

__all__ = ["changes_table"]

_STYLES = {
    "promotion": "green",
    "first_release": "green",
    "adopt": "green",
    "rollback": "yellow",
    "restore": "yellow",
    "override": "yellow",
    "hold": "yellow",
    "edited": "yellow",
    "put_back": "yellow",
    "warned": "yellow",
    "withdrawal": "red",
    "reject": "red",
    "model_refused": "red",
    "model_revoked": "red",
    "drift_found": "red",
    "canary_changed": "red",
}
_LONGEST = 300


def changes_table(registry: Registry, target: str, events: Sequence[Event]) -> RenderableType:
    """Lay changes out for a terminal of 80 columns or more, newest first; #N is a generation, to go back to."""
    names = _names(event.model_id for event in events if event.model_id)
    blocks = [_block(event, names, decided_by(registry, event).words) for event in events]
    return Group(Text(f"{target}: newest first, times are UTC"), *blocks)


def _block(event: Event, names: dict[str, str], who: str) -> RenderableType:
    head = Table.grid(padding=(0, 2, 0, 0))
    for width in (4, 16, 16, None):
        head.add_column(width=width, overflow="fold")
    head.add_row(
        Text(f"#{event.generation}" if event.generation is not None else ""),
        event.at[:16].replace("T", " "),
        Text(event.kind, style=_STYLES.get(event.kind, "")),
        _who(names.get(event.model_id or "", ""), who),
    )
    below = [Text(text, style=style) for text, style in _below(event)]
    return Group(head, *(Padding(line, (0, 0, 0, 6)) for line in below))


def _who(model: str, who: str) -> Text:
    return Text.assemble((model, "bold"), "  " if model else "", who)


def _below(event: Event) -> Iterable[tuple[str, str]]:
    if event.reason:
        yield shorten(event.reason, _LONGEST), ""
    if evidence := _evidence(event):
        yield f"evidence  {evidence}", "dim"


def _evidence(event: Event) -> str:
    """The run behind a change, and the first digits of the digest of what it measured."""
    digits = (event.evidence_digest or "").removeprefix("sha256:")[:12]
    return "  ".join(filter(None, (event.run_id, digits)))


def _names(model_ids: Iterable[str]) -> dict[str, str]:
    """How each model is called: by its short name, or in full where two of them share it."""
    called: dict[str, set[str]] = defaultdict(set)
    for model_id in model_ids:
        called[short_name(model_id)].add(model_id)
    return {
        model_id: name if len(sharing) == 1 else model_id
        for name, sharing in called.items()
        for model_id in sharing
    }
