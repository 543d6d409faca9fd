"""What needs a person by the record alone: questions, holds, revocations, runs that failed, died or were stopped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from evals.errors import GatewrightError
from evals.records import LivePointer
from evals.report.numbers import instant, rough_duration
from evals.report.sanitise import one_line
from flows.approvals.questions import Question, question_of
from flows.monitoring.status.going_back import going_back_needs
from flows.monitoring.status.records import Need
from flows.orchestration.target_lease import how_it_ended, stopped
from flows.registry.judge_anew import promote_command
from flows.registry.records import InboxMessage, RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["recorded_needs", "trigger_needs"]

_LONGEST = 240
_LOOKED_BACK = timedelta(days=30)
"""What failed, or was refused, longer ago than this and was never tried again is history."""


def recorded_needs(
    settings: Settings,
    registry: Registry,
    target: str,
    live: LivePointer | None,
    *,
    refuses: bool = False,
) -> Iterator[Need]:
    """Yield what a target's record asks of people, the worst first for each matter.

    `refuses` says that the live model answers no more, so that no regression run can look at it.
    """
    if live is not None:
        yield from going_back_needs(registry, live)
    hold = registry.held(target)
    if hold is not None:
        yield Need(
            kind="hold",
            severity="person",
            message=f"automation is held by {hold.actor}: {one_line(hold.why, _LONGEST)}",
            since=hold.since,
            command=f"gatewright release {target} --reason '…'",
        )
    runs = registry.runs(target, 200)
    limit = datetime.fromisoformat(registry.now()) - _LOOKED_BACK
    for run in runs:
        if run.state == "waiting" or datetime.fromisoformat(run.updated_at) >= limit:
            yield from _asked_of_people(settings, registry, run)
    yield from _undone(registry, target)
    yield from _failed(runs, limit, refuses=refuses)


def trigger_needs(registry: Registry) -> Iterator[Need]:
    """Yield the triggers that could not be dealt with so far, whichever target they are for."""
    for one in registry.inbox_pending(100):
        if one.attempts:
            yield _trigger(one)


def _trigger(one: InboxMessage) -> Need:
    message = (
        f"the trigger {one.message_id} was tried {one.attempts} times: "
        f"{one_line(one.outcome, _LONGEST)}"
    )
    return Need(
        kind="trigger",
        severity="person",
        message=message,
        since=one.received_at,
        command="gatewright runs",
        about=one.message_id,
    )


def _asked_of_people(settings: Settings, registry: Registry, run: RunRecord) -> Iterator[Need]:
    """A run that waits for an answer, or an override that still lacks a second person."""
    if run.kind != "promotion" or run.state not in ("waiting", "refused"):
        return
    if run.state == "refused" and not registry.answers(run.run_id):
        return
    at = registry.came_to_state_at(run.run_id) if run.state == "waiting" else None
    since = at or run.updated_at
    try:
        question = question_of(settings, registry, run)
    except GatewrightError as error:
        if run.state == "waiting":
            yield Need(
                kind="approval",
                severity="person",
                message=f"{run.run_id} waits, and its question is void: {one_line(str(error), _LONGEST)}",
                since=since,
                command=f"gatewright report {run.run_id}",
                run_id=run.run_id,
            )
        return
    if question is None or question.enough:
        return
    if run.state == "waiting":
        yield _question(question, run, since, registry.now())
    elif question.given and question.wanted == "override":
        yield _override(registry, question)


def _question(question: Question, run: RunRecord, since: str, now: str) -> Need:
    run_id = question.run_id
    command = f"gatewright {question.wanted or 'reject'} {run_id} --reason '…'"
    if question.expired:
        command = promote_command(run)
    message = f"{run_id} waits for a person: {one_line(question.asks, _LONGEST)}"
    if question.expired:
        message = f"nobody answered {run_id} until {instant(question.deadline)}, and expiry is rejection: try its candidate again"
    elif question.deadline is not None:
        left = datetime.fromisoformat(question.deadline) - datetime.fromisoformat(now)
        message += f"; {rough_duration(left.total_seconds())} are left"
    if question.given:
        message += f"; {len(question.given)} of {question.required} have said yes"
    return Need(
        kind="override" if question.wanted == "override" else "approval",
        severity="person",
        message=message,
        since=since,
        until=question.deadline,
        command=command,
        run_id=run_id,
    )


def _override(registry: Registry, question: Question) -> Need:
    answers = registry.answers(question.run_id, question.slot)
    first = next(one for one in answers if one.decision == "override")
    message = (
        f"{question.run_id} has {len(question.given)} of {question.required} overrides"
        f" ({' and '.join(question.given)}); each is good for the time its gate says"
    )
    return Need(
        kind="override",
        severity="person",
        message=message,
        since=first.at,
        until=question.given_until,
        command=f"gatewright override {question.run_id} --reason '…'",
        run_id=question.run_id,
    )


def _undone(registry: Registry, target: str) -> Iterator[Need]:
    """Runs whose process died, or was stopped by a person, with something left to do."""
    for lease in registry.leases_of(target):
        run = registry.run(lease.run_id)
        if run is None or not stopped(lease):
            continue
        if run.under_way:
            what, command = f"stands still in '{run.state}'", _go_on(run)
        elif run.state != "waiting":
            what, command = "was not cleaned up", f"gatewright sweep {target}"
        else:
            continue
        yield Need(
            kind="dead_run",
            severity="person",
            message=f"{run.run_id} {what}: {how_it_ended(lease)}",
            since=run.updated_at,
            command=command,
            run_id=run.run_id,
        )


def _failed(runs: tuple[RunRecord, ...], limit: datetime, *, refuses: bool) -> Iterator[Need]:
    """Failed runs that no later run of their kind has made up for; those that ended before `limit` are history."""
    made_up: set[str] = set()
    for run in runs:  # the newest first
        if run.state == "failed" and run.kind not in made_up:
            if datetime.fromisoformat(run.updated_at) >= limit:
                yield _failure(run, refuses=refuses)
        elif run.decided or run.state in ("judged", "waiting"):
            made_up.add(run.kind)


def _failure(run: RunRecord, *, refuses: bool) -> Need:
    hopeless = refuses and run.kind == "regression"
    message = (
        f"{run.kind} {run.run_id} failed: {one_line(run.detail, _LONGEST) or 'see its report'}"
    )
    return Need(
        kind="failed_run",
        severity="person",
        message=message,
        since=run.updated_at,
        command=f"gatewright report {run.run_id}" if hopeless else _go_on(run),
        run_id=run.run_id,
    )


def _go_on(run: RunRecord) -> str:
    """The command that takes a run up again; a regression run looks at one day, and is asked anew."""
    if run.kind == "regression":
        return f"gatewright regress {run.target}"
    return f"gatewright resume {run.run_id}"
