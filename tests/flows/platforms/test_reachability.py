"""A platform that is down is found out by one connection, whoever looks."""

from __future__ import annotations

import asyncio
import socket

import pytest

from flows.platforms.reachability import unreachable

FIX = "start it"


def closed() -> str:
    return "http://127.0.0.1:9"


async def test_an_address_where_nothing_listens_is_named_with_what_to_do():
    address = closed()
    found = await unreachable([address], fix=FIX)
    assert found is not None and found.outside
    assert found.message == f"nothing answers at {address[7:]} (connection refused)"
    assert found.fix == FIX


async def test_every_address_is_tried_and_all_that_listen_are_fine():
    server = await asyncio.start_server(lambda _r, writer: writer.close(), "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/openai/v1"
    assert await unreachable([address, address], fix=FIX) is None
    assert await unreachable([address, closed()], fix=FIX) is not None
    server.close()
    await server.wait_closed()


async def test_an_address_that_swallows_connections_is_given_up():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:  # more than its queue holds, so that the next is not taken
            one.setblocking(False)
            one.connect_ex(address)
        found = await unreachable([f"http://127.0.0.1:{address[1]}"], fix=FIX, patience_s=0.3)
        for one in waiting:
            one.close()
    assert found is not None
    assert "no connection within 0.3 s" in found.message


async def test_what_is_asked_through_a_proxy_is_not_tried(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert await unreachable(["http://models.example:80"], fix=FIX) is None


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--model", "gpt-4.1-mini-2025-04-14.ft-x-v1")])
def test_the_doctor_says_in_one_line_that_the_platform_is_down(project, more):
    address = closed()
    answer = project.command(
        "doctor", "support-triage", *more, "--json", GATEWRIGHT_EMBEDDED_URL=address
    )
    assert answer.code == 4
    failed = [one for one in answer.json["support-triage"] if one["level"] == "fail"]
    assert [one["name"] for one in failed] == ["platform"]
    assert "connection refused" in failed[0]["message"]
    assert failed[0]["fix"].startswith("start the embedded platform")
