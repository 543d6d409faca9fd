"""How suites are shown to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from evals.cases.suite_file import Suite
    from evals.suites.curation import Duplicate, SuiteStats
    from evals.suites.leakage import Leak
    from evals.suites.opened import OpenedSuite
    from evals.suites.overlap import OverlappingPair
    from evals.suites.reference_answers import UnreachedScore

__all__ = ["show_check", "show_duplicates", "show_stats", "show_unreached"]

_MOST = 20
"""Rows shown to a person; `--json` gives all."""


def show_check(
    screen: Console,
    opened: OpenedSuite,
    leak: Leak | None,
    policy: Mapping[str, str],
    *,
    named: bool = True,
) -> None:
    """Show that a suite is in order, and which of its cases stand in the training file; only how many unless `named`."""
    suite = opened.suite
    names = ", ".join(grader.name for grader in opened.graders)
    screen.print(Text(f"{suite.name}: {len(suite.cases)} cases, graders {names}"))
    screen.print(Text(f"  fingerprint       {opened.fingerprint}"))
    if leak is None:
        screen.print(Text("  training overlap  not looked for: no training file is named"))
        return
    overlap = leak.overlap
    screen.print(
        Text(
            f"  training overlap  {len(overlap.exact)} exact, {len(overlap.near)} near, "
            f"against {overlap.examples} examples of {leak.file}"
        )
    )
    if not named:
        screen.print(Text("  sealed            cases are not named here"))
        return
    for kind, pairs in (("exact", overlap.exact), ("near", overlap.near)):
        style = "red" if policy[kind] == "refuse" else "yellow"
        for pair in pairs[:_MOST]:
            screen.print(Text(f"    {_pair(kind, pair)}", style=style))
        if len(pairs) > _MOST:
            screen.print(f"    … and {len(pairs) - _MOST} more ({kind})")


def show_unreached(screen: Console, unreached: Sequence[UnreachedScore]) -> None:
    """Show which graders call the expected answers wrong, so that no answer could pass."""
    for one in unreached:
        screen.print(
            Text(
                f"  grader {one.grader}: the expected answers of {one.cases} of {one.tried} cases don't get its best score"
                + (f", such as case '{one.case_id}': {one.reason}" if one.case_id else ""),
                style="red",
            )
        )


def show_stats(screen: Console, stats: SuiteStats) -> None:
    """Show a suite in figures."""
    from evals.checks.floors import clusters_said
    from evals.stats.clusters import ClusterSizes

    table = Table(
        title=stats.name, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0)
    )
    table.add_row("cases", f"{stats.cases:,}")
    if stats.clusters and stats.effective_clusters and stats.largest_cluster:
        largest = stats.largest_cluster / stats.cases
        sizes = ClusterSizes(stats.clusters, stats.effective_clusters, largest)
        table.add_row("clusters", clusters_said(sizes))
    table.add_row(
        "length of the question",
        f"mean {stats.mean_length:,.0f}, median {stats.median_length:,.0f}, longest {stats.longest:,} characters",
    )
    for what, counts in (("tag", stats.tags), ("label", stats.labels)):
        for name, values in counts.items():
            table.add_row(f"{what} {name}", Text(_counts(values)))
    table.add_row("metrics", Text(", ".join(stats.metrics)))
    table.add_row("fingerprint", stats.fingerprint)
    screen.print(table)


def show_duplicates(screen: Console, suite: Suite, twice: Sequence[Duplicate]) -> None:
    """Show the cases that ask what an earlier one asks."""
    contradicting = sum(double.contradicts for double in twice)
    screen.print(
        Text(
            f"{suite.name}: {len(twice)} of {len(suite.cases)} cases ask what an earlier one asks, "
            f"{contradicting} of them with another answer"
        )
    )
    for double in twice[:_MOST]:
        other = ", but another answer is expected" if double.contradicts else ""
        line = suite.cases.line(double.case_id)
        screen.print(
            Text(f"  {double.case_id} (line {line}) is {_like(double)} {double.same_as}{other}")
        )
    if len(twice) > _MOST:
        screen.print(f"  … and {len(twice) - _MOST} more")


def _pair(kind: str, pair: OverlappingPair) -> str:
    share = "" if kind == "exact" else f" (similarity {pair.similarity:.2f})"
    return f"{kind}: case {pair.case_id}, line {pair.line} of the training file{share}"


def _like(double: Duplicate) -> str:
    return "the same as" if double.similarity == 1.0 else f"{double.similarity:.2f} like"


def _counts(values: Mapping[str, int]) -> str:
    shown = [f"{name or '(none)'} {count}" for name, count in list(values.items())[:_MOST]]
    more = [f"… {len(values) - _MOST} more"] if len(values) > _MOST else []
    return ", ".join([*shown, *more])
