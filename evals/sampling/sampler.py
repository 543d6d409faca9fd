"""`sample`: sends every request, saves every answer, and accounts for all of it.

A fixed set of workers for each role takes requests from one queue. A failed attempt waits in a heap until its time has come,
so that waiting costs no worker. An answer counts when it is durable. A worker may go on while its answer is being written, but only
a quarter of the role's concurrency at a time: after a kill, at most 5/4 of `concurrency` requests of a role are sent again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping

from evals.addresses import plain_address
from evals.records import Price, Response, Role
from evals.sampling.accounting import UsageLog, read_usage
from evals.sampling.budget import Budget
from evals.sampling.endpoint.transport import Transport
from evals.sampling.journal.journal import Journal
from evals.sampling.pacing.concurrency import AdaptiveConcurrency
from evals.sampling.progress.reporter import report_progress
from evals.sampling.progress.snapshot import ProgressSink
from evals.sampling.redaction import Redactor
from evals.sampling.request_spec import Connection, ModelRequest, SamplingSettings
from evals.sampling.response_store import ResponseStore
from evals.sampling.role_state import RoleState
from evals.sampling.run import Run
from evals.sampling.summary import SamplingSummary
from evals.sampling.work_queue import WorkQueue
from evals.sampling.worker import work

__all__ = ["sample"]


async def sample(
    requests: Iterable[ModelRequest],
    *,
    connections: Mapping[Role, Connection],
    settings: Mapping[Role, SamplingSettings],
    journal: Journal,
    prices: Mapping[Role, Price | None] | None = None,
    budget: Budget | None = None,
    store: ResponseStore | None = None,
    progress: ProgressSink | None = None,
    planned: Mapping[Role, int] | None = None,
    look: int = 1,
    lost_round: bool = False,
    on_response: Callable[[ModelRequest, Response], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    seed: int | None = None,
) -> SamplingSummary:
    """Send every one of `requests` that `journal` has no answer to, and return the counts.

    `requests` is read as it is needed and should alternate between the roles (see `interleave`); each (role, suite, case, repeat) may
    come once. `on_response` is called on the event loop when an answer has become durable. `store` keeps answers for
    other runs, and lends them to roles whose settings have `reuse_max_age_s`. What the call took is in the journal's account as
    well (`read_usage`), under `look` and `lost_round`, however it ends. `clock` must be monotonic; `seed` fixes the jitter of
    the backoff. Cancelling leaves the journal whole.

    Raises SamplingError (EndpointGoneError when the deployment is not there) when an endpoint can't be asked at all,
    ConfigurationError when a USD budget meets a model of unknown price, InfrastructureError when the journal can't be
    written; answers that came before are in the journal, and the same call again resumes.
    """
    budget = budget or Budget()
    earlier = read_usage(journal.folder)
    parts = [role for call in earlier for role in call.roles.values()]
    unconfirmed_usd = sum(role.unconfirmed_usd for role in parts)
    unconfirmed_tokens = sum(role.unconfirmed_tokens for role in parts)
    budget.restore((str(journal.folder), "unconfirmed"), unconfirmed_usd, unconfirmed_tokens)
    redactor = Redactor()
    states = _role_states(connections, settings, prices or {}, budget, redactor, clock)
    async with Transport() as transport:
        run = Run(
            states=states,
            journal=journal,
            budget=budget,
            store=store,
            transport=transport,
            redactor=redactor,
            on_response=on_response,
            clock=clock,
            rng=random.Random(seed),  # noqa: S311 - jitter, not a secret
        )
        lead = {role: max(64, 2 * state.settings.concurrency) for role, state in states.items()}
        queue = WorkQueue(requests, lead, run.answered_keys)
        run.on_stop(queue.changed.notify_all)
        for role, suite in journal.names():
            if role in states:  # what was spent on it counts, whether it is asked on or not
                run.answered_keys(role, suite)
        account = UsageLog(run, queue, call=len(earlier) + 1, look=look, lost_round=lost_round)
        run.write_account = account.write_if_changed
        workers = [
            asyncio.create_task(work(run, queue, role))
            for role, state in states.items()
            for _ in range(state.settings.concurrency)
        ]
        watchers = [
            asyncio.create_task(report_progress(run, queue, progress, planned or {})),
            asyncio.create_task(account.write_regularly()),
        ]
        try:
            await asyncio.gather(*workers)
            await run.all_saved()
        finally:
            await _end([*workers, *watchers], run)
            summary = account.close()
    if run.failure:
        raise run.failure
    return summary


def _role_states(
    connections: Mapping[Role, Connection],
    settings: Mapping[Role, SamplingSettings],
    prices: Mapping[Role, Price | None],
    budget: Budget,
    redactor: Redactor,
    clock: Callable[[], float],
) -> dict[Role, RoleState]:
    limits: dict[tuple[str, str], AdaptiveConcurrency] = {}
    states: dict[Role, RoleState] = {}
    for role, connection in connections.items():
        budget.check_price(role, prices.get(role))
        chosen = settings.get(role) or SamplingSettings()
        address = (plain_address(connection.endpoint.base_url), connection.endpoint.model)
        limit = limits.setdefault(address, AdaptiveConcurrency(chosen.concurrency, clock=clock))
        states[role] = RoleState(
            connection, chosen, prices.get(role), limit=limit, redactor=redactor, clock=clock
        )
    return states


async def _end(tasks: list[asyncio.Task[None]], run: Run) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for state in run.states.values():
        state.release_all(run.budget)
    if run.store:
        run.store.flush()
