"""`gatewright sweep`: what is ours and not needed goes, what a rollback may need stays warm, others' is not touched."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from support.project import Project
from support.selections import begin_selection, settle_selection

from evals.sampling.response_store import ResponseStore
from flows.deployments.identity import deployment_name, own_tags, slot_name
from flows.evaluation import steps
from flows.evaluation.request import resolve
from flows.housekeeping import sweep_target
from flows.platforms.lifetimes import EXPIRES_TAG
from flows.registry.opening import open_registry

PAST = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")


def slot(account, run_id, model, expires=PAST, **tags):
    """A developer slot as a run leaves it when it is killed."""
    name = slot_name(account.run(run_id))
    ours = {"gatewright": "developer", EXPIRES_TAG: expires}
    account.made_by_hand(
        name, model, "DeveloperTier", **{**own_tags("router", run_id, "candidate"), **ours, **tags}
    )
    return name


def over(account, run_id, state="failed"):
    with account.registry() as registry:
        registry.set_run_state(run_id, state, "killed")


def swept(account, *options):
    answer = account.command("sweep", "router", "--json", *options)
    assert answer.code == 0, answer.err + answer.out
    (found,) = answer.json["targets"]
    return found


def test_the_slots_of_a_selection_are_in_use_until_it_has_chosen(tmp_path):
    settings = Project(tmp_path).settings
    with open_registry(settings) as registry:
        selection = begin_selection(registry, "m1", "m2")
        run = registry.run(selection)
        slots = {slot_name(run, place) for place in (0, 1)}
        assert len(slots) == 2
        assert slots <= sweep_target.in_use(settings, registry, "triage")
        settle_selection(registry, selection, 1)
        assert not slots & sweep_target.in_use(settings, registry, "triage")


@pytest.mark.slow
def test_an_expired_slot_of_a_run_that_is_over_goes_and_all_else_stays(account, models):
    done = account.begin(models.first.model_id)
    running = account.begin(models.second.model_id)
    old, used = (
        slot(account, done, models.first.model_id),
        slot(account, running, models.second.model_id),
    )
    over(account, done)
    account.made_by_hand("theirs", models.first.model_id, "DeveloperTier", **{EXPIRES_TAG: PAST})
    elsewhere = {"gatewright": "developer", **own_tags("other-target", done, "candidate")}
    account.made_by_hand("other-target", models.first.model_id, "DeveloperTier", **elsewhere)
    unknown = {**own_tags("router", "router-0000000000", "candidate"), EXPIRES_TAG: PAST}
    account.made_by_hand("other-registry", models.first.model_id, "DeveloperTier", **unknown)
    before = account.standing()
    would = swept(account, "--dry-run")
    assert [due["name"] for due in would["deleted"]] == [old]
    assert account.standing() == before
    assert [due["name"] for due in swept(account)["deleted"]] == [old]
    assert set(account.standing()) == set(before) - {old}
    assert used in account.standing()
    assert swept(account)["deleted"] == []


def test_a_slot_that_has_time_left_goes_when_its_run_has_been_over_for_a_while(
    account, models, monkeypatch
):
    later = (datetime.now(UTC) + timedelta(hours=20)).isoformat()
    run_id = account.begin(models.first.model_id)
    name = slot(account, run_id, models.first.model_id, expires=later)
    over(account, run_id)
    assert swept(account)["deleted"] == []
    monkeypatch.setattr(sweep_target, "_SETTLED_FOR", timedelta(0))
    assert [due["name"] for due in swept(account)["deleted"]] == [name]


def test_the_slot_of_a_run_that_was_killed_for_good_is_free_after_two_days(
    account, models, monkeypatch
):
    run_id = account.begin(models.first.model_id)
    name = slot(account, run_id, models.first.model_id)
    assert swept(account)["deleted"] == []
    monkeypatch.setattr(sweep_target, "_SILENT_FOR", timedelta(0))
    assert [due["name"] for due in swept(account)["deleted"]] == [name]


def test_what_evaluating_deploys_says_until_when_it_is_wanted(account, models):
    run_id = account.begin(models.first.model_id, kind="evaluation")
    asyncio.run(resolve(account.settings, run_id))
    name = asyncio.run(steps.deploy_candidate(account.settings, run_id))
    tags = account.arm("GET", name).json()["tags"]
    left = datetime.fromisoformat(tags[EXPIRES_TAG]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert (tags["gatewright-run"], tags["gatewright-target"]) == (run_id, "router")
    asyncio.run(steps.clean_up(account.settings, run_id))


@pytest.mark.slow
def test_a_previous_production_deployment_is_kept_warm_and_goes_when_its_time_is_up(
    account, emulator, models
):
    old = account.promoted(models.first.model_id).pointer.deployment
    new = account.promoted(models.second.model_id).pointer.deployment
    tags = account.arm("GET", new).json()["tags"]
    assert tags["gatewright-evidence"].startswith("sha256:")
    before = len(emulator.log)
    found = swept(account)
    assert (found["deleted"], set(found["kept_warm"])) == ([], {old, new})
    asked = [one for one in emulator.log[before:] if one.path.endswith("/chat/completions")]
    assert len(asked) == 2
    account.is_set_up(promotion={**account.target["promotion"], "keep_previous": "0s"})
    found = swept(account)
    assert [due["name"] for due in found["deleted"]] == [old]
    assert found["kept_warm"] == [new]
    assert account.standing() == {new: models.second.model_id}


@pytest.mark.slow
def test_where_the_target_says_so_a_rollback_target_is_paused_and_resumed_by_the_rollback(
    account, models
):
    account.is_set_up(promotion={**account.target["promotion"], "keep": "paused"})
    old = account.promoted(models.first.model_id).pointer.deployment
    new = account.promoted(models.second.model_id).pointer.deployment
    found = swept(account)
    assert (found["paused"], found["kept_warm"]) == ([old], [new])
    shown = account.arm("GET", old).json()
    assert shown["properties"]["deploymentState"] == "Paused"
    assert swept(account)["paused"] == []
    answer = account.command("rollback", "router", "--reason", "wrong answers")
    assert answer.code == 0, answer.err
    assert account.live().deployment == old
    assert account.arm("GET", old).json()["properties"]["deploymentState"] == "Running"


@pytest.mark.slow
def test_a_rollback_target_that_idled_away_is_deployed_again_and_a_live_one_is_told_of(
    account, emulator, models
):
    old = account.promoted(models.first.model_id).pointer.deployment
    new = account.promoted(models.second.model_id).pointer.deployment
    emulator.clock.advance(16 * 86400)
    assert account.standing() == {}
    answer = account.command("sweep", "router")
    assert answer.code == 4
    assert f"{new} is recorded as live for router, and is gone" in answer.out
    assert f"kept warm {old}" in answer.out
    assert account.standing() == {old: models.first.model_id}


def test_the_deployment_of_a_promotion_that_was_killed_and_refused_goes(account, models):
    run_id = account.begin(models.first.model_id)
    name = deployment_name("router", run_id)
    tags = {**own_tags("router", run_id, "production"), "gatewright": "production"}
    account.made_by_hand(name, models.first.model_id, **tags)
    assert swept(account)["deleted"] == []
    over(account, run_id)
    assert [due["name"] for due in swept(account)["deleted"]] == [name]


@pytest.mark.slow
def test_an_account_that_does_not_answer_is_told_and_the_next_target_is_swept(account, models):
    text = (account.folder / "targets" / "router.yaml").read_text()
    broken = text.replace("name: router", "name: away").replace(
        "account: embedded", "account: no-such"
    )
    (account.folder / "targets" / "away.yaml").write_text(broken)
    account.promoted(models.first.model_id)
    answer = account.command("sweep", "--json")
    away, router = answer.json["targets"]
    assert answer.code == 4
    assert "no-such" in away["problems"][0]
    assert len(router["kept_warm"]) == 1


def test_one_slot_that_can_not_be_deleted_does_not_stop_the_others(account, emulator, models):
    names = []
    for model in (models.first.model_id, models.second.model_id):
        run_id = account.begin(model)
        names.append(slot(account, run_id, model))
        over(account, run_id)
    fault = {"match": f"DELETE {ARM_PATH}/{names[0]}", "status": 403, "code": "AuthorizationFailed"}
    emulator.set(faults=[fault])
    answer = account.command("sweep", "router")
    assert answer.code == 4
    assert f"{names[0]} could not be deleted" in answer.out
    assert list(account.standing()) == [names[0]]


ARM_PATH = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/embedded"
    "/providers/Microsoft.CognitiveServices/accounts/embedded/deployments"
)


@pytest.mark.slow
def test_stored_answers_are_forgotten_when_no_target_would_reuse_them(account, models):
    account.promoted(models.first.model_id)
    kept = ResponseStore(account.settings.home / "responses")
    stored = kept.older_than(-60)
    assert stored > 0
    account.is_set_up(sampling={**account.target["sampling"], "reuse_baseline": "7d"})
    week = {"answers": 0, "older_than_s": 7 * 86400, "dry_run": False}
    assert account.command("sweep", "--json").json["answers"] == week
    with sqlite3.connect(account.settings.home / "responses" / "responses.sqlite") as database:
        database.execute("UPDATE response SET at = at - 8 * 86400")
    assert account.command("sweep", "router", "--json").json["answers"] is None
    told = account.command("sweep", "--dry-run").out
    assert f"would forget {stored} stored answers: older than the 7 days of reuse_baseline" in told
    assert kept.older_than(-60) == stored
    assert f"forgot {stored} stored answers" in account.command("sweep").out
    assert kept.older_than(-60) == 0
    kept.close()


@pytest.mark.slow
def test_answers_that_no_target_reuses_are_not_kept(account, models):
    account.promoted(models.first.model_id)
    answer = account.command("sweep").out
    assert "stored answers: no target reuses any" in answer
    assert account.command("sweep", "--json").json["answers"]["answers"] == 0


@pytest.mark.slow
def test_a_mistake_in_a_targets_account_is_told_with_its_file_and_the_rest_is_swept(
    account, models
):
    account.promoted(models.first.model_id)
    other = account.folder / "targets" / "other.yaml"
    text = (account.folder / "targets" / "router.yaml").read_text("utf-8")
    text = text.replace("name: router", "name: other").replace("  account: ", "  acount: ")
    other.write_text(text, "utf-8")
    answer = account.command("sweep")
    assert answer.code != 0
    assert f"{other}:" in answer.out
    assert "field 'azure_openai.acount': unknown key" in answer.out
    assert "kept warm router-" in answer.out


CONTRIBUTOR = "Cognitive Services OpenAI Contributor"


@pytest.mark.slow
def test_what_may_not_be_paused_is_kept_running_and_nothing_fails(
    account, emulator, models, monkeypatch
):
    account.is_set_up(promotion={**account.target["promotion"], "keep": "paused"})
    monkeypatch.setenv("GATEWRIGHT_ARM_TOKEN", emulator.token(roles={"*": CONTRIBUTOR}))
    old = account.promoted(models.first.model_id).pointer.deployment
    run_id = account.begin(models.second.model_id)
    new = asyncio.run(account.promote(run_id)).pointer.deployment
    notes = account.command("report", run_id, "--format", "markdown").out
    assert "deployments/pause/action" in notes, "the report of the run says what is kept running"
    assert "pausing: missing at" in notes
    assert "'Cognitive Services Contributor'" in notes

    checked = account.command("doctor", "router")
    assert "deployments/pause/action" in checked.out
    assert "'Cognitive Services Contributor'" in checked.out
    found = swept(account)
    assert (found["paused"], set(found["kept_warm"])) == ([], {old, new})
    assert f"{old} is kept running" in found["warnings"][0]
    assert not found["problems"]
    shown = account.command("sweep", "router")
    assert (shown.code, "! " in shown.out) == (0, True)

    back = account.command("rollback", "router", "--reason", "wrong answers")
    assert "it was still warm" in back.out


@pytest.mark.slow
def test_a_paused_rollback_target_that_may_not_be_resumed_is_deployed_anew(
    account, emulator, models, monkeypatch
):
    account.is_set_up(promotion={**account.target["promotion"], "keep": "paused"})
    old = account.promoted(models.first.model_id).pointer.deployment
    account.promoted(models.second.model_id)
    assert swept(account)["paused"] == [old]
    monkeypatch.setenv("GATEWRIGHT_ARM_TOKEN", emulator.token(roles={"*": CONTRIBUTOR}))
    back = account.command("rollback", "router", "--reason", "wrong answers")
    assert back.code == 0, back.err
    assert "it was deployed again" in back.out
    assert f"{old} stays paused, counts among the account's deployments" in back.out
    assert "the sweep deletes it once 'promotion.keep_previous' is over" in back.out
    assert "deployments/resume/action" in back.out
    assert account.live().model_id == models.first.model_id
    assert account.live().deployment != old
