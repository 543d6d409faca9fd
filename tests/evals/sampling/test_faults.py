"""Faults by the hundred: afterwards every case has exactly one outcome and the books balance."""

from __future__ import annotations

import time
from typing import Any

import pytest

from evals.sampling.request_spec import SamplingSettings

CASES = 100


def first_time(studio: Any, fault: Any) -> Any:
    """A script: every case fails once, then is answered."""
    return lambda request: fault(request) if request.nth == 1 else studio.ok(request.text)


async def answers_all(studio: Any, script: Any, cases: int = CASES, **options: Any) -> Any:
    studio.server.script = script
    summary = await studio.run(studio.asks(cases), **options)
    studio.check_books(summary, cases)
    assert {r.outcome for r in studio.responses().values()} == {"answered"}
    return summary


async def test_without_faults_everything_is_answered_once(studio: Any) -> None:
    summary = await answers_all(studio, lambda request: studio.ok(request.text))
    assert summary.roles["candidate"].requests == CASES
    assert studio.responses()["c-7", 0].text == "case 7"
    assert summary.roles["candidate"].usage.prompt_tokens == 20 * CASES


async def test_a_storm_of_429_with_retry_after_ms_is_waited_out(studio: Any) -> None:
    busy = studio.failing(429, headers={"retry-after-ms": "20"})
    summary = await answers_all(studio, first_time(studio, lambda request: busy))
    assert summary.roles["candidate"].retries == {"rate_limited": CASES}
    assert min(change.limit for change in summary.roles["candidate"].limits) < 16


async def test_a_429_is_never_asked_again_before_its_time(studio: Any) -> None:
    told: dict[tuple[str, str], float] = {}

    def script(request: Any) -> Any:
        key = (request.model, request.text)
        if request.nth <= 2:
            told[key] = time.monotonic() + 0.05
            return studio.failing(429, headers={"Retry-After": "0.05"})
        assert time.monotonic() >= told[key]
        return studio.ok(request.text)

    await answers_all(studio, script, cases=25)


async def test_a_storm_of_429_without_retry_after_is_waited_out(studio: Any) -> None:
    await answers_all(studio, first_time(studio, lambda request: studio.failing(429)), 25)


async def test_resets_in_mid_body_are_asked_again(studio: Any) -> None:
    script = first_time(studio, lambda request: studio.reset_mid_body(request.text))
    summary = await answers_all(studio, script)
    assert summary.roles["baseline"].retries == {"connection_error": CASES}


async def test_dropped_connections_are_asked_again(studio: Any) -> None:
    await answers_all(studio, first_time(studio, lambda request: studio.drop_at_once()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [b'{"choices": [{"message": {"cont', b"", b"<html>busy</html>", b"[]", b'{"choices": []}'],
)
async def test_an_unreadable_success_is_the_servers_error(studio: Any, body: bytes) -> None:
    fault = studio.status(200, body, {"Content-Type": "text/html"})
    summary = await answers_all(studio, first_time(studio, lambda request: fault))
    assert summary.roles["candidate"].retries == {"server_error": CASES}


@pytest.mark.slow
@pytest.mark.parametrize("code", [408, 409, 500, 502, 503, 504])
async def test_passing_server_errors_are_asked_again(studio: Any, code: int) -> None:
    await answers_all(studio, first_time(studio, lambda request: studio.failing(code)))


@pytest.mark.slow
async def test_wrong_content_types_are_no_obstacle(studio: Any) -> None:
    await answers_all(
        studio,
        lambda request: studio.ok(request.text, {"Content-Type": "text/plain; charset=latin-1"}),
    )


async def test_a_401_in_the_middle_renews_the_credential_and_goes_on(studio: Any) -> None:
    def script(request: Any) -> Any:
        return studio.failing(401) if request.total % 40 == 39 else studio.ok(request.text)

    summary = await answers_all(studio, script)
    assert sum(role.retries.get("credentials", 0) for role in summary.roles.values()) == 5


async def test_slow_drips_time_out_and_lower_coverage_only(studio: Any) -> None:
    cases = 30  # few, so that no other one is late on the slowest machine

    def script(request: Any) -> Any:
        slow = request.text.endswith("7")
        return studio.drip(request.text, 0.1) if slow else studio.ok(request.text)

    studio.server.script = script
    settings = SamplingSettings(concurrency=32, timeout_s=3.0, max_attempts=2)
    summary = await studio.run(studio.asks(cases), settings=settings)
    studio.check_books(summary, cases)
    assert summary.roles["candidate"].outcomes == {"answered": 27, "timed_out": 3}
    assert studio.responses()["c-7", 0].text is None


@pytest.mark.parametrize(
    ("action", "outcome", "attempts"),
    [
        (("failing", 500), "server_error", 2),
        (("failing", 429), "rate_limited", 2),
        (("drop_at_once",), "connection_error", 2),
        (("failing", 422), "invalid_request", 1),
        (("failing", 400, "context_length_exceeded"), "invalid_request", 1),
    ],
)
async def test_what_never_succeeds_ends_with_its_class(
    studio: Any, action: Any, outcome: str, attempts: int
) -> None:
    name, *arguments = action
    studio.server.script = lambda request: getattr(studio, name)(*arguments)
    settings = SamplingSettings(concurrency=16, max_attempts=2)
    summary = await studio.run(studio.asks(10), settings=settings)
    studio.check_books(summary, 10)
    assert summary.roles["candidate"].outcomes == {outcome: 10}
    assert {r.attempts for r in studio.responses().values()} == {attempts}


async def test_an_absurd_wait_is_not_waited_for(studio: Any) -> None:
    studio.server.script = lambda request: studio.failing(429, headers={"Retry-After": "86400"})
    settings = SamplingSettings(concurrency=4, max_wait_s=1.0)
    summary = await studio.run(studio.asks(3), settings=settings)
    studio.check_books(summary, 3)
    assert summary.roles["candidate"].outcomes == {"rate_limited": 3}


@pytest.mark.slow
async def test_everything_at_once_still_balances(studio: Any) -> None:
    def script(request: Any) -> Any:
        roll = hash((request.text, request.nth, request.model)) % 10
        if request.nth > 4:
            return studio.ok(request.text)
        return {
            0: studio.failing(429, headers={"retry-after-ms": "30"}),
            1: studio.failing(500),
            2: studio.reset_mid_body(request.text),
            3: studio.status(200, b"{"),
            4: studio.drop_at_once(),
        }.get(roll, studio.ok(request.text))

    summary = await answers_all(studio, script)
    assert sum(summary.roles["candidate"].retries.values()) > 10


async def test_a_jumping_wall_clock_changes_nothing(
    studio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(0, 10**9, 86_400))
    monkeypatch.setattr("evals.sampling.run.time", lambda: float(next(moments)))
    monkeypatch.setattr("evals.sampling.pacing.backoff.time", lambda: float(next(moments)))
    busy = studio.failing(429, headers={"retry-after-ms": "50"})
    await answers_all(studio, first_time(studio, lambda request: busy))
