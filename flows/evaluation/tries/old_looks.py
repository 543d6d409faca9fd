"""Runs that looked at their answers before a first look was put on record, and were killed before their verdict."""

from __future__ import annotations

from evals.gate.look_store import LookStore
from flows.evaluation.open_run import OpenRun

__all__ = ["note_old_looks"]


def note_old_looks(run: OpenRun) -> None:
    """Put the looks of a target's earlier runs on record that only their folders know of, so that they count as tries."""
    known = {one.run.run_id for one in run.registry.judged_runs(run.target.name)}
    for earlier in run.registry.runs(run.target.name, None):
        unknown = earlier.candidate_model and earlier.run_id not in known
        if unknown and earlier.run_id != run.record.run_id and earlier.kind != "regression":
            looks = LookStore(run.settings.run_folder(earlier.run_id)).events()
            if looks and run.registry.verdict(earlier.run_id) is None:
                run.registry.note_first_look(earlier.run_id, looks[0].look)
