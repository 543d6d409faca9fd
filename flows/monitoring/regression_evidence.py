"""The live model over all its regression runs: what they say together against the checks it once passed.

Each run leaves what it says in its folder when it is settled; what they say together is derived from these.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.gate.regression_evidence import (
    AccumulatedEvidence,
    CheckEvidence,
    accumulate,
    e_values_of_run,
)
from evals.records import Record
from flows.evaluation.kept.recorded import RecordedBaseline, recorded_in
from flows.evaluation.looks import due_look, evidence_at, results_at
from flows.evaluation.open_run import OpenRun
from flows.files import read_record, write_record
from flows.monitoring.earlier_draw import EarlierDraw, earlier_draw
from flows.registry.records import RunRecord

__all__ = [
    "RegressionEvidence",
    "accumulated_evidence",
    "evidence_left_behind",
    "evidence_sentence",
    "runs_before",
    "second_draw",
    "store_evidence",
]

_FILE = "over_time.json"
_SHOWN = 4


class RegressionEvidence(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a run's own answers say against each check, and what all runs up to it say together.

    `reference` is the digest of the recorded answers that the run was held against: comparisons with others don't add up.
    """

    own: tuple[CheckEvidence, ...]
    together: tuple[AccumulatedEvidence, ...]
    reference: str = ""

    @property
    def alarmed(self) -> bool:
        """True when the evidence against some check is enough for an alarm."""
        return any(one.alarmed for one in self.together)


def store_evidence(run: OpenRun) -> RegressionEvidence:
    """Work out what a regression run says, alone and with those before it, and leave it in its folder."""
    reference, before = _reference(run), runs_before(run)
    own = _own(run)
    earlier = [_evidence_of(run, one, reference) for one in before]
    found = RegressionEvidence(
        own=own,
        together=accumulate([*earlier, own], confidence=run.policy.confidence),
        reference=reference,
    )
    write_record(run.folder / _FILE, found)
    return found


def accumulated_evidence(run: OpenRun) -> RegressionEvidence | None:
    """Return what was written down for a run, None when it is not settled or no regression run."""
    return read_record(run.folder / _FILE, RegressionEvidence)


def evidence_sentence(run: OpenRun) -> str:
    """What all regression runs so far say together, in one sentence; empty when nothing is followed."""
    found = accumulated_evidence(run)
    if found is None or not found.together:
        return ""
    worst = sorted(found.together, key=lambda one: -one.log_e)
    shown = ", ".join(f"{one.check} e = {_number(one.e)}" for one in worst[:_SHOWN])
    rest = f" and {len(worst) - _SHOWN} more below" if len(worst) > _SHOWN else ""
    first = worst[0]
    runs = "1 regression run" if first.runs == 1 else f"{first.runs} regression runs"
    alarm = "ALARM: the evidence is enough" if found.alarmed else "no alarm"
    return f"evidence against the live model over {runs}: {shown}{rest}; alarm at {first.alarm_at:g} ({alarm})"


def evidence_left_behind(run: OpenRun) -> str | None:
    """What earlier runs said of comparisons with another reference, which add up with today's no more; None without any."""
    reference = _reference(run)
    folders = (run.settings.run_folder(one.run_id) for one in reversed(runs_before(run)))
    for folder in folders:
        found = read_record(folder / _FILE, RegressionEvidence)
        if found is None or found.reference in ("", reference) or not found.together:
            continue
        worst = max(found.together, key=lambda one: one.log_e)
        runs = "1 regression run was" if worst.runs == 1 else f"{worst.runs} regression runs were"
        return (
            f"{runs} held against other recorded answers before; comparisons with those do not add up with today's, and"
            f" stood at {worst.check} e = {_number(worst.e)} (alarm at {worst.alarm_at:g})."
        )
    return None


def _own(run: OpenRun) -> tuple[CheckEvidence, ...]:
    if not (run.folder / "journal").exists():
        return ()
    look = due_look(run)[0]
    suites = {opened.suite.name: opened for opened in run.plan.suites}

    def order(suite: str, check: Check) -> NDArray[np.int64]:
        # In asking order, as far as all cases of the check's slice were asked.
        return np.asarray(run.evaluation.rows(suites[suite], look, "candidate", check.where))

    draw = second_draw(run)
    # Of a later run nobody knows whether the model was the same then.
    second = draw.results if draw is not None and draw.promoted else None
    return e_values_of_run(run.policy, evidence_at(run, results_at(run, look)), order, second)


def second_draw(run: OpenRun) -> EarlierDraw | None:
    """Return a second draw of the answers that a run is held against, None without any."""
    recorded = recorded_in(run.folder)
    if recorded is None:
        return None
    reference = _reference(run)
    alike = [
        one
        for one in runs_before(run)
        if _digest_of(recorded_in(run.settings.run_folder(one.run_id))) == reference
    ]
    return earlier_draw(run, recorded, alike)


def _reference(run: OpenRun) -> str:
    return _digest_of(recorded_in(run.folder))


def _digest_of(recorded: RecordedBaseline | None) -> str:
    return recorded.reference.digest if recorded is not None and recorded.reference else ""


def runs_before(run: OpenRun) -> list[RunRecord]:
    """Earlier judged regression runs of the same model on the same suites, the first one first."""
    mine = run.record
    runs = run.registry.runs(
        mine.target, None
    )  # left out runs would give the others too much weight
    same = [
        other
        for other in runs
        if other.kind == "regression"
        and other.candidate_model == mine.candidate_model
        and other.fingerprints == mine.fingerprints
        and (other.created_at, other.run_id) < (mine.created_at, mine.run_id)
        and run.registry.verdict(other.run_id) is not None
    ]
    return sorted(same, key=lambda other: (other.created_at, other.run_id))


def _evidence_of(run: OpenRun, other: RunRecord, reference: str) -> tuple[CheckEvidence, ...]:
    """What an earlier run said; nothing where its folder is gone, which only lowers the evidence."""
    found = read_record(run.settings.run_folder(other.run_id) / _FILE, RegressionEvidence)
    if found is None:
        return ()
    same = found.reference == reference
    return tuple(
        one if same or not one.capitals else msgspec.structs.replace(one, capitals=(), log_e=0.0)
        for one in found.own
    )


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 100 else f"{value:,.0f}"
