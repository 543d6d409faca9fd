"""Shows a plan as tables for a terminal."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.checks.floors import clusters_said
from evals.gate.tries.rule import days
from evals.planning.gate_plan import CheckPlan, GatePlan
from evals.planning.plan import EQUAL, PAST_RUN
from evals.planning.scenarios import Scenario
from evals.report.numbers import counted, percentage, rough_duration
from evals.report.sanitise import one_line
from evals.stats.clusters import ClusterSizes

__all__ = ["plan_view"]


_WEAK = 0.8
"""Below this power a check more likely than not needs a word on what would make it better."""
_LEGEND = (
    "least to pass: with fewer even flawless answers don't. For 80 / 90 %: as many cases pass a model as good as hoped"
    " (equal to the live one, or as good as last time) so often; power: how often these do; resolves: the margin that"
    " these pass it by in 90 %."
)


def plan_view(plan: GatePlan) -> RenderableType:
    """Return a renderable: what is asked, what each check needs, and what a run is likely to come to."""
    return Group(Text(_asked(plan)), Text(), _checks(plan), *_legend(plan), Text(), *_outlook(plan))


def _asked(plan: GatePlan) -> str:
    suites = ", ".join(
        f"{name} ({cases:,} cases{_often(plan.repeats[name])})"
        for name, cases in plan.suites.items()
    )
    models = "candidate and baseline" if plan.roles == 2 else "the candidate"
    if plan.against:
        suites, models = f"{suites} as in {plan.against}", "the candidate alone"
    cost = f", about {_usd(plan.usd)}" if plan.usd is not None else ", cost not known yet"
    took = f", about {rough_duration(plan.seconds)}" if plan.seconds is not None else ""
    return (
        f"{suites}; {models}: {plan.calls:,} calls at most{cost}{took}.\n"
        f"Worked out from {plan.source}.{_reference(plan)}{_lost(plan)}{_left_out(plan)}{_family(plan)}{_held(plan)}"
    )


def _held(plan: GatePlan) -> str:
    return f"\nOn hold: {one_line(plan.held, 500)}." if plan.held else ""


def _reference(plan: GatePlan) -> str:
    if not plan.reference_calls:
        return ""
    usd, budget = plan.usd, plan.reference_budget_usd
    cost = f", about {_usd(usd * plan.reference_calls / plan.calls)}" if usd and plan.calls else ""
    limit = f", {_usd(budget)} at most" if budget is not None else ""
    return (
        f"\nIf the candidate goes live, the fresh pass asks it {plan.reference_calls:,} calls more, for the answers that"
        f" regression runs compare with{cost}{limit}."
    )


def _lost(plan: GatePlan) -> str:
    if not plan.lost:
        return ""
    out = [check for check in plan.checks if check.decides and check.out_of_reach]
    beyond = f" With so many {counted(len(out), 'check')} can't pass at all." if out else ""
    return (
        f"\n{_percent(plan.lost)} of the answers are expected to be lost, and each counts at its worst:"
        f" that is in the figures.{beyond}"
    )


def _left_out(plan: GatePlan) -> str:
    if not plan.left_out:
        return ""
    conditions = counted(plan.left_out, "condition")
    return (
        f"\nNo model is live yet, so {conditions} against one can't be checked in this run;"
        " state --discordance to plan the runs after it."
    )


def _family(plan: GatePlan) -> str:
    if plan.family is None:
        return ""
    price = plan.family
    return (
        f"\nThe gate's family: {percentage(price.together)} hold for {counted(price.candidates, 'candidate')} in"
        f" {days(price.window_s)} together, so that each is judged at {percentage(price.confidence)}. That takes"
        f" {price.factor:.1f} times the cases for 90 %{_least_alone(plan)}."
    )


def _least_alone(plan: GatePlan) -> str:
    """By the check that needs the most."""
    grown = [check for check in plan.checks if check.decides and check.least_alone]
    if not grown:
        return ""
    most = max(grown, key=lambda check: check.least)
    return (
        f", and {most.least:,} flawless {most.unit} instead of {most.least_alone:,} to pass at all"
    )


def _often(repeats: int) -> str:
    return f", {repeats} times each" if repeats > 1 else ""


def _checks(plan: GatePlan) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("check", overflow="fold", min_width=26)
    for heading in ("there are", "least\nto pass", "for\n80 %", "for\n90 %", "power", "resolves"):
        table.add_column(heading, justify="right")
    # Which past run it is stands at the top, so that it needs no line at each check.
    sources = {check.source for check in plan.checks} - {PAST_RUN}
    for check in plan.checks:
        short = check.reach < check.least
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
    by = _source(check) if tell_source else ""
    below = "; ".join(filter(None, (by, _remark(check), _way_out(check))))
    text = Text(check.check, style="" if check.decides else "dim")
    return text.append(f"\n  {below}", style="dim") if below else text


def _source(check: CheckPlan) -> str:
    if check.source in ("", PAST_RUN):
        return f"from the {check.source}" if check.source else ""
    return (
        f"{check.source}: the models differ on {100 * (check.differing or 0.0):.3g} % of the cases"
    )


def _way_out(check: CheckPlan) -> str:
    """What would make a weak check better: more cases, and where models hoped to be equal are compared a wider margin."""
    if (
        check.out_of_reach
        or not check.decides
        or check.power is None
        or check.n90 is None
        or check.power >= _WEAK
    ):
        return ""
    margin = check.hope == EQUAL and check.differing is not None
    wider = f" or a margin of {_rounded_up(check.resolves)}" if margin else ""
    return f"weak: {check.n90:,} cases{wider} would make it 90 %"


def _rounded_up(margin: float | None) -> str:
    return f"{math.ceil((margin or 0.0) * 1000) / 1000:g}"


def _legend(plan: GatePlan) -> list[RenderableType]:
    known = any(check.power is not None for check in plan.checks)
    return [Text(), Text(_LEGEND, style="dim")] if known else []


def _remark(check: CheckPlan) -> str:
    if not check.decides:
        return "shown, does not decide"
    if check.out_of_reach:
        return "can't pass while so many answers are lost: lose fewer, or widen the margin"
    cost = f"lost answers cost {check.lost_cost:.2g}" if check.lost_cost else ""
    return "; ".join(filter(None, (_uneven(check), check.note, cost)))


def _uneven(check: CheckPlan) -> str:
    """What clusters of unequal size are worth."""
    if check.effective is None or check.largest is None:
        return ""
    sizes = ClusterSizes(check.units, check.effective, check.largest)
    return clusters_said(sizes) if sizes.uneven else ""


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _outlook(plan: GatePlan) -> list[RenderableType]:
    if not plan.scenarios:
        return [Text("Too little is known to say how a run would end; the first one will show it.")]
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
        "" if plan.usd is None else _usd(plan.usd * found.calls),
        "" if plan.seconds is None else rough_duration(plan.seconds * found.calls),
    )


def _usd(amount: float) -> str:
    return f"{amount:,.2f} USD" if amount >= 0.005 or amount == 0 else "< 0.01 USD"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
