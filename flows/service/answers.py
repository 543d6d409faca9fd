"""POST /runs/{id}/answer: a person approves, rejects or overrides on the run's page.

The form must come from a page of ours (the browser says so, and a token bound to person, run and evidence agrees), and
the person must have a name that can be believed. The rules of the gate are `flows.approvals.answers`' to know.
"""

from __future__ import annotations

import asyncio
from typing import get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from evals.errors import RefusedError
from evals.report.sanitise import clean
from flows.approvals.answers import give_answer
from flows.registry.opening import require_run
from flows.registry.records import Decision
from flows.service.dispatcher.queue_resume import has_what_it_waits_for, queue_resume
from flows.service.forms import read_form, same_origin
from flows.service.security import actor_of, form_token_fits
from flows.service.state import ServiceState, state_of_request

__all__ = ["about_form", "answer"]

_LONGEST_REASON = 2000


def about_form(actor: str, run_id: str, evidence: str) -> str:
    """Return what the token of an answer form is bound to."""
    return f"answer\n{actor}\n{run_id}\n{evidence}"


async def answer(request: Request) -> Response:
    """Take the answer, have the promotion go on, and show the run again."""
    parts, run_id = state_of_request(request), request.path_params["run_id"]
    form = await read_form(request)
    actor = _believed(request, parts, run_id, form)
    reason = clean(form.get("reason", "")).strip()
    if not reason:
        raise RefusedError("a reason is required: say in a sentence why; it stays in the record")
    await asyncio.to_thread(
        _give,
        parts,
        run_id,
        _decision(form),
        actor,
        reason[:_LONGEST_REASON],
        form.get("evidence", ""),
    )
    parts.dispatcher.wake()
    return RedirectResponse(f"/runs/{run_id}", status_code=303)


def _give(
    parts: ServiceState, run_id: str, decision: Decision, actor: str, reason: str, evidence: str
) -> None:
    settings, registry = parts.settings, parts.registry
    give_answer(settings, registry, run_id, decision, actor=actor, reason=reason, evidence=evidence)
    if has_what_it_waits_for(settings, registry, require_run(registry, run_id)):
        queue_resume(registry, run_id)


def _decision(form: dict[str, str]) -> Decision:
    decisions: tuple[Decision, ...] = get_args(Decision)
    for decision in decisions:
        if decision == form.get("decision"):
            return decision
    raise RefusedError(f"expected one of {', '.join(decisions)}")


def _believed(request: Request, parts: ServiceState, run_id: str, form: dict[str, str]) -> str:
    """Return who answers. Raises RefusedError when the form is not ours or nobody is named."""
    if not same_origin(request, parts.config.origin):
        raise RefusedError("this answer did not come from a page of this service")
    actor = actor_of(request)
    if actor is None:
        raise RefusedError(
            "nobody is signed in here: sign in with the token of the service, or answer with `gatewright approve`"
        )
    about = about_form(actor, run_id, form.get("evidence", ""))
    if not form_token_fits(parts.form_key, form.get("token", ""), about):
        raise RefusedError("the page was too old, or made for somebody else: load it again")
    return actor
