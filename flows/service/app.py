"""The service as one ASGI application, and the server that runs it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from evals.errors import ConfigurationError, Problem
from flows.registry.store import Registry
from flows.service import answers, health, live, sign_in, webhooks
from flows.service.change_feed import ChangeFeed
from flows.service.config import ServiceConfig
from flows.service.connections import BACKLOG, limited_to, most_connections, raise_file_limit
from flows.service.dispatcher.dispatch import Dispatcher
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.timing import Timing
from flows.service.log_lines import log_to_stderr
from flows.service.pages import render
from flows.service.security import Guard
from flows.service.state import ServiceState
from flows.settings import Settings

__all__ = ["build_app", "serve", "server_config"]

PREFECT_PATIENCE_S = 5.0
_LARGEST_HEAD = 32 * 1024

_log = logging.getLogger(__name__)


def build_app(settings: Settings, config: ServiceConfig, pauses: Timing | None = None) -> Starlette:
    """Return the application; registry and background work are opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.parts = parts = await _open(stack, settings, config, pauses)
            for work in (parts.dispatcher.run, parts.changes.run, _warm_up):
                await stack.enter_async_context(_in_background(work))
            yield

    return Starlette(
        routes=_routes(),
        middleware=[Middleware(Guard, settings=settings, config=config)],
        exception_handlers=render.ERRORS,
        lifespan=lifespan,
    )


def _routes() -> list[Route]:
    return [
        Route("/webhooks/openai", webhooks.receive, methods=["POST"]),
        Route("/webhooks/azure", webhooks.receive, methods=["POST"]),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/v1/targets/{target}/live", live.live_pointer),
        Route("/sign-in", sign_in.show),
        Route("/sign-in", sign_in.take, methods=["POST"]),
        Route("/", render.overview),
        Route("/inbox", render.inbox),
        Route("/targets/{target}", render.target),
        Route("/runs/{run_id}", render.run),
        Route("/runs/{run_id}/report", render.report),
        Route("/runs/{run_id}/answer", answers.answer, methods=["POST"]),
    ]


async def _open(
    stack: AsyncExitStack, settings: Settings, config: ServiceConfig, pauses: Timing | None
) -> ServiceState:
    settings.home.mkdir(parents=True, exist_ok=True)
    registry = stack.enter_context(await asyncio.to_thread(Registry.open, settings.registry_url))
    api = None
    if config.prefect_url:
        api = await stack.enter_async_context(
            PrefectRuns(config.prefect_url, auth=config.prefect_auth, patience_s=PREFECT_PATIENCE_S)
        )
    return ServiceState(
        settings=settings,
        config=config,
        registry=registry,
        dispatcher=Dispatcher(settings, registry, api, pauses),
        changes=ChangeFeed(registry, most=most_connections() // 2),
        form_key=secrets.token_bytes(32),
    )


@asynccontextmanager
async def _in_background(work: Callable[[], Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _warm_up() -> None:
    await asyncio.to_thread(webhooks.warm_up)


def serve(settings: Settings, config: ServiceConfig) -> None:
    """Serve until the process is told to stop. Raises ConfigurationError when it can't listen there."""
    listener = _listen(config)
    log_to_stderr()
    raise_file_limit()
    with listener:
        uvicorn.Server(server_config(build_app(settings, config))).run(sockets=[listener])


def server_config(app: Starlette) -> uvicorn.Config:
    """Return how the application is served: over HTTP/1.1 alone, with limits on connections, heads and time."""
    return uvicorn.Config(
        app,
        http=limited_to(most_connections()),
        ws="none",
        proxy_headers=False,  # who is asking is `security`'s to say, by the address that really does
        backlog=BACKLOG,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
    )


def _listen(config: ServiceConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host.strip("[]"), config.port), family=family)
    except OSError as error:
        raise ConfigurationError(
            Problem(
                where="--port",
                message=f"can't listen at {config.host}:{config.port}: {error.strerror}",
                fix="is it served already? otherwise choose another port",
            )
        ) from error
