"""Shows a plan as tables for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.plan_scenarios import Scenario
from evals.planning import CheckPlan, GatePlan

__all__ = ["plan_view"]


_AS_SAID_ABOVE = "past run"
"""The source of a check's figures that needs no line of its own: which run it is stands at the top."""


def plan_view(plan: GatePlan) -> RenderableType:
    """Return a renderable: what is asked, what each check needs, and what a run is likely to come to."""
    return Group(Text(_asked(plan)), Text(), _checks(plan), Text(), *_outlook(plan))


def _asked(plan: GatePlan) -> str:
    suites = ", ".join(
        f"{name} ({cases:,} cases{_often(plan.repeats[name])})"
        for name, cases in plan.suites.items()
    )
    models = "candidate and baseline" if plan.roles == 2 else "the candidate"
    cost = f", about {plan.usd:,.2f} USD" if plan.usd is not None else ", cost not known yet"
    took = f", about {_duration(plan.seconds)}" if plan.seconds is not None else ""
    return (
        f"{suites}; {models}: {plan.calls:,} calls at most{cost}{took}.\n"
        f"Worked out from {plan.source}."
    )


def _often(repeats: int) -> str:
    return f", {repeats} times each" if repeats > 1 else ""


def _checks(plan: GatePlan) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("check", overflow="fold", min_width=26)
    for heading in ("there are", "least\nto pass", "for\n80 %", "for\n90 %", "power", "resolves"):
        table.add_column(heading, justify="right")
    sources = {check.source for check in plan.checks} - {_AS_SAID_ABOVE}
    for check in plan.checks:
        short = check.units < check.least
        table.add_row(
            _named(check, tell_source=bool(sources)),
            f"{check.units:,} {check.unit}",
            Text(f"{check.least:,}", style="red" if short and check.decides else ""),
            _count(check.n80),
            _count(check.n90),
            "" if check.power is None else f"{check.power:.0%}",
            "" if check.resolves is None else f"{check.resolves:.3g}",
        )
    return table


def _named(check: CheckPlan, *, tell_source: bool) -> Text:
    """The check, and below it what its figures are reckoned by and a remark: they would not fit beside at 80 columns."""
    by = f"by {check.source}" if check.source and tell_source else ""
    below = "; ".join(filter(None, (by, _remark(check))))
    text = Text(check.check, style="" if check.decides else "dim")
    return text.append(f"\n  {below}", style="dim") if below else text


def _remark(check: CheckPlan) -> str:
    if not check.decides:
        return "shown, does not decide"
    return check.note


def _outlook(plan: GatePlan) -> list[RenderableType]:
    if not plan.scenarios:
        return [Text("Too little is known to say how a run would end: state --discordance.")]
    deciding = sum(check.decides for check in plan.checks)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("if the candidate is")
    for heading in ("all checks pass", "calls", "cost", "time"):
        table.add_column(heading, justify="right")
    for found in plan.scenarios:
        table.add_row(found.name, f"{found.passes:.0%}", *_spent(plan, found))
    known = plan.scenarios[0].checks
    return [
        table,
        Text(f"{known} of {deciding} deciding checks are in this outlook.", style="dim"),
    ]


def _spent(plan: GatePlan, found: Scenario) -> tuple[str, str, str]:
    return (
        f"{plan.calls * found.calls:,.0f} ({found.calls:.0%})",
        "" if plan.usd is None else f"{plan.usd * found.calls:,.2f} USD",
        "" if plan.seconds is None else _duration(plan.seconds * found.calls),
    )


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
