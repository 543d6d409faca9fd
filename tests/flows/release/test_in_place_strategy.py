"""Promoting by `in_place`: the model changes in a deployment that goes on answering, or nothing changes at all."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest
import yaml
from support.waiting import wait_until

from evals.errors import ConfigurationError
from flows.evaluation import steps
from flows.release import go_live
from flows.release.steps import SmokeResult

OLD, NEW = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
PROVISIONED = {
    "developer": {"sku": "DeveloperTier", "capacity": 10},
    "production": {"sku": "ProvisionedManaged", "capacity": 50},
}


@pytest.fixture
def in_place(account):
    """Sets the target up to change what is live in the deployment `router`, which one gate lets anything do."""

    def set_up(strategy="in_place", **changes):
        promotion = {**account.target["promotion"], "strategy": strategy}
        account.is_set_up(promotion=promotion, **changes)
        return account

    path = account.folder / "gates" / "router.yaml"
    gate = yaml.safe_load(path.read_text("utf-8"))
    gate["checks"][0] = {"metric": "latency_p50_ms", "at_most": 60000}
    path.write_text(yaml.safe_dump(gate), "utf-8")
    return set_up


@pytest.fixture
def base_live(in_place):
    """An untuned model is live in `router`."""
    slots = {
        name: {"sku": "GlobalStandard", "capacity": 10} for name in ("developer", "production")
    }
    account = in_place(slots=slots)
    assert account.promoted(OLD).state == "live"
    return account


@pytest.fixture
def provisioned_live(in_place, models, emulator):
    """A fine-tune is live in `router`, which is provisioned."""

    def set_up(strategy="in_place"):
        emulator.set(also_offered={"ProvisionedManaged": ["gpt-4.1-mini"]})
        account = in_place(strategy, slots=PROVISIONED)
        assert account.promoted(models.first.model_id).state == "live"
        return account

    return set_up


class Application:
    """Asks `router` all the time and remembers what it was answered."""

    def __init__(self, url):
        self.statuses, self.models, self._stop = set(), [], threading.Event()
        self._url = f"{url}/openai/v1/chat/completions"
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self):
        self._thread.start()
        wait_until(lambda: self.models, "a first answer")
        return self

    def __exit__(self, *_):
        asked = len(self.models)
        wait_until(lambda: len(self.models) > asked + 1, "an answer to what was asked from now on")
        self._stop.set()
        self._thread.join()

    def _ask(self):
        body = {"model": "router", "messages": [{"role": "user", "content": "billing question"}]}
        with httpx.Client(headers={"api-key": "embedded-api-key"}, timeout=60) as client:
            while not self._stop.is_set():
                answer = client.post(self._url, json=body)
                self.statuses.add(answer.status_code)
                self.models.append(answer.json().get("model"))


def deleted(emulator, since):
    return [
        one
        for one in emulator.log[since:]
        if one.method == "DELETE" and one.path.endswith("/router")
    ]


def ended(account, run_id):
    return asyncio.run(go_live.go_live(account.settings, run_id))


def judged(account, model):
    """Judge a candidate up to its verdict; returns the run's id."""
    run_id = account.begin(model)

    async def whole():
        assert await account.evaluate(run_id) == "PASS"
        await steps.clean_up(account.settings, run_id)

    asyncio.run(whole())
    return run_id


@pytest.mark.slow
def test_a_new_version_of_a_base_model_goes_live_without_a_gap(base_live, emulator):
    doctor = base_live.doctor(NEW)
    assert doctor.code == 0, doctor.out
    assert (
        "promoting changes the model in router in place: the old one answers until it is there"
        in doctor.out
    )
    run_id = judged(base_live, NEW)
    emulator.set(update_s=0.4)
    before = len(emulator.log)
    with Application(emulator.url) as application:
        outcome = ended(base_live, run_id)
    assert (outcome.state, outcome.pointer.deployment) == ("live", "router")
    assert outcome.detail == "went live as generation 2"
    assert application.statuses == {200}
    assert application.models[0] == OLD and application.models[-1] == NEW
    assert not deleted(emulator, before)
    (done,) = [
        one for one in base_live.steps(run_id) if (one.step, one.phase) == ("deploying", "done")
    ]
    assert done.detail["downtime_s"] == 0


