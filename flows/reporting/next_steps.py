"""What is live as a report is written, and which commands may follow it."""

from __future__ import annotations

from collections.abc import Iterator

from evals.records import LivePointer, NextStep, Slot
from evals.report.numbers import instant
from flows.approvals.acceptance import acceptance_of
from flows.deployments.downtime import describe_downtime
from flows.evaluation.open_run import OpenRun
from flows.platforms.model_names import same_id
from flows.recovery.earlier_models import RollbackCommand, rollback_command
from flows.registry.judge_anew import promote_command
from flows.registry.provenance import overrides_behind, revocation_of
from flows.registry.records import RunRecord
from flows.registry.store import Registry

__all__ = ["live_now", "next_steps", "passed"]


def live_now(registry: Registry, live: LivePointer | None) -> str:
    """What is live, and for as long as it is: who let it past its gate, its revocation, its drift, and a hold."""
    if live is None:
        return "nothing is live"
    sentence = (
        f"{live.model_id} is live since {instant(live.since)} (generation {live.generation}),"
        f" as of {instant(registry.now())}"
    )
    if live.run_id and (gap := describe_downtime(registry.steps(live.run_id))):
        sentence += f"; {live.deployment} {gap} while it came"
    overrides = overrides_behind(registry, live)
    if overrides:
        people = " and ".join(f"{answer.actor} ({answer.reason})" for answer in overrides)
        sentence += f", against its gate, overridden by {people}"
    revoked = revocation_of(registry, live)
    if revoked is not None:
        sentence += f"; revoked on {revoked.at[:10]} by {revoked.actor}: {revoked.reason}"
    if (drift := registry.drifted(live.target)) is not None:
        sentence += f"; changed past Gatewright, seen on {drift.at[:10]}: {drift.reason}"
    if (held := registry.held(live.target)) is not None:
        known = revoked is not None and held.why == revoked.reason
        why = ", too" if known else f" by {held.actor}: {held.why}"
        sentence += f"; on hold since {held.since[:10]}{why}"
    return sentence


def next_steps(run: OpenRun, live: LivePointer | None) -> tuple[NextStep, ...]:
    registry, record = run.registry, run.record
    if record.state == "waiting":
        reject = NextStep(
            command=f"gatewright reject {record.run_id} --reason '…'", effect="ends it"
        )
        return (*_to_accept(run), reject)
    if record.state == "refused" and passed(registry, record):
        return tuple(_past_the_hold(registry, record))
    back = rollback_command(registry, record.target)
    if record.kind == "regression":
        return tuple(_after_regression(registry, record, live, back))
    if live is None or back is None:
        return ()
    own = record.state == "promoted" and live.model_id == record.candidate_model
    if own or revocation_of(registry, live) is not None:
        return (NextStep(command=back.command, effect=f"goes back to {back.name}"),)
    return ()


def _after_regression(
    registry: Registry, record: RunRecord, live: LivePointer | None, back: RollbackCommand | None
) -> Iterator[NextStep]:
    """What a person may do of a live model that was found worse: look, go back, and let automation go on."""
    found = registry.regression_outcome(record.run_id)
    if live is None or found is None or found.outcome != "worse":
        return
    yield NextStep(command=f"gatewright report {record.run_id}", effect="shows what was found")
    if back is not None and same_id(live.model_id, found.model_id):
        yield NextStep(command=back.command, effect=f"goes back to {back.name}")
    if registry.held(record.target) is not None:
        release = f"gatewright release {record.target} --reason '…'"
        yield NextStep(
            command=release, effect="lets automation promote again, once it is put right"
        )


def passed(registry: Registry, record: RunRecord) -> bool:
    """Whether every verdict of a run is a PASS: what it was refused for then is no fault of its candidate."""
    slots: tuple[Slot, ...] = ("developer", "production")
    judged = [one for slot in slots if (one := registry.verdict(record.run_id, slot)) is not None]
    return bool(judged) and all(one.outcome == "PASS" for one in judged)


def _past_the_hold(registry: Registry, record: RunRecord) -> Iterator[NextStep]:
    if registry.held(record.target) is not None:
        release = f"gatewright release {record.target} --reason '…'"
        yield NextStep(command=release, effect="lets automation promote again, first")
    yield NextStep(
        command=promote_command(record), effect="judges it once more, and promotes it if it passes"
    )


def _to_accept(run: OpenRun) -> Iterator[NextStep]:
    """The answer that lets a waiting run go live, and who may not give it; none where nobody can."""
    registry, record = run.registry, run.record
    slot: Slot = "production" if registry.verdict(record.run_id, "production") else "developer"
    verdict = registry.verdict(record.run_id, slot)
    asked = acceptance_of(registry, record, slot, verdict, run.policy) if verdict else None
    if asked is None or asked.wanted is None:
        return
    others = f", by somebody else than {' and '.join(asked.excluded)} (GATEWRIGHT_ACTOR)"
    yield NextStep(
        command=f"gatewright {asked.wanted} {record.run_id} --reason '…'",
        effect=f"lets it go live{others if asked.excluded else ''}",
    )
