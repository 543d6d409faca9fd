"""The adaptive limit, minute budgets and money budgets, on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.errors import ConfigurationError
from evals.records import Price, Usage
from evals.sampling.budget import Budget, Estimator, cost_usd
from evals.sampling.pacing.concurrency import AdaptiveConcurrency
from evals.sampling.pacing.rate_pacing import RatePacer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def filled(limit: AdaptiveConcurrency) -> int:
    """Take every permit there is without waiting."""
    taken = 0
    while limit.in_flight < int(limit.limit):
        assert await limit.acquire()
        taken += 1
    return taken


async def window(limit: AdaptiveConcurrency, *, rejected: int = 0) -> None:
    """One window: all permits taken, answered or rejected, given back."""
    taken = await filled(limit)
    for number in range(taken):
        limit.rejected(1.0) if number < rejected else limit.accepted()
    for _ in range(taken):
        limit.release()


async def test_the_limit_doubles_until_its_ceiling_while_all_is_accepted() -> None:
    limit = AdaptiveConcurrency(64, clock=Clock())
    seen = [int(limit.limit)]
    for _ in range(3):
        await window(limit)
        seen.append(int(limit.limit))
    assert seen == [16, 32, 64, 64]
    assert limit.history[0].cause == "start"


async def test_a_few_rejections_cost_little_and_a_storm_halves() -> None:
    limit = AdaptiveConcurrency(64, clock=Clock())
    for _ in range(2):
        await window(limit)
    await window(limit, rejected=3)
    assert 58 <= limit.limit <= 64
    assert "rejected" in {change.cause for change in limit.history}
    for _ in range(2):  # windows need not end where the test's do
        await window(limit, rejected=64)
    assert limit.limit <= 32


async def test_after_a_storm_nobody_asks_before_the_wait_is_over() -> None:
    clock = Clock()
    limit = AdaptiveConcurrency(8, clock=clock)
    await window(limit, rejected=8)
    waiting = asyncio.create_task(limit.acquire())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    clock.now += 1.0
    limit.in_flight += 1
    limit.release()  # any movement lets the waiting look again
    assert await waiting


async def test_the_way_back_after_a_storm_is_fast_up_to_half() -> None:
    clock = Clock()
    limit = AdaptiveConcurrency(64, clock=clock)
    for _ in range(2):
        await window(limit)
    for _ in range(6):
        await window(limit, rejected=64)
        clock.now += 2.0
    assert limit.limit == 1
    for _ in range(6):
        await window(limit)
    assert 25 <= limit.limit <= 40


async def test_server_errors_pause_growth_but_never_shrink() -> None:
    limit = AdaptiveConcurrency(64, clock=Clock())
    await filled(limit)
    for _ in range(16):
        limit.server_failed()
        limit.accepted()
    assert limit.limit == 16


async def test_little_left_by_the_services_own_word_stops_growth() -> None:
    limit = AdaptiveConcurrency(64, clock=Clock())
    await filled(limit)
    for _ in range(16):
        limit.accepted(quota_left=False)
    assert limit.limit == 16


async def test_an_idle_endpoint_does_not_grow() -> None:
    limit = AdaptiveConcurrency(64, clock=Clock())
    for _ in range(50):
        await limit.acquire()
        limit.accepted()
        limit.release()
    assert limit.limit == 16


async def test_steady_random_rejections_do_not_starve_the_endpoint() -> None:
    limit = AdaptiveConcurrency(64, clock=Clock())
    for number in range(400):
        await window(limit, rejected=int(limit.limit) // 20 + (number % 2))
    assert limit.limit > 40


async def test_a_cancelled_wait_gives_its_permit_on() -> None:
    limit = AdaptiveConcurrency(1, clock=Clock())
    await limit.acquire()
    first, second = asyncio.create_task(limit.acquire()), asyncio.create_task(limit.acquire())
    await asyncio.sleep(0)
    limit.release()
    first.cancel()
    assert await second
    assert limit.in_flight == 1


async def test_an_aborted_limit_sends_everybody_home() -> None:
    limit = AdaptiveConcurrency(1, clock=Clock())
    await limit.acquire()
    waiting = asyncio.create_task(limit.acquire())
    await asyncio.sleep(0)
    limit.abort()
    assert not await waiting
    assert not await limit.acquire()


async def test_the_history_stays_short() -> None:
    limit = AdaptiveConcurrency(100, clock=Clock())
    for number in range(3000):
        await window(limit, rejected=number % 2)
    assert len(limit.history) <= 401
    assert limit.history[0].cause == "start"


@given(st.lists(st.one_of(st.integers(0, 70), st.none()), max_size=60))
def test_the_limit_stays_between_one_and_its_ceiling(rejections: list[int | None]) -> None:
    async def play() -> None:
        clock = Clock()
        limit = AdaptiveConcurrency(32, clock=clock)
        for rejected in rejections:
            clock.now += 5
            limit.server_failed() if rejected is None else await window(limit, rejected=rejected)
            assert 1 <= limit.limit <= 32
            assert limit.in_flight == 0

    asyncio.run(play())


@given(st.integers(1, 600), st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_no_minute_holds_more_requests_than_the_budget(per_minute: int, gaps: list[float]) -> None:
    clock = Clock()
    pace = RatePacer(per_minute, None, clock=clock)
    sent = []
    for gap in gaps:
        clock.now += gap
        sent.append(clock.now + pace.reserve(1))
    for start in sent:
        assert sum(start <= moment < start + 60 for moment in sent) <= per_minute


def test_tokens_a_minute_space_requests_and_are_corrected_by_usage() -> None:
    clock = Clock()
    pace = RatePacer(None, 6100, clock=clock)  # 100 tokens a second
    assert pace.reserve(100) == 0
    assert pace.reserve(100) == pytest.approx(1.0)
    pace.settle(100, 0)
    assert pace.reserve(100) == pytest.approx(1.0)


def test_without_budgets_nobody_waits() -> None:
    pace = RatePacer(None, None, clock=Clock())
    assert pace.unlimited
    assert pace.reserve(10**9) == 0


PRICE = Price(input=1.0, output=4.0, cached_input=0.5)


def test_what_a_response_costs() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=500_000, cached_tokens=400_000)
    assert cost_usd(PRICE, usage) == pytest.approx(0.6 + 0.2 + 2.0)
    assert cost_usd(Price(input=1, output=4), usage) == pytest.approx(3.0)


def test_a_budget_waits_for_what_is_in_flight_before_it_is_reached() -> None:
    budget = Budget(tokens=100)
    assert budget.reserve(0, 60) == "granted"
    assert budget.reserve(0, 60) == "wait"
    budget.settle(0, 60)
    budget.spend(0, 30)
    assert budget.reserve(0, 60) == "granted"
    budget.settle(0, 60)
    budget.spend(0, 60)
    assert budget.reserve(0, 60) == "reached"
    assert "100 tokens" in budget.exhausted_message()


def test_what_an_earlier_process_spent_counts_once() -> None:
    budget = Budget(usd=1)
    for _ in range(2):
        budget.restore("suite", 0.4, 10)
    assert (budget.spent_usd, budget.spent_tokens) == (0.4, 10)


def test_a_usd_ceiling_over_an_unknown_price_is_refused() -> None:
    Budget(tokens=1).check_price("candidate", None)
    with pytest.raises(ConfigurationError, match="budget_usd"):
        Budget(usd=1).check_price("candidate", None)


def test_estimates_learn_and_respect_the_limit_of_the_completion() -> None:
    estimator = Estimator(50)
    assert estimator.guess(300).completion_tokens == 50
    for _ in range(20):
        estimator.learn(300, Usage(prompt_tokens=200, completion_tokens=10))
    assert estimator.guess(300).prompt_tokens == pytest.approx(200, abs=2)
    free = Estimator(None)
    for _ in range(200):
        free.learn(300, Usage(prompt_tokens=75, completion_tokens=1000))
    assert free.guess(300).completion_tokens > 1000
