"""The account: what every call took, however it ended; totals that outlive the process that made them."""

from __future__ import annotations

from typing import Any

import pytest

from evals.errors import InfrastructureError
from evals.records import Price
from evals.sampling.accounting import read_usage
from evals.sampling.budget import Budget
from evals.sampling.fatal_errors import EndpointGoneError
from evals.sampling.pacing.concurrency import AdaptiveConcurrency, thin


async def test_every_call_is_in_the_account_however_it_ended(studio: Any) -> None:
    studio.roles = ("candidate",)
    done = await studio.run(studio.asks(30), look=2)
    refused = iter([True])

    def script(request: Any) -> Any:
        if next(refused, False):
            return studio.failing(401, "401")
        return studio.failing(404, "DeploymentNotFound") if request.total > 40 else studio.ok("yes")

    studio.server.script = script
    with pytest.raises(EndpointGoneError):
        await studio.run(studio.asks(60), look=3)
    first, second = read_usage(studio.folder)
    assert first == done
    role = first.roles["candidate"]
    assert (first.look, first.ended, role.outcomes) == (2, True, {"answered": 30})
    assert (second.call, second.look, second.ended) == (2, 3, True)
    assert "DeploymentNotFound" in second.reason
    role = second.roles["candidate"]
    assert (role.requests, role.credential_renewals) == (studio.server.asked.total() - 30, 1)
    assert role.retries["credentials"] >= 1
    assert role.retries["gone"] > 0


async def test_what_was_lost_before_counts_against_the_budget_once(studio: Any) -> None:
    studio.roles = ("candidate",)
    price = {"candidate": Price(input=1e6, output=1e6)}  # 24 USD an answer
    lost = iter([True])
    studio.server.script = lambda request: (
        studio.reset_mid_body("yes") if next(lost, False) else studio.ok(request.text)
    )
    first = Budget(usd=1e9)
    await studio.run(studio.asks(3), budget=first, prices=price)
    (account,) = read_usage(studio.folder)
    assert account.roles["candidate"].unconfirmed_usd > 0
    later = Budget(usd=1e9)
    for cases in (4, 4):
        await studio.run(studio.asks(cases), budget=later, prices=price)
    assert later.spent_usd == pytest.approx(first.spent_usd + 24)
    assert later.spent_tokens == first.spent_tokens + 24


async def test_a_torn_line_is_dropped_and_a_damaged_account_is_named(studio: Any) -> None:
    await studio.run(studio.asks(5))
    path = studio.folder / "account.jsonl"
    path.write_bytes(path.read_bytes() + b'{"roles": {"cand')
    await studio.run(studio.asks(6))
    assert [call.ended for call in read_usage(studio.folder)] == [True, True]
    path.write_bytes(b"no account\n")
    with pytest.raises(InfrastructureError, match=r"account\.jsonl is damaged"):
        read_usage(studio.folder)


@pytest.mark.slow
async def test_the_lines_of_a_call_hold_the_same_history_as_its_end(studio: Any) -> None:
    studio.server.script = lambda request: (
        studio.failing(429, headers={"retry-after-ms": "1"})
        if request.total % 3 == 0
        else studio.ok(request.text)
    )
    done = await studio.run(studio.asks(400), concurrency=32)
    assert read_usage(studio.folder) == (done,)
    assert len((studio.folder / "account.jsonl").read_bytes().splitlines()) > 10
    assert {change.cause for change in done.roles["candidate"].limits} >= {"start", "rejected"}


def test_changes_of_a_limit_are_told_once_though_the_history_is_thinned() -> None:
    limit = AdaptiveConcurrency(10**6, clock=lambda: 0.0)
    told = 0
    seen: list[int] = []
    for number in range(3000):
        limit.in_flight = int(limit.limit)
        limit.accepted()
        if number % 7 == 0:
            seen += [change.limit for change in limit.since(told)]
            told = limit.changes
    assert seen == sorted(set(seen))
    assert limit.since(told - 1)[-1] == limit.history[-1]
    assert (len(limit.history) <= 400, limit.history[0].cause) == (True, "start")
    short = [1, 2, 3]
    thin(short)
    assert short == [1, 2, 3]
