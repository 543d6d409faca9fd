"""The earlier live models that a run is held against: chosen once, written down in its folder, read at every look.

An anchor that could change from look to look would be none. So the choice is pinned before the first look, and whoever
judges the run again takes the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evals.evaluation.kept_answers import deployment_marks
from evals.evaluation.kept_results import KeptEvidence, deployments_changed
from evals.gate.earlier_models import Kept
from evals.gate.policy import GatePolicy
from evals.records import Record
from evals.sampling.journal.journal import Journal
from flows.evaluation.kept.anchor import anchor_of, best_model, kept_as
from flows.evaluation.kept.earlier_models import (
    EarlierModel,
    earlier_model,
    earlier_models,
    graded_model,
    graded_models,
)
from flows.evaluation.kept.keep import open_reference, own_names
from flows.evaluation.kept.recorded_baseline import recorded_evidence
from flows.evaluation.open_run import OpenRun
from flows.files import read_record, write_record
from flows.registry.kept_answers import KeptReference

__all__ = ["EarlierModels", "kept_evidence", "pin_earlier_models", "pinned"]

_FILE = "earlier_models.json"


class EarlierModels(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Whose kept answers a run is held against.

    `anchor` is the model that `anchor_named` of the gate came to, `anchor_problem` why it came to none. `baseline` is the
    live model itself, as it answered when it was promoted. `best` and `oldest` are those that reports show.
    """

    anchor_named: str = ""
    anchor: KeptReference | None = None
    anchor_problem: str = ""
    baseline: KeptReference | None = None
    best: KeptReference | None = None
    oldest: KeptReference | None = None

    @property
    def all(self) -> set[KeptReference]:
        """Every one that was chosen."""
        chosen = (self.anchor, self.baseline, self.best, self.oldest)
        return {one for one in chosen if one is not None}


async def pin_earlier_models(run: OpenRun) -> None:
    """Choose the earlier models of a run and have their answers graded by today's graders; what was chosen stays.

    Called while the run's judges may be asked: what is missing of their scores is made here, once for all runs.
    """
    found = pinned(run)
    if found is not None:
        for reference in found.all:
            await graded_model(run, reference)
        return
    earlier = await graded_models(run)
    run.folder.mkdir(parents=True, exist_ok=True)
    write_record(run.folder / _FILE, _chosen(run, earlier))


def pinned(run: OpenRun) -> EarlierModels | None:
    """Return what was chosen for a run, None when nothing was yet, or by a version that knew of none."""
    return read_record(run.folder / _FILE, EarlierModels)


def kept_evidence(run: OpenRun, policy: GatePolicy | None = None) -> KeptEvidence:
    """Return the kept answers that take part in judging a run by its gate, or by another policy."""
    recorded = recorded_evidence(run)
    if run.record.kind == "regression":  # no anchor: it looks at what is live alone
        return recorded or KeptEvidence()
    gate, found = policy or run.policy, pinned(run) or EarlierModels()
    anchor, problem = _anchor(run, gate, found)
    if recorded is not None:
        return replace(recorded, anchor=anchor, anchor_problem=problem)
    own, own_problem, changed = _baseline(run, found.baseline)
    return KeptEvidence(
        anchor=anchor,
        anchor_problem=problem,
        baseline=own,
        baseline_problem=own_problem,
        baseline_changed=changed,
    )


def _chosen(run: OpenRun, earlier: Sequence[EarlierModel]) -> EarlierModels:
    policy = run.policy
    anchor, problem = anchor_of(run, policy, earlier)
    usable = [one for one in earlier if not one.why_not(policy)]
    live = kept_as(run, earlier, run.record.baseline_generation)
    return EarlierModels(
        anchor_named=policy.anchor.model if policy.anchor is not None else "",
        anchor=anchor,
        anchor_problem=problem,
        baseline=live.reference if live is not None and run.record.baseline_model else None,
        best=best_model(policy, usable).reference if usable else None,
        oldest=usable[0].reference if usable else None,
    )


def _anchor(run: OpenRun, policy: GatePolicy, found: EarlierModels) -> tuple[Kept | None, str]:
    """The anchor's kept answers, or why they can't be compared; another gate's anchor is looked for now."""
    if policy.anchor is None:
        return None, ""
    reference, problem = found.anchor, found.anchor_problem
    if policy.anchor.model != found.anchor_named:
        reference, problem = anchor_of(run, policy, earlier_models(run))
    if reference is None:
        return None, problem
    kept = earlier_model(run, reference)
    return kept.results, kept.problem


def _baseline(run: OpenRun, reference: KeptReference | None) -> tuple[Kept | None, str, str]:
    """The live model's kept answers, why they can't be read, and what tells that its deployment is another one."""
    if reference is None:
        return None, "", ""
    kept = earlier_model(run, reference, "baseline")
    if kept.unreadable:
        return None, kept.problem, ""
    if (
        kept.results is None
    ):  # asked in another way by now: nothing can be told, and the comparison stands
        return None, "", ""
    return kept.results, "", _changed(run, reference)


def _changed(run: OpenRun, reference: KeptReference) -> str:
    pointer = run.registry.find(run.target.name, run.record.baseline_model or "")
    names = own_names(run, pointer) if pointer is not None else frozenset()
    now: set[str] = set()
    with Journal.open(run.folder / "journal", read_only=True) as journal:
        for opened in run.plan.suites:
            for entry in journal.entries("baseline", opened.suite.name):
                now.update(deployment_marks(entry, names))
    suites = open_reference(run.settings, reference).record.suites
    then = [mark for one in suites for mark in one.deployments]
    return deployments_changed(then, sorted(now))
