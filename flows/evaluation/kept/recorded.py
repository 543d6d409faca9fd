"""What a run's folder says of a baseline that is not asked: whose recorded answers stand for it, chosen once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from evals.records import Record
from flows.files import read_record, write_record
from flows.registry.kept_answers import KeptReference

__all__ = ["RecordedBaseline", "RecordedSource", "keep_recorded", "recorded_in"]

_FILE = "recorded_baseline.json"

RecordedSource = Literal["reference", "promotion", "frozen"]
"""Where recorded answers come from: a fresh pass over the production deployment, the run that won the promotion, or a
frozen baseline."""


class RecordedBaseline(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Whose answers of before a run is held against, in place of a model that is asked.

    `reference` points to them; without any, `problem` says why. `note` is for reports: what speaks against these answers.
    """

    source: RecordedSource
    reference: KeptReference | None = None
    problem: str = ""
    note: str = ""


def recorded_in(folder: Path) -> RecordedBaseline | None:
    """Return what was chosen for the run of a folder; None where its baseline is asked, or it has none."""
    return read_record(folder / _FILE, RecordedBaseline)


def keep_recorded(folder: Path, chosen: RecordedBaseline) -> None:
    """Write down what was chosen, before the first question."""
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / _FILE, chosen)
