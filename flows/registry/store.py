"""The registry: what is live, who decided it, on which evidence. One door to it for every room.

Each method is one transaction; its parameters and errors are described with the function it stands for. What changes
state appends its event in the same transaction. Methods are synchronous and take milliseconds; a writer waits up to 30 s
for another one.
"""

from __future__ import annotations

from flows.registry import (
    answers,
    canaries,
    drift,
    eligibility,
    frozen,
    holds,
    inbox,
    judged_by,
    kept_answers,
    leases,
    ledger,
    pointers,
    references,
    regression_outcomes,
    retries,
    rollbacks,
    run_states,
    runs,
    selections,
    statements,
    steps,
    switching,
    verdicts,
    warnings_told,
)
from flows.registry.audit import intact, tables
from flows.registry.database.engine import Clock, Database, utc_now
from flows.registry.database.transactions import reading, writing

__all__ = ["Registry"]


class Registry:
    """Opened with `Registry.open(url)`; every error of the database comes out as RegistryError."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str, *, now: Clock = utc_now) -> Registry:
        """Open and migrate. Raises ConfigurationError for a URL that is no registry's, RegistryError otherwise."""
        return cls(Database.open(url, now))

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def now(self) -> str:
        """Return the registry's time: UTC, ISO 8601."""
        return self.database.now()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # what is live
    live = reading(pointers.live)
    live_at = reading(pointers.live_at)
    generation = reading(pointers.generation)
    targets = reading(pointers.targets)
    previous = reading(pointers.previous)
    find = reading(pointers.find)
    pointer_at = reading(pointers.at)
    pointers_of = reading(pointers.of_run)
    superseded = reading(pointers.superseded)
    switch = writing(switching.switch)
    withdraw = writing(switching.withdraw)

    begin_rollback = writing(rollbacks.begin)
    told_rollback = writing(rollbacks.told)
    rollback_attempt = reading(rollbacks.attempt)
    rollback_asked = reading(rollbacks.asked)

    # what happened
    history = reading(tables.history)
    verify = reading(tables.verify)
    require_intact = reading(intact.require_intact)
    event_of = reading(tables.event_of)
    chain_head = reading(tables.chain_head)

    # holds, and the standing of models
    hold = writing(holds.place)
    release = writing(holds.release)
    held = reading(holds.held)
    revoke = writing(switching.revoke)
    reinstate = writing(eligibility.reinstate)
    barred = reading(eligibility.bar)
    barring = reading(eligibility.barring)
    standing_event = reading(eligibility.barring_event)

    # what stands otherwise than recorded
    drift_found = writing(drift.record_drift)
    drift_over = writing(drift.close_drift)
    put_back = writing(drift.record_repair)
    drifted = reading(drift.drifted)

    # what people were told of the future
    warn = writing(warnings_told.record_warning)
    was_warned = reading(warnings_told.was_warned)
    warnings = reading(warnings_told.warnings_of)

    # the few cases that are asked every hour
    canary = reading(canaries.canary)
    keep_canary = writing(canaries.keep_canary)
    canaries = reading(canaries.canary_of_all)

    # runs
    start_run = writing(runs.start)
    run = reading(runs.get)
    note_run = writing(runs.note)
    set_run_state = writing(run_states.set_state)
    supersede = writing(run_states.supersede)
    came_to_state_at = reading(run_states.came_to_state_at)
    moves_since = reading(run_states.moves_since)
    regressions_of = reading(runs.regressions_of)
    runs = reading(runs.listing)

    # tries
    note_first_look = writing(ledger.first_look)
    noted_look = reading(ledger.noted_look)
    judged_runs = reading(ledger.judged_runs)
    tries_of = reading(ledger.tries_of)
    candidates_tried = reading(ledger.candidates_tried)
    count_tries = reading(ledger.count_tries)
    note_judged_by = writing(judged_by.note)
    note_edits = writing(judged_by.note_edits)
    judged_before = reading(judged_by.run_before)
    judged_by = reading(judged_by.of_run)

    # evidence
    save_verdict = writing(verdicts.save)
    verdict = reading(verdicts.verdict)
    judged_at = reading(verdicts.judged_at)
    save_suite_result = writing(verdicts.save_result)
    suite_results = reading(verdicts.results)
    save_statement = writing(statements.save)
    statement = reading(statements.statement)
    unkept_runs = reading(kept_answers.unkept_runs)
    kept_answers = reading(kept_answers.kept_answers)
    save_reference = writing(references.save_pass)
    save_reference_failure = writing(references.save_failure)
    reference = reading(references.reference)
    reference_taken_anew = reading(references.taken_anew)
    reference_passes = reading(references.passes)
    reference_failure = reading(references.pass_failed)
    put_frozen = writing(frozen.put)
    set_frozen_aside = writing(frozen.set_aside)
    frozen = reading(frozen.of_target)
    save_regression_outcome = writing(regression_outcomes.save_outcome)
    regression_outcome = reading(regression_outcomes.outcome_of)
    is_settled = reading(regression_outcomes.is_settled)
    unsettled_regressions = reading(regression_outcomes.unsettled)
    last_regression_outcome = reading(regression_outcomes.last_outcome)

    begin_retry = writing(retries.begin_retry)
    retries = reading(retries.retries_of)

    # choosing one of several candidates
    deal_cases = writing(selections.deal_cases)
    dealt = reading(selections.dealt)
    enter_field = writing(selections.enter)
    field = reading(selections.field)
    fields = reading(selections.fields)

    # people
    answer = writing(answers.add_answer)
    answers = reading(answers.answers_of)

    # steps of a promotion
    record_step = writing(steps.mark)
    steps = reading(steps.marks)

    # who carries out what
    take_lease = writing(leases.take)
    renew_lease = writing(leases.beat)
    leave_lease = writing(leases.leave)
    lease = reading(leases.of_run)
    leases_of = reading(leases.of_target)
    open_leases = reading(leases.open_leases)

    # triggers that arrived
    inbox_put = writing(inbox.put)
    inbox_knows = reading(inbox.has_message)
    inbox_pending = reading(inbox.pending)
    inbox_missed = writing(inbox.note_failed_attempt)
    inbox_done = writing(inbox.done)
