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
from support.waiting import PATIENCE_S, wait_until

from flows.service.connections import LimitedProtocol
from flows.service.log_lines import CleanLine, FewAlike

HALF = b"POST /webhooks/openai HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
MOST = 20
SLOW = threading.Event()


class Hasty(LimitedProtocol):
    """Waits for nobody: for those who send nothing whole."""

    most = MOST
    head_s = 0.4
    read_s = 0.4


class Calm(LimitedProtocol):
    """Waits long enough for a whole request on the slowest machine."""

    most = MOST
    head_s = 3.0
    read_s = 0.4


class Patient(LimitedProtocol):
    """Ends no connection for being late."""

    most = MOST
    head_s = PATIENCE_S
    read_s = PATIENCE_S


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


@contextmanager
def served(protocol: type[LimitedProtocol]) -> Iterator[int]:
    routes = [Route("/", alive), Route("/large", large), Route("/waits", waits)]
    app = Starlette(routes=[*routes, Route("/echo", echo, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=protocol, ws="none", log_config=None, log_level="error")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE_S)
    listener.close()


@pytest.fixture(scope="module")
def hasty() -> Iterator[int]:
    with served(Hasty) as port:
        yield port


@pytest.fixture(scope="module")
def calm() -> Iterator[int]:
    with served(Calm) as port:
        yield port


@pytest.fixture(scope="module")
def patient() -> Iterator[int]:
    with served(Patient) as port:
        yield port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


@contextmanager
def half_sent(port: int, count: int, sent: bytes = HALF) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            one = stack.enter_context(connected(port))
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
    patient: int, sent: bytes
) -> None:
    with half_sent(patient, 3 * MOST, sent):
        for _ in range(5):
            assert httpx.get(f"http://127.0.0.1:{patient}/", timeout=PATIENCE_S).text == "ok"


def test_a_head_that_does_not_come_in_time_ends_the_connection(hasty: int) -> None:
    with half_sent(hasty, 1) as (one,):
        assert ended(one).startswith(b"HTTP/1.1 408 ")


def test_nor_may_that_of_the_second_request_of_a_connection_take_longer(calm: int) -> None:
    with half_sent(calm, 1, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as (one,):
        said = b""
        while not said.endswith(b"ok"):
            part = one.recv(4096)
            assert part, said
            said += part
        one.sendall(HALF)
        assert ended(one).startswith(b"HTTP/1.1 408 ")


def test_a_head_that_trickles_in_has_no_longer(hasty: int) -> None:
    with half_sent(hasty, 1) as (one,), pytest.raises(ConnectionError):
        for _ in range(int(PATIENCE_S / 0.05)):  # it never ends by itself
            one.sendall(b"x")
            time.sleep(0.05)


def test_an_answer_that_nobody_reads_ends_the_connection(
    calm: int, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(calm) as one:
        one.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: "its answer was not read" in caplog.text)
        assert len(ended(one)) < 30_000_000


def test_a_request_that_is_being_answered_is_not_put_out(calm: int) -> None:
    """And when all are, the next one is told to come again."""
    SLOW.clear()
    whole = b"GET /waits HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with half_sent(calm, MOST, whole) as held:
        time.sleep(1.1 * Calm.head_s)  # longer than a head may take
        with half_sent(calm, 1, whole) as (one,):
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
