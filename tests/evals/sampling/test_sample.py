"""What `sample` promises: order, repeats, reuse, budget, credentials, refusals by name, progress."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.waiting import until

from evals.errors import ConfigurationError, CredentialError, InfrastructureError, SamplingError
from evals.records import Message, Price
from evals.sampling.budget import Budget
from evals.sampling.fatal_errors import EndpointGoneError
from evals.sampling.journal.journal import Journal
from evals.sampling.request_spec import ModelRequest, SamplingSettings
from evals.sampling.response_store import ResponseStore

PRICE = Price(input=1000.0, output=1000.0)  # 24 tokens an answer: 0.024 USD


async def test_candidate_and_baseline_are_asked_in_turn(studio: Any) -> None:
    studio.server.latency_s = 0.002
    await studio.run(studio.asks(200), concurrency=8)
    order = [request.model for request in studio.server.requests]
    for start in range(0, 360, 40):
        share = order[start : start + 40].count("candidate")
        assert 8 <= share <= 32


@pytest.mark.slow
async def test_neither_role_runs_far_ahead_of_a_slow_one(studio: Any) -> None:
    async def crawl(exchange: Any) -> None:
        await asyncio.sleep(0.02)
        await studio.ok("x")(exchange)

    studio.server.script = lambda request: crawl if request.model == "baseline" else studio.ok("x")
    await studio.run(studio.asks(300), concurrency=2)
    order = [request.model for request in studio.server.requests]
    lead = 0
    for position in range(len(order)):
        seen = order[: position + 1]
        lead = max(lead, seen.count("candidate") - seen.count("baseline"))
    assert lead <= 70


async def test_the_ceiling_of_concurrency_is_kept(studio: Any) -> None:
    studio.server.latency_s = 0.01

    async def with_all_others(exchange: Any) -> None:
        if exchange.request.total <= 10:  # the first ones are answered when all ten are there
            await until(lambda: studio.server.most_at_once >= 10, "ten at once")
        await studio.ok("yes")(exchange)

    studio.server.script = lambda request: with_all_others
    await studio.run(studio.asks(100), concurrency=5)
    assert studio.server.most_at_once == 10


async def test_repeats_are_asked_and_kept_apart(studio: Any) -> None:
    settings = SamplingSettings(seed=100)
    await studio.run(studio.asks(5, repeats=3), settings=settings)
    assert set(studio.responses()) == {(f"c-{n}", r) for n in range(5) for r in range(3)}
    seeds = {r.body["seed"] for r in studio.server.requests}
    assert seeds == {100, 101, 102}


async def test_a_second_call_asks_nothing_that_was_answered(studio: Any) -> None:
    await studio.run(studio.asks(20))
    summary = await studio.run(studio.asks(30))
    assert summary.roles["candidate"].resumed == 20
    assert summary.roles["candidate"].done == 10
    assert max(studio.server.asked.values()) == 1
    assert len(studio.responses()) == 30


async def test_an_infrastructure_failure_gets_another_chance_when_resumed(studio: Any) -> None:
    studio.server.script = lambda request: studio.failing(500)
    settings = SamplingSettings(max_attempts=1)
    await studio.run(studio.asks(3), settings=settings)
    studio.server.script = lambda request: studio.ok("fine")
    await studio.run(studio.asks(3), settings=settings)
    assert {r.outcome for r in studio.responses().values()} == {"answered"}


async def test_each_role_has_its_own_settings(studio: Any) -> None:
    settings = {
        "candidate": SamplingSettings(temperature=0),
        "baseline": SamplingSettings(max_completion_tokens=7),
    }
    await studio.run(studio.asks(2), settings=settings)
    by_role = {request.model: request.body for request in studio.server.requests}
    assert "max_completion_tokens" not in by_role["candidate"]
    assert by_role["baseline"]["max_completion_tokens"] == 7


async def test_a_refused_parameter_is_handled_once_for_the_endpoint(studio: Any) -> None:
    def script(request: Any) -> Any:
        for name in ("temperature", "max_completion_tokens"):
            if name in request.body:
                error = {"code": "unsupported_parameter", "param": name, "message": "no"}
                return studio.status(400, {"error": error})
        return studio.ok(request.text)

    studio.server.script = script
    settings = SamplingSettings(concurrency=4, temperature=0, max_completion_tokens=9)
    summary = await studio.run(studio.asks(60), settings=settings)
    studio.check_books(summary, 60)
    role = summary.roles["candidate"]
    assert role.outcomes == {"answered": 60}
    assert len(role.adjustments) == 2
    assert role.retries["parameter"] <= 2 * 4
    assert all(r.body["max_tokens"] == 9 for r in studio.server.requests[-20:])


async def test_usd_budget_stops_cleanly_and_is_never_passed(studio: Any) -> None:
    budget = Budget(usd=1.0)
    settings = SamplingSettings(max_completion_tokens=4, concurrency=8)
    summary = await studio.run(
        studio.asks(500),
        settings=settings,
        budget=budget,
        prices={"candidate": PRICE, "baseline": PRICE},
    )
    assert summary.stopped == "budget"
    assert "USD" in summary.reason
    assert 0.8 < budget.spent_usd <= 1.0
    done = sum(role.done for role in summary.roles.values())
    assert budget.spent_usd == pytest.approx(done * 0.024)
    assert len(studio.server.requests) == done


async def test_answers_that_are_lost_again_and_again_do_not_pass_the_ceiling(studio: Any) -> None:
    studio.server.script = lambda request: studio.reset_mid_body(request.text)
    budget = Budget(tokens=500)
    settings = SamplingSettings(max_completion_tokens=4, concurrency=8)
    summary = await studio.run(studio.asks(50), settings=settings, budget=budget)
    assert summary.stopped == "budget"
    assert 400 < budget.spent_tokens <= 500
    studio.server.script = lambda request: studio.ok(request.text)
    summary = await studio.run(studio.asks(50), settings=settings, budget=Budget())
    assert {role.outcomes["answered"] for role in summary.roles.values()} == {50}


async def test_a_resumed_run_counts_what_was_spent_before(studio: Any) -> None:
    prices = {"candidate": PRICE, "baseline": PRICE}
    await studio.run(studio.asks(10), prices=prices, budget=Budget(usd=10))
    budget = Budget(usd=10)
    await studio.run(studio.asks(12), prices=prices, budget=budget)
    assert budget.spent_usd == pytest.approx(2 * 12 * 0.024)


async def test_a_token_budget_needs_no_price(studio: Any) -> None:
    budget = Budget(tokens=240)
    summary = await studio.run(studio.asks(50), budget=budget, concurrency=2)
    assert summary.stopped == "budget"
    assert budget.spent_tokens <= 240
    with pytest.raises(ConfigurationError, match="price"):
        await studio.run(studio.asks(1), budget=Budget(usd=1))


async def test_requests_a_minute_are_spaced(studio: Any) -> None:
    studio.roles = ("candidate",)
    settings = SamplingSettings(requests_per_minute=61 * 20, concurrency=50)
    summary = await studio.run(studio.asks(30), settings=settings)
    assert summary.wall_s >= 0.4  # twenty at once, the other ten at twenty a second


async def test_stored_answers_are_reused_but_never_beyond_their_repeats(
    studio: Any, tmp_path: Path
) -> None:
    with ResponseStore(tmp_path / "store") as store:
        await studio.run(studio.asks(10, repeats=2), store=store)
        studio.folder = tmp_path / "second"
        reuse = {
            "candidate": SamplingSettings(),
            "baseline": SamplingSettings(reuse_max_age_s=3600),
        }
        summary = await studio.run(studio.asks(10, repeats=3), settings=reuse, store=store)
    baseline = studio.responses("baseline")
    assert summary.roles["baseline"].reused == 20
    assert summary.roles["baseline"].requests == 10
    assert {key for key, r in baseline.items() if not r.reused} == {
        (f"c-{n}", 2) for n in range(10)
    }
    assert baseline["c-3", 1].text == "case 3"
    assert not any(r.reused for r in studio.responses("candidate").values())


async def test_what_was_asked_otherwise_or_is_too_old_is_not_reused(
    studio: Any, tmp_path: Path
) -> None:
    with ResponseStore(tmp_path / "store") as store:
        await studio.run(studio.asks(5), store=store)
        for number, changed in enumerate(
            (
                SamplingSettings(temperature=1, reuse_max_age_s=3600),
                SamplingSettings(reuse_max_age_s=0),
            )
        ):
            studio.folder = tmp_path / f"again-{number}"
            summary = await studio.run(studio.asks(5), settings=changed, store=store)
            assert summary.roles["baseline"].reused == 0
        assert store.prune(3600) == 0
        assert store.prune(-1) > 0


async def test_failures_are_not_lent_to_other_runs(studio: Any, tmp_path: Path) -> None:
    studio.server.script = lambda request: studio.failing(422)
    settings = SamplingSettings(reuse_max_age_s=3600)
    with ResponseStore(tmp_path / "store") as store:
        for number in range(2):
            studio.folder = tmp_path / str(number)
            summary = await studio.run(studio.asks(3), settings=settings, store=store)
            assert summary.roles["candidate"].reused == 0


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (401, "invalid_api_key", "credential"),
        (403, "PermissionDenied", "role"),
        (404, "404", "base_url"),
        (410, "", "newer base model"),
        (423, "", "the deployment is paused"),
        (302, "", "base_url"),
        (429, "insufficient_quota", "quota"),
    ],
)
async def test_an_endpoint_that_cannot_be_asked_ends_the_run_and_says_what_to_do(
    studio: Any, code: int, error: str, words: str
) -> None:
    studio.server.script = lambda request: studio.failing(code, error)
    with pytest.raises(SamplingError, match=words):
        await studio.run(studio.asks(500), concurrency=4)
    assert len(studio.server.requests) < 60


async def test_an_address_nobody_listens_at_ends_the_run(studio: Any) -> None:
    connections = studio.connections()
    for role in studio.roles:
        nowhere = msgspec.structs.replace(studio.endpoint(role), base_url="http://127.0.0.1:1/v1")
        connections[role].endpoint = nowhere
    settings = SamplingSettings(max_attempts=2)
    with pytest.raises(SamplingError, match="can't be reached"):
        await studio.run(studio.asks(5), connections=connections, settings=settings)
    connections["candidate"].endpoint = msgspec.structs.replace(nowhere, base_url="example.com/v1")
    with pytest.raises(SamplingError, match="http"):
        await studio.run(studio.asks(5), connections=connections)


async def test_a_deployment_that_is_gone_is_told_apart_so_that_it_can_be_redeployed(
    studio: Any,
) -> None:
    def script(request: Any) -> Any:
        gone = request.model == "candidate" and request.total > 50
        return studio.failing(404, "DeploymentNotFound") if gone else studio.ok(request.text)

    studio.server.script = script
    with pytest.raises(EndpointGoneError) as caught:
        await studio.run(studio.asks(100), concurrency=4)
    assert caught.value.endpoint.model == "candidate"
    answered = len(studio.responses())
    assert answered > 0
    studio.server.script = lambda request: studio.ok(request.text)
    summary = await studio.run(studio.asks(100))
    assert summary.roles["candidate"].resumed == answered
    assert len(studio.responses()) == 100


async def test_a_deployment_not_heard_of_for_a_moment_is_no_failure(studio: Any) -> None:
    studio.server.script = lambda request: (
        studio.failing(404, "DeploymentNotFound") if request.nth == 1 else studio.ok("x")
    )
    summary = await studio.run(studio.asks(3))
    studio.check_books(summary, 3)
    assert summary.roles["candidate"].outcomes == {"answered": 3}


async def test_an_expired_credential_is_renewed_once_for_all(studio: Any) -> None:
    issued = 0

    async def auth() -> dict[str, str]:
        nonlocal issued
        issued += 1
        return {"Authorization": f"Bearer token-number-{issued}"}

    def script(request: Any) -> Any:
        fresh = request.headers["authorization"] != "Bearer token-number-1"
        return studio.ok("x") if fresh or request.total <= 20 else studio.failing(401)

    studio.server.script = script
    studio.roles = ("candidate",)
    studio.auth = auth
    summary = await studio.run(studio.asks(100))
    studio.check_books(summary, 100)
    assert issued == 2
    assert summary.roles["candidate"].credential_renewals == 1


async def test_errors_of_the_credentials_provider_come_through(studio: Any) -> None:
    async def missing() -> dict[str, str]:
        raise CredentialError([])

    async def broken() -> dict[str, str]:
        raise RuntimeError("vault said api-key=0123456789abcdef")

    studio.auth = missing
    with pytest.raises(CredentialError):
        await studio.run(studio.asks(3))
    studio.auth = broken
    with pytest.raises(SamplingError, match="redacted"):
        await studio.run(studio.asks(3))


async def test_secrets_echoed_by_the_service_are_not_written(studio: Any, tmp_path: Path) -> None:
    def script(request: Any) -> Any:
        if request.text.endswith("1"):
            return studio.failing(400, "invalid", f"bad key {studio.secret} or sk-abcdefghijkl")
        return studio.ok(f"your key is {studio.secret}")

    studio.server.script = script
    seen = []
    with ResponseStore(tmp_path / "store") as store:
        await studio.run(
            studio.asks(4), store=store, on_response=lambda ask, response: seen.append(response)
        )
    assert studio.responses()["c-0", 0].text == "your key is [redacted]"
    assert studio.responses()["c-1", 0].error == "bad key [redacted] or [redacted]"
    assert all(studio.secret not in str(response) for response in seen)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert studio.secret.encode() not in path.read_bytes()


async def test_a_secret_in_a_fatal_error_is_not_shown(studio: Any) -> None:
    studio.server.script = lambda request: studio.failing(401, "401", f"key {studio.secret} bad")
    with pytest.raises(SamplingError) as caught:
        await studio.run(studio.asks(3))
    assert studio.secret not in str(caught.value)


async def test_listeners_hear_of_every_answer_once_it_is_durable(studio: Any) -> None:
    heard: list[tuple[str, str]] = []

    def listen(ask: ModelRequest, response: Any) -> None:
        assert (ask.case_id, 0) in Journal.open(studio.folder, read_only=True).answered(
            ask.role, "triage"
        )
        heard.append((ask.role, response.case_id))

    await studio.run(studio.asks(10), on_response=listen)
    assert sorted(heard) == sorted((role, f"c-{n}") for role in studio.roles for n in range(10))


async def test_an_error_of_a_listener_or_of_the_asks_ends_the_run(studio: Any) -> None:
    def listen(ask: ModelRequest, response: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await studio.run(studio.asks(10), on_response=listen)

    def broken() -> Any:
        yield from studio.asks(3, first=100)
        raise KeyError("template")

    with pytest.raises(KeyError, match="template"):
        await studio.run(broken())


async def test_asks_of_a_role_without_connection_are_refused(studio: Any) -> None:
    stray = ModelRequest(role="baseline", suite="s", case_id="c", repeat=0, messages=())
    studio.roles = ("candidate",)
    with pytest.raises(ConfigurationError, match="baseline"):
        await studio.run([stray])


async def test_no_asks_are_no_trouble(studio: Any) -> None:
    summary = await studio.run([])
    assert summary.roles["candidate"].done == 0
    assert summary.first_request_s is None


async def test_cancelling_leaves_a_journal_that_can_go_on(studio: Any) -> None:
    studio.server.latency_s = 0.02
    running = asyncio.create_task(studio.run(studio.asks(300), concurrency=8))
    while len(studio.server.requests) < 40:  # so that some of them are answered and written
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    kept = len(studio.responses())
    assert 0 < kept < 300
    studio.server.latency_s = 0
    summary = await studio.run(studio.asks(300))
    assert summary.roles["candidate"].resumed == kept
    assert len(studio.responses()) == 300


async def test_an_unwritable_journal_stops_the_asking(
    studio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evals.sampling.journal.fsync_thread.os.write", full)
    with pytest.raises(InfrastructureError, match="is full"):
        await studio.run(studio.asks(500), concurrency=4)
    assert len(studio.server.requests) < 30


async def test_asks_are_read_as_needed(studio: Any) -> None:
    read = 0

    def counted() -> Any:
        nonlocal read
        for ask in studio.asks(10_000):
            read += 1
            yield ask

    summary = await studio.run(counted(), concurrency=4, budget=Budget(tokens=2000))
    assert summary.stopped == "budget"
    assert read < 400


async def test_multi_turn_cases_are_sent_as_they_are(studio: Any) -> None:
    turns = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="hi"),
        Message(role="assistant", content="hello"),
        Message(role="user", content="bye"),
    )
    studio.roles = ("candidate",)
    await studio.run(
        [ModelRequest(role="candidate", suite="triage", case_id="c", repeat=0, messages=turns)]
    )
    assert [m["content"] for m in studio.server.requests[0].body["messages"]] == [
        "Be brief.",
        "hi",
        "hello",
        "bye",
    ]


async def test_answers_of_another_kind_of_slot_are_not_reused(studio: Any, tmp_path: Path) -> None:
    with ResponseStore(tmp_path / "store") as store:
        await studio.run(studio.asks(5), store=store)
        studio.folder = tmp_path / "second"
        connections = studio.connections()
        for connection in connections.values():
            connection.endpoint = msgspec.structs.replace(connection.endpoint, slot="production")
        reuse = SamplingSettings(reuse_max_age_s=3600)
        summary = await studio.run(
            studio.asks(5), settings=reuse, store=store, connections=connections
        )
    assert {role.reused for role in summary.roles.values()} == {0}


async def test_tokens_a_minute_are_kept(studio: Any) -> None:
    studio.roles = ("candidate",)
    settings = SamplingSettings(max_completion_tokens=100, tokens_per_minute=12_000)
    summary = await studio.run(studio.asks(5), settings=settings)
    assert summary.wall_s >= 0.5  # more than 500 tokens are set aside at 200 a second


async def test_journal_lines_are_readable_and_small(studio: Any) -> None:
    await studio.run(studio.asks(50))
    data = (studio.folder / "candidate.triage.0001.jsonl").read_bytes()
    assert len(data) / 50 < 400
    assert json.loads(data.splitlines()[0])["response"]["outcome"] == "answered"


async def test_asks_that_wait_for_their_share_of_the_budget_hold_up_no_retry(studio: Any) -> None:
    busy = studio.failing(429, headers={"retry-after-ms": "100"})
    studio.server.script = lambda request: busy if request.nth == 1 else studio.ok(request.text)
    budget = Budget(tokens=600)
    settings = SamplingSettings(max_completion_tokens=40, concurrency=8)
    async with asyncio.timeout(900):
        summary = await studio.run(studio.asks(50), settings=settings, budget=budget)
    assert summary.stopped == "budget"
    assert 300 < budget.spent_tokens <= 600


@pytest.mark.parametrize(
    ("status", "code", "read"),
    [
        (410, "ModelRetired", "train on a newer base model"),
        (423, "DeploymentPaused", "the deployment is paused"),
        (403, "AuthenticationTypeDisabled", "unset the key and sign in"),
        (403, "PermissionDenied", "a role is missing"),
        (401, "401", "check that the credential belongs to this resource"),
    ],
)
async def test_what_no_request_can_get_past_is_explained(
    studio: Any, status: int, code: str, read: str
) -> None:
    studio.server.script = lambda request: studio.failing(status, code, "said")
    with pytest.raises(SamplingError, match=f"answered {status}: {code}: said") as caught:
        await studio.run(studio.asks(3))
    assert read in str(caught.value)
