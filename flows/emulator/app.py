"""All addresses of the emulator in one table, and the ASGI application made of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from flows.emulator.admin import Admin
from flows.emulator.control_plane.routes import ControlPlane
from flows.emulator.fine_tuning.files import Files
from flows.emulator.fine_tuning.jobs import Jobs
from flows.emulator.fine_tuning.runner import JobRunner
from flows.emulator.gateway.errors import ServiceError, route_not_found
from flows.emulator.gateway.fault_injection import FaultMiddleware
from flows.emulator.gateway.requests import json_response
from flows.emulator.inference.chat import Chat
from flows.emulator.inference.models_api import Models
from flows.emulator.inference.pipeline import InferencePipeline
from flows.emulator.inference.responses import Responses
from flows.emulator.state.emulator_state import EmulatorState
from flows.emulator.webhooks.outbox import Outbox

__all__ = ["build_app"]

Handler = Callable[[Request], Awaitable[Response]]


def build_app(state: EmulatorState) -> FaultMiddleware:
    """Wire the handlers; background work starts and stops with the application."""
    runner, outbox = JobRunner(state), Outbox(state)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        runner.resume_all()
        state.start(outbox.run(), "outbox")
        yield
        for task in tuple(state.tasks):
            task.cancel()

    app = Starlette(
        routes=list(_routes(state, runner)),
        lifespan=lifespan,
        exception_handlers={ServiceError: _error_response, 404: _no_route, 405: _no_route},
    )
    app.router.redirect_slashes = False
    return FaultMiddleware(app, state)


def _routes(state: EmulatorState, runner: JobRunner) -> Iterator[BaseRoute]:
    admin, control = Admin(state), ControlPlane(state)
    yield Route("/_emulator/health", admin.health)
    yield Route("/_emulator/switches", admin.switches, methods=["GET", "POST"])
    yield Route("/_emulator/clock", admin.clock, methods=["GET", "POST"])
    yield Route("/_emulator/log", admin.log, methods=["GET", "DELETE"])
    yield Route("/_emulator/tokens", admin.tokens, methods=["POST"])
    methods = ["GET", "PUT", "PATCH", "POST", "DELETE"]
    yield Route("/subscriptions/{rest:path}", control.__call__, methods=methods)
    pipeline = InferencePipeline(state)
    chat, responses = Chat(state, pipeline), Responses(state, pipeline)
    yield from _data_plane(state, runner, chat, responses)
    inner = list(_data_plane(state, runner, chat, responses))
    yield Mount("/accounts/{account}", routes=inner)


def _data_plane(
    state: EmulatorState, runner: JobRunner, chat: Chat, responses: Responses
) -> Iterator[BaseRoute]:
    dated = "/openai/deployments/{deployment}/chat/completions"
    yield Route(dated, chat.complete, methods=["POST"])
    for prefix in ("/openai/v1", "/v1"):
        yield Route(f"{prefix}/chat/completions", chat.complete, methods=["POST"])
    for prefix in ("/openai/v1", "/v1", "/openai"):
        yield Route(f"{prefix}/responses", responses.create, methods=["POST"])
        yield Route(f"{prefix}/responses/{{response}}", responses.get)
        yield from _management(prefix, state, runner)


def _management(prefix: str, state: EmulatorState, runner: JobRunner) -> Iterator[BaseRoute]:
    files, jobs, models = Files(state), Jobs(state, runner), Models(state)
    yield from _resource(f"{prefix}/files", files.list, files.create)
    yield Route(f"{prefix}/files/{{file}}", files.get, methods=["GET"])
    yield Route(f"{prefix}/files/{{file}}", files.delete, methods=["DELETE"])
    yield Route(f"{prefix}/files/{{file}}/content", files.content)
    tuning = f"{prefix}/fine_tuning/jobs"
    yield from _resource(tuning, jobs.list, jobs.create)
    yield Route(f"{tuning}/{{job}}", jobs.get, methods=["GET"])
    yield Route(f"{tuning}/{{job}}", jobs.delete, methods=["DELETE"])
    yield Route(f"{tuning}/{{job}}/events", jobs.events)
    yield Route(f"{tuning}/{{job}}/checkpoints", jobs.checkpoints)
    for name in ("cancel", "pause", "resume"):
        yield Route(f"{tuning}/{{job}}/{name}", getattr(jobs, name), methods=["POST"])
    yield Route(f"{prefix}/models", models.list)
    yield Route(f"{prefix}/models/{{model:path}}", models.get, methods=["GET"])
    yield Route(f"{prefix}/models/{{model:path}}", models.delete, methods=["DELETE"])


def _resource(where: str, listing: Handler, creating: Handler) -> Iterator[BaseRoute]:
    yield Route(where, listing, methods=["GET"])
    yield Route(where, creating, methods=["POST"])


async def _error_response(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return json_response(error.body, error.status, error.headers)


async def _no_route(_: Request, error: Exception) -> Response:
    not_found = route_not_found()
    return json_response(not_found.body, getattr(error, "status_code", 404))
