"""The review pages: rendered here, readable without a script, and with a policy that lets none run."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from evals.errors import (
    ConfigurationError,
    GatewrightError,
    InfrastructureError,
    RefusedError,
    RegistryError,
)
from evals.report.sanitise import clean
from flows.service.answers import about_form
from flows.service.health import UNREACHABLE
from flows.service.pages.inbox_view import inbox_view, waiting_count
from flows.service.pages.run_view import RunPage, report_path, run_page
from flows.service.pages.views import overview as read_overview
from flows.service.pages.views import target_page
from flows.service.security import actor_of, form_token
from flows.service.state import ServiceState, state_of_request

__all__ = ["ERRORS", "inbox", "overview", "page", "report", "run", "target"]

_log = logging.getLogger(__name__)

_TEMPLATES = ("base", "overview", "target", "run", "inbox", "message", "sign_in")
_MEANINGS = {404: "There is nothing at this address.", 405: "This address takes no such request."}
_REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)


async def overview(request: Request) -> Response:
    """GET /: every target with what is live, and the newest runs."""
    parts = state_of_request(request)
    view = await asyncio.to_thread(read_overview, parts.settings, parts.registry)
    return await page(request, "overview", view=view)


async def target(request: Request) -> Response:
    """GET /targets/{target}: what is live, every change, the runs."""
    parts, name = state_of_request(request), request.path_params["target"]
    view = await asyncio.to_thread(target_page, parts.settings, parts.registry, name)
    if view is None:
        raise HTTPException(404, f"There is no target “{name}”.")
    return await page(request, "target", view=view)


async def run(request: Request) -> Response:
    """GET /runs/{run_id}: what a run found, and the form for the answer it waits for."""
    parts, actor = state_of_request(request), actor_of(request)
    record = await asyncio.to_thread(parts.registry.run, request.path_params["run_id"])
    if record is None:
        raise HTTPException(404, f"There is no run “{request.path_params['run_id']}”.")
    view = await asyncio.to_thread(run_page, parts, record, actor)
    return await page(request, "run", view=view, token=_token(parts, view, actor))


async def report(request: Request) -> Response:
    """GET /runs/{run_id}/report: the report as it was written, shut off from these pages; for an approver the one
    that shows the cases of sealed suites.
    """
    parts = state_of_request(request)
    record = await asyncio.to_thread(parts.registry.run, request.path_params["run_id"])
    path = (
        await asyncio.to_thread(report_path, parts, record, actor_of(request))
        if record is not None
        else None
    )
    if path is None:
        raise HTTPException(404, "There is no report of this run on this machine.")
    html = await asyncio.to_thread(path.read_text, "utf-8")
    return HTMLResponse(html, headers={"Content-Security-Policy": _REPORT_POLICY})


async def inbox(request: Request) -> Response:
    """GET /inbox: what arrived and is not dealt with, and what was made of the rest."""
    parts = state_of_request(request)
    view = await asyncio.to_thread(inbox_view, parts.registry, parts.dispatcher)
    return await page(request, "inbox", view=view)


def _token(parts: ServiceState, view: RunPage, actor: str | None) -> str:
    if view.asked is None or actor is None:
        return ""
    evidence = view.asked.question.binding.evidence_digest
    return form_token(parts.form_key, about_form(actor, view.record.run_id, evidence))


async def page(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    """Return a page made from one of the templates, with what all of them show."""
    parts = state_of_request(request)
    try:
        waiting: int | None = await asyncio.to_thread(waiting_count, parts.registry)
    except GatewrightError:
        waiting = None
    style = _style()
    html = (
        _templates()
        .get_template(name)
        .render(
            style=Markup(style),  # noqa: S704 - our own files
            path=request.url.path,
            actor=actor_of(request),
            may_sign_in=bool(parts.config.session_token),
            waiting=waiting,
            **values,
        )
    )
    return HTMLResponse(html, status, headers={"Content-Security-Policy": _policy(style)})


async def _failed(request: Request, error: Exception) -> Response:
    status, title = _status(error)
    message = _said(error) if isinstance(error, HTTPException) else str(error)
    if isinstance(error, RegistryError):
        _log.error("%s %s: %s", request.method, request.url.path, error)
        message = UNREACHABLE
    kept = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if request.url.path.startswith(("/v1/", "/webhooks/")):
        code = title.lower().replace(" ", "_")
        return JSONResponse({"error": {"code": code, "message": message}}, status, headers=kept)
    answer = await page(request, "message", status, title=title, message=message)
    answer.headers.update(kept)
    return answer


def _said(error: HTTPException) -> str:
    """What an error says of itself, or what its code means where it says nothing more than its name."""
    if error.detail == HTTPStatus(error.status_code).phrase:
        return _MEANINGS.get(error.status_code, error.detail)
    return error.detail


def _status(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.status_code, {404: "Not found", 405: "Not allowed"}.get(
            error.status_code, "Not possible"
        )
    if isinstance(error, RefusedError):
        return 409, "Not accepted"
    if isinstance(error, ConfigurationError):
        return 409, "A file has problems"
    if isinstance(error, InfrastructureError):
        return 503, "Not available now"
    return 500, "Something went wrong"


ERRORS: Mapping[Any, Callable[..., Any]] = {HTTPException: _failed, GatewrightError: _failed}
"""How the application answers errors, by their class."""


def _policy(style: str) -> str:
    found = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{found}'; img-src data:; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )


@cache
def _style() -> str:
    """The report's style with a little of our own: one look for both."""
    ours = files("flows.service.pages").joinpath("pages.css").read_text("utf-8")
    return files("evals.report.formats").joinpath("report.css").read_text("utf-8") + ours


@cache
def _templates() -> Environment:
    folder = files("flows.service.pages")
    sources = {name: folder.joinpath(f"{name}.html.j2").read_text("utf-8") for name in _TEMPLATES}
    return Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
