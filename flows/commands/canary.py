"""`gatewright canary`: ask what is live a few cases now, and see whether it answers as before."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import typer
from rich.text import Text

from evals.errors import ConfigurationError, Problem
from evals.report.numbers import counted
from flows.commands.output import JSON_OPTION, console, emit, exit_with
from flows.settings import Settings, load_settings

if TYPE_CHECKING:
    from flows.monitoring.canary.status import CanaryStatus

__all__ = ["canary_renderable", "register", "worst_code"]

EXIT_OF_LOOK = {"chosen": 0, "alike": 0, "changed": 1, "skipped": 2, "unasked": 4}
_BY_SEVERITY = (0, 2, 4, 3, 1)
"""Exit codes from the least to the worst, as `gatewright status` orders them."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright canary support-triage")(canary)


def canary(
    target: str | None = typer.Argument(
        None, help="A target; all whose files have a canary when left out."
    ),
    choose_anew: bool = typer.Option(
        False,
        "--choose-anew",
        help="Compare with today's answers from now on; the record names you.",
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Ask the live model a few cases, and start a regression run when it answers otherwise than before.

    Exit codes: 0 alike, or chosen just now · 1 changed · 2 not asked: the month's budget is spent, no case is answered alike
    each time, or something is just going live · 3 wrong input · 4 too few answers. Of several targets the worst: 1, 3, 4, 2, 0.
    """
    settings = load_settings()
    found = asyncio.run(_look(settings, target, choose_anew=choose_anew))
    if as_json:
        emit([{**msgspec.to_builtins(one), "changed": one.changed} for one in found])
    else:
        for one in found:
            console().print(canary_renderable(one))
        if not found:
            console().print(Text("no target file has a canary, and none was named"))
    exit_with(worst_code(found))


async def _look(
    settings: Settings, target: str | None, *, choose_anew: bool
) -> tuple[CanaryStatus, ...]:
    from flows.monitoring.canary.look import look_at, look_at_all
    from flows.orchestration.prefect_api import PrefectApi
    from flows.registry.opening import open_registry

    if choose_anew and target is None:
        message = "expected the one target whose cases are to be chosen anew: name it"
        raise ConfigurationError(Problem(where="arguments", message=message))
    api = PrefectApi.from_environment() if os.environ.get("PREFECT_API_URL") else None
    try:
        if target is None:
            return await look_at_all(settings, api)
        with open_registry(settings) as registry:
            made = await look_at(
                settings, registry, target, api, anew=choose_anew, actor=settings.actor
            )
        return (made,)
    finally:
        if api is not None:
            await api.__aexit__()


def worst_code(found: Sequence[CanaryStatus]) -> int:
    """Return the exit code of several looks: that of the worst."""
    return max((_code(one) for one in found), key=_BY_SEVERITY.index, default=0)


def _code(one: CanaryStatus) -> int:
    if one.problem or one.last is None:
        return 4
    return EXIT_OF_LOOK[one.last.outcome]


_MARKS = {"chosen": "✓", "alike": "✓", "changed": "✗", "skipped": "–", "unasked": "!"}
_STYLES = {"chosen": "green", "alike": "green", "changed": "red"}


def canary_renderable(one: CanaryStatus) -> Text:
    """A look in a few lines: what it came to, what follows, what it costs, and how often it may be wrong."""
    from flows.monitoring.canary.words import bound_sentence

    last, text = one.last, Text()
    if one.problem or last is None:
        return text.append(f"! {one.target}: {one.problem or 'not looked at yet'}", style="yellow")
    style = _STYLES.get(last.outcome, "yellow")
    text.append(f"{_MARKS[last.outcome]} {last.outcome.upper()} ", style=f"bold {style}")
    text.append(f"{one.target} {one.model_id}: {last.said}")
    for line in (*_follows(one), *_facts(one), bound_sentence()):
        text.append(f"\n  {line}")
    return text


def _follows(one: CanaryStatus) -> list[str]:
    change = one.change
    if change is None:
        return []
    if change.regressed:
        from flows.registry.regression_outcomes import in_words

        said = in_words(change.regressed)
        return [f"regression run {change.run_id} says: {said}; gatewright report {change.run_id}"]
    if change.problem:
        return [f"no regression run was started: {change.problem}"]
    if change.run_id:
        return [f"regression run {change.run_id} is under way"]
    return [f"a regression run is started: flow run {change.flow_run}"] if change.flow_run else []


def _facts(one: CanaryStatus) -> list[str]:
    last, lines = one.last, []
    assert last is not None, "facts are those of a look"
    if last.latency is not None:
        lines.append(f"answers take {_times(last.latency)} as when the cases were chosen")
    if one.unasked:
        since = one.unasked_since[:16].replace("T", " ")
        looks = f"{one.unasked} looks in a row" if one.unasked > 1 else "the last look"
        lines.append(f"{looks} brought too few answers, since {since} UTC")
    lines += [
        f"{kind}s came and went without the model getting worse: they trigger nothing until something else goes live"
        for kind in one.quiet_marks
    ]
    budget = f" of {one.budget_usd:g} USD" if one.budget_usd is not None else ""
    unpriced = (
        f", {one.unpriced_calls:,} of them without a known price" if one.unpriced_calls else ""
    )
    lines.append(
        f"{one.month}: {one.calls:,} of {one.budget_calls:,} calls{unpriced}, {one.spent_usd:.4f} USD{budget}"
    )
    if one.starts:
        lines[-1] += (
            f", {one.starts} of {counted(one.budget_regressions, 'regression run')} started"
        )
    return lines


def _times(ratio: float) -> str:
    said = f"{ratio:.2g}"
    return "as long" if said == "1" else f"{said} times as long"
