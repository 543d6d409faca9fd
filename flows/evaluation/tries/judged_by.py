"""What a run is judged by, kept when it first looks at its answers; and what changed between two runs of a target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from evals.codec import convert
from evals.errors import ConfigurationError, Problem
from evals.gate.policy import GatePolicy
from evals.gate.tries.edits import gate_edits
from evals.records import Edit
from evals.stored_runs.suites_as_judged import keep_suite
from evals.suites.cache import open_kept_suite
from evals.suites.composition import UNKNOWN, SuiteComposition, composition_of, suite_edits
from flows.config.recorded_target import plain_target, target_edits
from flows.evaluation.open_run import OpenRun
from flows.files import read_record, write_record
from flows.registry.judged_by import JudgedBy
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["edits_since", "keep_judged_by"]


def keep_judged_by(run: OpenRun) -> None:
    """Put on record what a run is judged by, and what of it changed since the target's run before; safe to do again.

    Raises:
        ConfigurationError: gate or suites were changed since the run first looked at its answers, or was judged.
    """
    now = _now(run)
    _require_as_before(run, now)
    for opened in run.plan.suites:
        path = _composition_path(run.settings, opened.fingerprint)
        if not path.exists():  # of the whole suite, also where this run is judged on a part of it
            whole = open_kept_suite(run.settings.datasets / opened.suite.name)
            write_record(path, composition_of(whole))
        keep_suite(run.settings.home / "suites", opened)
    run.registry.note_judged_by(run.record.run_id, now)
    before = run.registry.judged_before(run.record.run_id)
    if before is not None:
        edits = tuple(_edits(run.settings, _then(run.registry, before), now))
        run.registry.note_edits(run.record.run_id, before, edits)


def _require_as_before(run: OpenRun, now: JudgedBy) -> None:
    """What was seen of the answers must not choose what they are judged by: a run that goes on keeps gate and suites."""
    kept = run.registry.judged_by(run.record.run_id)
    if kept is None:
        return
    suites = kept.fingerprints != now.fingerprints
    if suites or kept.policy_digest != now.policy_digest:
        raise ConfigurationError(
            Problem(
                where=run.target.path if suites else run.policy.path,
                message=f"the {'suites were' if suites else 'gate was'} changed after this run had looked at its answers",
                fix="put it back as it was, or start a new run (--again)",
            )
        )


def edits_since(run: OpenRun, before: str) -> tuple[Edit, ...]:
    """Return what changed in gate and suites since another run, as far as it makes passing easier or can't be told."""
    then, now = _then(run.registry, before), _now(run)
    found = _edits(run.settings, then, now)
    return tuple(edit for edit in found if edit.looser and edit.of in ("gate", "suite"))


def _now(run: OpenRun) -> JudgedBy:
    return JudgedBy(
        policy_digest=run.policy.digest,
        fingerprints={one.suite.name: one.fingerprint for one in run.plan.suites},
        gate=msgspec.to_builtins(msgspec.structs.replace(run.plan.policy, path="")),
        target=plain_target(run.target),
        confidence=run.policy.decision_confidence,
    )


def _then(registry: Registry, run_id: str) -> JudgedBy:
    """What is on record of an earlier run; of one from before this was kept, its digests."""
    kept, run = registry.judged_by(run_id), registry.run(run_id)
    if kept is not None:
        return kept
    verdict = registry.verdict(run_id)
    digest = verdict.policy_digest if verdict is not None else run.policy_digest if run else ""
    return JudgedBy(policy_digest=digest, fingerprints=dict(run.fingerprints) if run else {})


def _edits(settings: Settings, then: JudgedBy, now: JudgedBy) -> Iterator[Edit]:
    if then.policy_digest != now.policy_digest:
        yield from _gate(then, now)
    for name in dict.fromkeys((*then.fingerprints, *now.fingerprints)):
        yield from _suite(settings, name, then.fingerprints.get(name), now.fingerprints.get(name))
    if then.target is not None and now.target is not None:
        yield from target_edits(then.target, now.target)


def _gate(then: JudgedBy, now: JudgedBy) -> Iterator[Edit]:
    try:
        before = convert(then.gate, GatePolicy)
    except msgspec.ValidationError:  # not kept, or by a version that knew other keys
        change = "changed; how is not on record, so that it counts as looser"
        yield Edit(of="gate", field="gate", change=change, looser=True)
        return
    yield from gate_edits(before, convert(now.gate, GatePolicy))


def _suite(settings: Settings, name: str, was: str | None, now: str | None) -> Iterator[Edit]:
    if was == now:
        return
    if was is None or now is None:
        # One suite more can't make passing easier; one less can.
        change = "added" if was is None else "removed"
        yield Edit(of="suite", field=name, change=change, looser=now is None)
        return
    before, after = (
        read_record(_composition_path(settings, one), SuiteComposition) for one in (was, now)
    )
    if before is None or after is None:
        yield Edit(of="suite", field=name, change=UNKNOWN, looser=True)
        return
    yield from suite_edits(before, after)


def _composition_path(settings: Settings, fingerprint: str) -> Path:
    return settings.home / "suites" / f"{fingerprint.removeprefix('sha256:')[:32]}.json"
