"""Promoting by `replace`: one deployment name, the old model given back whenever the new one may not stay."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
import yaml

from evals.gate.policy import load_policy
from flows.config.strategy import strategy_problems
from flows.config.target import load_target
from flows.evaluation import steps
from flows.registry.records import Binding
from flows.release import go_live
from flows.release.steps import SmokeResult

REPLACE = {"strategy": "replace"}


@pytest.fixture
def first_live(account, models):
    """The first model is live in the deployment `router`."""
    account.is_set_up(promotion={**account.target["promotion"], "strategy": "replace"})
    assert account.promoted(models.first.model_id).state == "live"
    assert account.standing() == {"router": models.first.model_id}
    return account


def go(account, model):
    """Judge a candidate and let it try to go live; returns run id and outcome."""
    run_id = account.begin(model)

    async def whole():
        assert await account.evaluate(run_id) == "PASS"
        await steps.clean_up(account.settings, run_id)
        return await go_live.go_live(account.settings, run_id)

    return run_id, asyncio.run(whole())


def marks(account, run_id, step):
    return [one for one in account.steps(run_id) if one.step == step]


def still_first(account, models):
    assert account.standing() == {"router": models.first.model_id}
    assert account.live().model_id == models.first.model_id
    assert account.live().generation == 1


@pytest.mark.slow
def test_the_name_stays_and_the_gap_is_said_before_and_measured_after(first_live, models):
    doctor = first_live.doctor(models.second.model_id)
    assert "promoting replaces the model in router: it will not answer for about" in doctor.out
    run_id, outcome = go(first_live, models.second.model_id)
    assert (outcome.state, outcome.pointer.deployment) == ("live", "router")
    assert first_live.standing() == {"router": models.second.model_id}
    begun, done = marks(first_live, run_id, "deploying")
    assert begun.detail["previous"]["model_id"] == models.first.model_id
    assert begun.detail["expected_downtime_s"] == [240.0, 600.0]
    assert done.detail["downtime_s"] > 0
    shown = first_live.command("report", run_id, "--format", "markdown").out
    assert "router did not answer for" in shown
    with first_live.registry() as registry:
        said = [event.reason for event in registry.history("router", 200, kinds=None)]
    assert any(
        "router gets the new model now; it will not answer for about 4 to 10 min" in one
        for one in said
    )


@pytest.mark.slow
def test_a_smoke_test_that_fails_gives_the_old_model_its_name_back(first_live, models, monkeypatch):
    async def failing(connection):
        return SmokeResult(asked=2, passed=False, detail="empty answers")

    monkeypatch.setattr(go_live, "_smoke", lambda run: failing)
    run_id, outcome = go(first_live, models.second.model_id)
    assert outcome.state == "failed"
    assert "empty answers" in outcome.detail
    assert [one.phase for one in marks(first_live, run_id, "given_back")] == ["begun", "done"]
    still_first(first_live, models)
    monkeypatch.undo()


@pytest.mark.slow
def test_what_production_refuses_is_gone_again_before_the_refusal_is_told(
    first_live, models, tmp_path
):
    gate = tmp_path / "gates" / "router.yaml"
    policy = yaml.safe_load(gate.read_text())
    policy["checks"][1]["at_most"] = 0.001
    gate.write_text(yaml.safe_dump(policy))
    _, outcome = go(first_live, models.second.model_id)
    assert outcome.state == "refused"
    assert "latency_p50_ms" in outcome.detail
    still_first(first_live, models)


@pytest.mark.slow
def test_while_people_decide_the_old_model_answers_and_then_the_new_one_comes_again(
    first_live, models, monkeypatch
):
    measure = go_live._measure

    def undecided(run):
        async def measured(connection):
            found = await measure(run)(connection)
            return msgspec.structs.replace(found, outcome="INCONCLUSIVE", reasons=("too close",))

        return measured

    monkeypatch.setattr(go_live, "_measure", undecided)
    run_id, outcome = go(first_live, models.second.model_id)
    assert outcome.state == "waiting"
    still_first(first_live, models)
    with first_live.registry() as registry:
        verdict = registry.verdict(run_id, "production")
        registry.answer(
            run_id,
            decision="approve",
            actor="ben",
            reason="fine",
            binding=Binding.of(verdict),
            slot="production",
        )
    again = asyncio.run(go_live.go_live(first_live.settings, run_id))
    assert again.state == "live"
    assert first_live.standing() == {"router": models.second.model_id}


class BrokenPlace:
    """Can't be told of one model; keeps what it is told otherwise."""

    reads_back = True
    name = "broken place"
    pointer = None

    def __init__(self, refuses):
        self.refuses = refuses

    def problems(self):
        return ()

    async def publish(self, pointer):
        if pointer.model_id == self.refuses:
            raise ConnectionError("no route")
        self.pointer = pointer

    async def read_back(self):
        return self.pointer

    async def withdraw(self):
        self.pointer = None