@pytest.mark.slow
def test_a_rollback_goes_back_in_place_too(base_live, emulator):
    base_live.promoted(NEW)
    before = len(emulator.log)
    with Application(emulator.url) as application:
        answer = base_live.command("rollback", "router", "--reason", "worse", "--json")
    assert answer.code == 0, answer.err
    assert (base_live.live().model_id, answer.json["downtime_s"]) == (OLD, 0.0)
    assert application.statuses == {200}
    assert not deleted(emulator, before)


@pytest.mark.slow
def test_another_size_is_asked_for_after_the_model_and_not_with_it(base_live, emulator):
    slots = {**base_live.target["slots"], "production": {"sku": "GlobalStandard", "capacity": 20}}
    base_live.is_set_up(slots=slots)
    assert base_live.promoted(NEW).state == "live"
    standing = base_live.arm("GET", "router").json()
    assert standing["sku"] == {"name": "GlobalStandard", "capacity": 20}
    assert standing["tags"]["gatewright-role"] == "production"


@pytest.mark.slow
def test_what_fails_its_smoke_test_is_changed_back_in_place(base_live, emulator, monkeypatch):
    async def fails(_connection):
        return SmokeResult(asked=1, passed=False, detail="no answer")

    run_id = judged(base_live, NEW)
    monkeypatch.setattr(go_live, "_smoke", lambda _run: fails)
    before = len(emulator.log)
    assert ended(base_live, run_id).state == "failed"
    assert base_live.live().model_id == OLD
    assert not deleted(emulator, before)
    version = base_live.arm("GET", "router").json()["properties"]["model"]["version"]
    assert f"gpt-4o-{version}" == OLD


@pytest.mark.slow
def test_a_provisioned_deployment_takes_another_fine_tune_where_the_service_allows_it(
    provisioned_live, emulator, models
):
    account = provisioned_live()
    emulator.set(retarget_finetuned="allow", update_s=0.3)
    run_id = judged(account, models.second.model_id)
    assert "a month" not in account.doctor(models.second.model_id).out, "throughput is paid for"
    with Application(emulator.url) as application:
        assert ended(account, run_id).state == "live"
    assert application.statuses == {200}
    assert account.standing() == {"router": models.second.model_id}


@pytest.mark.slow
@pytest.mark.parametrize("refusal", ["refuse", "legacy"])
def test_where_the_service_refuses_the_old_model_stays_and_another_strategy_is_named(
    provisioned_live, emulator, models, refusal
):
    account = provisioned_live()
    emulator.set(retarget_finetuned=refusal)
    run_id = judged(account, models.second.model_id)
    before = len(emulator.log)
    with Application(emulator.url) as application:
        outcome = ended(account, run_id)
    assert outcome.state == "failed"
    shown = account.command("report", run_id, "--format", "markdown").out
    assert "can't be given" in shown or "cannot be given another model" in shown
    assert "strategy blue_green" in outcome.detail
    assert f"{models.first.model_id} answers there as before" in outcome.detail
    assert application.statuses == {200}
    assert not deleted(emulator, before)
    assert account.standing() == {"router": models.first.model_id}


@pytest.mark.slow
def test_replace_tries_in_place_first_and_has_a_gap_only_where_that_is_refused(
    provisioned_live, emulator, models
):
    account = provisioned_live("replace")
    doctor = account.doctor(models.second.model_id)
    assert "in place if the service does that, else it will not answer for about" in doctor.out
    emulator.set(retarget_finetuned="allow")
    before = len(emulator.log)
    assert account.promoted(models.second.model_id).detail == "went live as generation 2"
    assert not deleted(emulator, before)
    emulator.set(retarget_finetuned="refuse")
    answer = account.command("rollback", "router", "--reason", "worse", "--json")
    assert answer.json["downtime_s"] > 0
    assert deleted(emulator, before)
    assert account.standing() == {"router": models.first.model_id}


def test_where_a_type_never_changes_in_place_it_is_refused_before_money_is_spent(
    in_place, emulator, models
):
    account = in_place()
    account.promoted(models.first.model_id)
    doctor = account.doctor(models.second.model_id)
    assert doctor.code == 3
    assert "can't be changed to" in doctor.out
    assert "→ use 'promotion.strategy: blue_green'" in doctor.out
    run_id = account.begin(models.second.model_id)
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(account.evaluate(run_id))
    assert [problem.field for problem in caught.value.problems] == ["downtime"]
    assert account.standing() == {"router": models.first.model_id}
