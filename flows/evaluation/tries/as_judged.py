"""Opens a run with what it was judged by: gate and target from the chain of events, suites from their kept copies.

Whatever its files say by now, and whether they are still there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from evals.codec import convert
from evals.errors import ConfigurationError
from evals.files.versions import unreadable
from evals.gate.policy import GatePolicy
from evals.stored_runs.suites_as_judged import open_suite_as_judged
from evals.suites.cache import open_kept_suite
from evals.suites.opened import OpenedSuite
from flows.config.target import Target
from flows.evaluation.judges import TargetJudge
from flows.evaluation.open_run import OpenRun, TargetPlan, open_run, opened_with
from flows.registry.judged_by import JudgedBy
from flows.registry.opening import open_registry, require_run
from flows.settings import Settings

__all__ = ["open_as_judged"]


@contextmanager
def open_as_judged(settings: Settings, run_id: str) -> Iterator[OpenRun]:
    """Open a judged run as `open_run` does, by what it was judged by; as its files are now where that is not on record.

    A suite of which no copy was kept, and that is another one by now, is missing from the plan or has another fingerprint.

    Raises ConfigurationError when there is no such run.
    """
    with open_registry(settings) as registry:
        record = require_run(registry, run_id)
        kept = registry.judged_by(run_id)
        if kept is not None and kept.gate is not None and kept.target is not None:
            yield opened_with(settings, registry, record, _plan(settings, run_id, kept))
            return
    with open_run(settings, run_id) as run:
        yield run


def _plan(settings: Settings, run_id: str, kept: JudgedBy) -> TargetPlan:
    try:
        policy = convert(kept.gate, GatePolicy)
        target = convert({**(kept.target or {}), "path": f"target of {run_id}"}, Target)
    except msgspec.ValidationError as error:
        raise unreadable(settings.run_folder(run_id) / "judged_by", error) from error
    judge = TargetJudge(target.judge) if target.judge is not None else None
    found = (_suite(settings, name, print_, judge) for name, print_ in kept.fingerprints.items())
    return TargetPlan(
        target=target,
        policy=msgspec.structs.replace(policy, path=f"gate of {run_id}"),
        suites=tuple(one for one in found if one is not None),
        judge=judge,
    )


def _suite(
    settings: Settings, name: str, fingerprint: str, judge: TargetJudge | None
) -> OpenedSuite | None:
    """The suite of today while it is the one that judged: labels that people gave since lie beside it alone."""
    try:
        found = open_kept_suite(settings.datasets / name, judge)
    except ConfigurationError:
        found = None
    if found is not None and found.fingerprint == fingerprint:
        return found
    return open_suite_as_judged(settings.home / "suites", fingerprint, judge) or found
