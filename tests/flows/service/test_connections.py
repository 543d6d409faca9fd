"""Half-sent requests, slow readers and crowds of connections: the next honest request is answered all the same."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from support.waiting import wait_until

from flows.service.connections import LimitedProtocol
from flows.service.log_lines import CleanLine, FewAlike

HALF = b"POST /webhooks/openai HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
MOST = 20
SLOW = threading.Event()


class Small(LimitedProtocol):
    most = MOST
    head_s = 0.4
    read_s = 0.4


async def alive(request: Request) -> Response:
    return PlainTextResponse("ok")


async def large(request: Request) -> Response:
    return PlainTextResponse("x" * 30_000_000)


async def waits(request: Request) -> Response:
    while not SLOW.is_set():
        await asyncio.sleep(0.01)
    return PlainTextResponse("ok")


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with small limits."""
    routes = [Route("/", alive), Route("/large", large), Route("/waits", waits)]
    app = Starlette(routes=[*routes, Route("/echo", echo, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=Small, ws="none", log_config=None, log_level="error")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listener.close()


@contextmanager
def half_sent(port: int, count: int, sent: bytes = HALF) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            one.sendall(sent)
            held.append(one)
        yield held


def ended(one: socket.socket) -> bytes:
    """What the server said before it closed."""
    said = b""
    try:
        while part := one.recv(4096):
            said += part
    except ConnectionError:
        pass
    return said


@pytest.mark.parametrize(
    "sent",
    [b"", HALF, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
def test_more_half_sent_requests_than_there_is_room_for_keep_nobody_out(
    port: int, sent: bytes
) -> None:
    with half_sent(port, 3 * MOST, sent):
        for _ in range(5):
            assert httpx.get(f"http://127.0.0.1:{port}/", timeout=10).text == "ok"


def test_a_head_that_does_not_come_in_time_ends_the_connection(port: int) -> None:
    with half_sent(port, 1) as (one,):
        assert ended(one).startswith(b"HTTP/1.1 408 ")
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with half_sent(port, 1, whole) as (one,):  # the second request of a connection, too
        said = b""
        while not said.endswith(b"ok"):
            said += one.recv(4096)
        one.sendall(HALF)
        assert ended(one).startswith(b"HTTP/1.1 408 ")


def test_a_head_that_trickles_in_has_no_longer(port: int) -> None:
    with half_sent(port, 1) as (one,), pytest.raises(ConnectionError):
        for _ in range(200):  # it never ends by itself
            one.sendall(b"x")
            time.sleep(0.05)


def test_an_answer_that_nobody_reads_ends_the_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        one.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1.0)
        assert len(ended(one)) < 30_000_000


def test_a_request_that_is_being_answered_is_not_put_out(port: int) -> None:
    """And when all are, the next one is told to come again."""
    SLOW.clear()
    whole = b"GET /waits HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with half_sent(port, MOST, whole) as held:
        time.sleep(0.6)  # longer than a head may take
        with half_sent(port, 1, whole) as (one,):
            assert b"503 Service Unavailable" in ended(one)
        SLOW.set()
        assert all(ended(one).startswith(b"HTTP/1.1 200 ") for one in held)


def record(message: str, level: int = logging.WARNING, line: int = 1) -> logging.LogRecord:
    return logging.LogRecord("x", level, "x.py", line, message, ("y",), None)


def test_what_strangers_can_cause_fills_no_disk() -> None:
    now = [0.0]
    few = FewAlike(most=3, within_s=60, now=lambda: now[0])
    assert [few.filter(record("refused %s")) for _ in range(10)].count(True) == 3
    assert few.filter(record("something else %s", line=2))
    assert few.filter(record("what we did %s", logging.INFO))
    now[0] = 61.0
    last = record("refused %s")
    assert few.filter(last)
    assert last.getMessage() == "refused y (and 7 more like it since the last one)"


def test_a_line_of_the_log_is_one_line_and_does_nothing_to_a_terminal() -> None:
    hostile = "a\x1b[2J\x1b]0;title\x07b\r\nWARNING forged\x9b31m"
    assert CleanLine("%(levelname)s %(message)s").format(record(f"{hostile} %s")) == (
        "WARNING ab WARNING forged y"
    )