@pytest.mark.slow
def test_where_applications_can_not_be_told_name_and_pointer_go_back_together(
    first_live, models, monkeypatch
):
    from flows.release import publish_live

    monkeypatch.setattr(publish_live, "PAUSE_S", 0.0)
    place = BrokenPlace(models.second.model_id)
    monkeypatch.setattr(go_live, "publishers_of", lambda *_: (place,))
    _, outcome = go(first_live, models.second.model_id)
    assert outcome.state == "rolled_back"
    assert outcome.pointer.model_id == models.first.model_id
    assert first_live.standing() == {"router": models.first.model_id}
    assert place.pointer.model_id == models.first.model_id


@pytest.mark.slow
def test_a_model_that_can_not_be_created_leaves_the_old_one_and_says_why(
    first_live, models, emulator
):
    run_id = first_live.begin(models.second.model_id)
    assert asyncio.run(first_live.evaluate(run_id)) == "PASS"
    asyncio.run(steps.clean_up(first_live.settings, run_id))
    emulator.set(
        faults=[{"match": "PUT", "status": 400, "code": "DeploymentModelNotSupported", "times": 1}]
    )
    outcome = asyncio.run(go_live.go_live(first_live.settings, run_id))
    assert outcome.state == "failed"
    assert "DeploymentModelNotSupported" in outcome.detail
    assert "was put back and answers again" in outcome.detail
    still_first(first_live, models)


@pytest.mark.slow
def test_what_stands_under_the_name_and_is_not_ours_is_left_alone(account, models):
    account.made_by_hand("router", models.second.model_id)
    account.is_set_up(promotion={**account.target["promotion"], "strategy": "replace"})
    _, outcome = go(account, models.first.model_id)
    assert outcome.state == "failed"
    assert "is not ours to delete" in outcome.detail
    assert account.standing() == {"router": models.second.model_id}


@pytest.mark.slow
def test_a_model_put_under_the_name_past_us_is_not_deleted_by_a_promotion(first_live, models):
    run_id = first_live.begin(models.second.model_id)
    assert asyncio.run(first_live.evaluate(run_id)) == "PASS"
    asyncio.run(steps.clean_up(first_live.settings, run_id))
    first_live.arm("DELETE", "router")
    while first_live.standing():
        pass
    first_live.made_by_hand("router", models.checkpoints[0].id, gatewright="production")
    outcome = asyncio.run(go_live.go_live(first_live.settings, run_id))
    assert outcome.state == "failed"
    assert "'gatewright verify router' with --adopt or --put-back" in outcome.detail
    assert first_live.standing() == {"router": models.checkpoints[0].id}
    answer = first_live.command("verify", "router", "--put-back", "--reason", "not by us")
    assert answer.code == 0, answer.err + answer.out
    still_first(first_live, models)


@pytest.mark.slow
def test_a_rollback_puts_the_old_model_under_the_same_name(first_live, models):
    go(first_live, models.second.model_id)
    answer = first_live.command("rollback", "router", "--reason", "wrong answers")
    assert answer.code == 0, answer.err
    assert "router did not answer for" in answer.out
    assert first_live.standing() == {"router": models.first.model_id}
    assert first_live.live().deployment == "router"


@pytest.mark.slow
def test_a_first_release_that_fails_leaves_nothing_under_the_name(account, models, monkeypatch):
    async def failing(connection):
        return SmokeResult(asked=1, passed=False)

    account.is_set_up(promotion={**account.target["promotion"], "strategy": "replace"})
    monkeypatch.setattr(go_live, "_smoke", lambda run: failing)
    _, outcome = go(account, models.first.model_id)
    assert (outcome.state, outcome.pointer) == ("failed", None)
    assert account.standing() == {}


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"platform": "openai", "promotion": REPLACE}, {}, "there is no name to keep"),
        ({"promotion": REPLACE}, {"max_rise": "10%"}, "that model has been replaced by then"),
        ({"promotion": {"deployment": "mine"}}, {}, "expected only with 'strategy: replace'"),
    ],
)
def test_what_does_not_go_together_with_the_strategy_is_told(
    account, tmp_path, changes, check, words
):
    account.is_set_up(**changes)
    gate = tmp_path / "gates" / "router.yaml"
    policy = yaml.safe_load(gate.read_text())
    policy["checks"][1] |= check
    gate.write_text(yaml.safe_dump(policy))
    (problem,) = strategy_problems(load_target(tmp_path / "targets", "router"), load_policy(gate))
    assert words in problem.message
    assert (problem.field or "").startswith("promotion.")
