"""A selection as `gatewright promote` and `gatewright report` show it when there is no run of a chosen candidate to show."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from evals.report.formats.terminal import field_renderable
from evals.report.sanitise import cleaned, one_line
from evals.report.sections.field import FieldView, field_view
from flows.platforms.model_names import short_name
from flows.registry.opening import require_run
from flows.registry.store import Registry
from flows.selection.facts import selection_facts

__all__ = ["selection_renderable", "selection_view"]


def selection_view(registry: Registry, run_id: str) -> FieldView | None:
    """Word a selection; None while its field is not open."""
    facts = selection_facts(registry, run_id)
    if facts is None:
        return None
    models = [one.model_id for one in facts.plan.candidates]
    return field_view(cleaned(facts), {model: short_name(model) for model in models})


def selection_renderable(registry: Registry, run_id: str) -> RenderableType:
    """Lay a selection out for a terminal."""
    run, field = require_run(registry, run_id), selection_view(registry, run_id)
    head = Text.assemble((f"{run.state.upper()}  ", "bold"), one_line(run.detail, 600))
    return head if field is None else Group(head, Text(), field_renderable(field))
