"""Runs as `gatewright runs` lists them: the run's id is never cut, since it is what other commands are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from evals.report.numbers import counted
from evals.report.sanitise import one_line, shorten
from flows.platforms.model_names import short_name
from flows.registry.records import InboxMessage, RunRecord
from flows.registry.regression_outcomes import RegressionOutcome
from flows.registry.store import Registry

__all__ = ["left_by_process", "pending_list", "run_list"]

_STYLES = {
    "promoted": "green",
    "refused": "red",
    "failed": "red",
    "waiting": "yellow",
    "steady": "green",
    "worse": "red",
    "changed": "yellow",
}
_LONGEST = 200


def run_list(
    runs: Sequence[RunRecord],
    died: Mapping[str, str],
    regressions: Mapping[str, RegressionOutcome | None] | None = None,
) -> RenderableType:
    """Lay runs out for a terminal of 80 columns or more, newest first: a line each, and its details below.

    `died` says of runs whose process is gone what becomes of them. `regressions` are the outcomes of regression runs by run:
    the outcome stands in the place of the state.
    """
    width = max(len(run.run_id) for run in runs)
    settled = {run_id: one.word for run_id, one in (regressions or {}).items() if one}
    return Group(
        *(
            line
            for run in runs
            for line in _lines(
                run, width, died.get(run.run_id, ""), settled.get(run.run_id, run.state)
            )
        )
    )


def left_by_process(registry: Registry) -> dict[str, str]:
    """Say of each run under way that its process died or is silent, and how it goes on; none of those that somebody carries out."""
    from flows.orchestration.target_lease import died, how_it_ended

    left = [lease for lease in registry.open_leases() if died(lease)]
    return {
        run.run_id: f"{how_it_ended(lease)}; {_goes_on(run)}"
        for lease in left
        if (run := registry.run(lease.run_id)) is not None and run.under_way
    }


def _goes_on(run: RunRecord) -> str:
    if run.kind == "regression":
        return f"ask anew: gatewright regress {run.target}"
    return f"go on with: gatewright resume {run.run_id}"


def pending_list(messages: Sequence[InboxMessage]) -> RenderableType:
    """Lay out the triggers that `gatewright serve` has not dealt with yet, oldest first, with what hindered the last try."""
    from flows.service.dispatcher.messages import described

    rows = []
    for one in messages:
        tries = f", tried {counted(one.attempts, 'time')}: {one.outcome}" if one.attempts else ""
        head = f"pending  {one.received_at[:16].replace('T', ' ')}  {described(one.payload)}"
        rows.append(Text(one_line(f"{head}, received as {one.message_id}{tries}", 2 * _LONGEST)))
    return Group(*rows)


def _lines(run: RunRecord, width: int, died: str, state: str) -> list[RenderableType]:
    head = Text.assemble(
        (f"{run.run_id:{width}}  ", "bold"),
        run.updated_at[:16].replace("T", " ") + "  ",
        f"{run.kind:10}  ",
        (f"{state:12}  ", _STYLES.get(state, "")),
        short_name(run.candidate_model) if run.candidate_model else "",
    )
    changed = "; ".join(edit.words for edit in run.edits)
    below = [died, run.detail, f"changed since run {run.since_run}: {changed}" if changed else ""]
    lines = (Text(shorten(text, _LONGEST), style="dim") for text in below if text)
    return [head, *(Padding(line, (0, 0, 0, 6)) for line in lines)]
