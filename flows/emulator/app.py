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
from flows.emulator.gateway.errors import Refusal, route_not_found
from flows.emulator.gateway.fault_injection import FaultLayer
from flows.emulator.gateway.requests import reply
from flows.emulator.inference.chat import Chat
from flows.emulator.inference.models_api import Models
from flows.emulator.inference.pipeline import InferencePipeline
from flows.emulator.inference.responses import Responses
from flows.emulator.state.emulator_state import EmulatorState
from flows.emulator.webhooks.outbox import Outbox

__all__ = ["build_app"]

Handler = Callable[[Request], Awaitable[Response]]


def build_app(world: EmulatorState) -> FaultLayer:
    """Wire the handlers; background work starts and stops with the application."""
    runner, outbox = JobRunner(world), Outbox(world)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        runner.resume_all()
        world.start(outbox.run(), "outbox")
        yield
        for task in tuple(world.tasks):
            task.cancel()

    app = Starlette(
        routes=list(_routes(world, runner)),
        lifespan=lifespan,
        exception_handlers={Refusal: _refused, 404: _lost, 405: _lost},
    )
    app.router.redirect_slashes = False
    return FaultLayer(app, world)


def _routes(world: EmulatorState, runner: JobRunner) -> Iterator[BaseRoute]:
    admin, control = Admin(world), ControlPlane(world)
    yield Route("/_emulator/health", admin.health)
    yield Route("/_emulator/switches", admin.switches, methods=["GET", "POST"])
    yield Route("/_emulator/clock", admin.clock, methods=["GET", "POST"])
    yield Route("/_emulator/log", admin.log, methods=["GET", "DELETE"])
    yield Route("/_emulator/tokens", admin.tokens, methods=["POST"])
    methods = ["GET", "PUT", "PATCH", "POST", "DELETE"]
    yield Route("/subscriptions/{rest:path}", control.__call__, methods=methods)
    gatekeeper = InferencePipeline(world)
    chat, responses = Chat(world, gatekeeper), Responses(world, gatekeeper)
    yield from _data_plane(world, runner, chat, responses)
    inner = list(_data_plane(world, runner, chat, responses))
    yield Mount("/accounts/{account}", routes=inner)


def _data_plane(
    world: EmulatorState, runner: JobRunner, chat: Chat, responses: Responses
) -> Iterator[BaseRoute]:
    dated = "/openai/deployments/{deployment}/chat/completions"
    yield Route(dated, chat.complete, methods=["POST"])
    for prefix in ("/openai/v1", "/v1"):
        yield Route(f"{prefix}/chat/completions", chat.complete, methods=["POST"])
    for prefix in ("/openai/v1", "/v1", "/openai"):
        yield Route(f"{prefix}/responses", responses.create, methods=["POST"])
        yield Route(f"{prefix}/responses/{{response}}", responses.get)
        yield from _management(prefix, world, runner)


def _management(prefix: str, world: EmulatorState, runner: JobRunner) -> Iterator[BaseRoute]:
    files, jobs, models = Files(world), Jobs(world, runner), Models(world)
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


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return reply(error.body, error.status, error.headers)


async def _lost(_: Request, error: Exception) -> Response:
    refusal = route_not_found()
    return reply(refusal.body, getattr(error, "status_code", 404))
