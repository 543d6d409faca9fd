"""Has the promotion of an answered run go on: a message in the inbox, so that the answer outlives this process.

What the message does is `flows.service.dispatcher.resume`'s to know.

The page that takes an answer leaves the message itself. Answers it could not leave one for (the process died in
between, or the command line gave up) are found here a little later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from evals.errors import ConfigurationError, RefusedError
from flows.approvals.questions import question_of
from flows.approvals.suspended_runs import suspended_as
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.service.dispatcher.messages import answer_trigger
from flows.settings import Settings

__all__ = ["GRACE_S", "has_what_it_waits_for", "queue_forgotten", "queue_resume"]

GRACE_S = 60.0
"""How long whoever took an answer may carry it out before it is taken for forgotten, in seconds."""


def has_what_it_waits_for(settings: Settings, registry: Registry, run: RunRecord) -> bool:
    """Return whether a run has the answers it waits for, or the one that closes it, or was closed while a flow run
    still waits for it.
    """
    if run.kind != "promotion":
        return False
    if run.state in ("refused", "superseded"):
        return suspended_as(registry, run.run_id) is not None
    if run.state != "waiting":
        return False
    if any(answer.decision == "reject" for answer in registry.answers(run.run_id)):
        return True
    question = question_of(settings, registry, run)
    return question is not None and question.enough


def queue_resume(registry: Registry, run_id: str) -> bool:
    """Leave the message that has the run go on; False when it was left before."""
    message_id, trigger = answer_trigger(run_id, len(registry.answers(run_id)))
    return registry.inbox_put(message_id, msgspec.to_builtins(trigger))


def queue_forgotten(settings: Settings, registry: Registry, *, grace_s: float = GRACE_S) -> int:
    """Leave a message for every answered run that nobody carried on. Returns how many there were."""
    found = 0
    for run in registry.runs(limit=500):
        if run.state not in ("waiting", "refused", "superseded") or not _long_ago(
            registry, run, grace_s
        ):
            continue
        try:
            if has_what_it_waits_for(settings, registry, run):
                found += queue_resume(registry, run.run_id)
        except (ConfigurationError, RefusedError):
            continue  # its page says what hinders; starting it would only fail
    return found


def _long_ago(registry: Registry, run: RunRecord, grace_s: float) -> bool:
    answers = registry.answers(run.run_id)
    if not answers:
        return False
    before = datetime.fromisoformat(registry.now()) - timedelta(seconds=grace_s)
    return datetime.fromisoformat(answers[-1].at) <= before
