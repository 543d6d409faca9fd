"""How all targets stand: every state has its line, its severity and its exit code, and none hides another."""

from __future__ import annotations

import asyncio
import io
import re
import socket
import sqlite3
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from support.ten_states import TenStates

from evals.errors import ConfigurationError
from evals.records import Endpoint
from flows.commands.views.status import status_renderable
from flows.config.connections import platform_of
from flows.config.target import load_target
from flows.monitoring.against_itself import AgainstItself
from flows.monitoring.status.ends import end_needs
from flows.monitoring.status.gather import gather_status, named_targets
from flows.monitoring.status.looking import _Look
from flows.monitoring.status.people import recorded_needs
from flows.monitoring.status.records import (
    ModelEnd,
    Need,
    StandingSlot,
    Status,
    TargetStatus,
    Tries,
)
from flows.platforms.model_names import short_name
from flows.registry.canaries import CanaryChange, CanaryLook, CanaryState
from flows.registry.records import AUTOMATION, Binding, NewPointer
from flows.registry.store import Registry


def looked(
    ten: TenStates, target: str | None = None, *, ask: bool = True, limit_s: float = 60.0
) -> Status:
    settings = ten.account.settings
    names = named_targets(settings, ten.registry, target)
    return asyncio.run(gather_status(settings, ten.registry, names, ask=ask, limit_s=limit_s))


def of(status: Status, name: str) -> TargetStatus:
    return next(one for one in status.targets if one.target == name)


def needs(status: Status, name: str) -> list[tuple[str, str]]:
    return [(need.kind, need.severity) for need in of(status, name).needs]


def need(status: Status, name: str, kind: str) -> Need:
    return next(one for one in of(status, name).needs if one.kind == kind)


def shown(status: Status, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(status_renderable(status))
    return out.getvalue()


def test_every_state_has_its_line_and_none_hides_another(ten: TenStates) -> None:
    ten.everything()
    found = looked(ten)
    assert {one.target: one.severity for one in found.targets} == {
        "away": "unseen",
        "broken": "misconfigured",
        "dead-run": "person",
        "deleted": "broken",
        "drifted": "notice",  # on record, and a look that compared all finds it over
        "expired": "person",
        "held": "person",
        "leftover": "person",
        "never-live": "well",
        "retiring": "person",
        "waits": "person",
        "well": "well",
        "worse": "broken",
    }
    assert (found.severity, found.exit_code) == ("broken", 1)
    assert needs(found, "deleted") == [("drift", "broken")]
    assert needs(found, "worse") == [("regression", "broken")]
    assert needs(found, "held") == [("hold", "person")]
    assert needs(found, "dead-run") == [("dead_run", "person")]
    assert need(found, "dead-run", "dead_run").command == "gatewright resume dead-run-promotion-0"
    assert {kind for kind, _ in needs(found, "leftover")} == {"leftover_slot", "failed_run"}
    assert "nobody answered" in need(found, "expired", "approval").message
    waits = need(found, "waits", "approval")
    assert "22 h are left" in waits.message or "23 h are left" in waits.message
    assert waits.command == "gatewright approve waits-promotion-0 --reason '…'"
    retiring = need(found, "retiring", "retirement")
    assert (retiring.days, retiring.command) == (20, "gatewright freeze retiring")
    assert of(found, "away").live is not None, "what is on record is told all the same"
    well = of(found, "well")
    assert well.regression is not None
    assert well.regression.outcome == "PASS"
    assert [slot.role for slot in well.slots] == ["live"]
    assert well.usd_per_hour == 1.7
    for width in (80, 200):
        lines = shown(found, width).splitlines()
        assert max(map(len, lines)) <= width
        assert "\x1b" not in shown(found, width)
        for name in ("never-live", "retiring", "broken", "away"):
            assert re.search(rf"^. +{name} ", shown(found, width), re.MULTILINE), name
    assert len([line for line in shown(found, 200).splitlines() if " well " in line]) == 1

    offline = looked(ten, ask=False)
    assert of(offline, "away").severity == "well"
    assert needs(offline, "drifted")[0] == ("drift", "broken")
    assert of(offline, "well").usd_per_hour is None
    assert msgspec.json.decode(msgspec.json.encode(offline), type=Status) == offline


def test_a_name_that_is_no_target_is_answered_with_the_nearest(ten: TenStates) -> None:
    ten.written("billing")
    with pytest.raises(ConfigurationError, match="did you mean 'billing'"):
        looked(ten, "biling")


@pytest.mark.parametrize(
    ("state", "code"),
    [("well", 0), ("held", 2), ("away", 4), ("broken", 3), ("worse", 1)],
)
def test_the_exit_code_says_what_is_worst(ten: TenStates, state: str, code: int) -> None:
    if state == "away":
        ten.written(
            "away",
            azure_openai={"endpoint": "http://127.0.0.1:9", "arm_endpoint": "http://127.0.0.1:9"},
        )
        ten.pointed("away", "away-production")
    elif state == "broken":
        (ten.account.folder / "targets" / "broken.yaml").write_text("version: 1\nname: broken\n")
    else:
        ten.live(state)
    if state == "held":
        ten.registry.hold("held", actor="bo", reason="incident")
    if state == "worse":
        ten.run("worse", "regression", "judged", outcome="FAIL")
    answer = ten.account.command("status", "--json")
    assert answer.code == code, answer.err + answer.out
    assert answer.json["exit_code"] == code


def test_where_there_is_no_target_it_says_how_to_make_one(ten: TenStates) -> None:
    answer = ten.account.command("status")
    assert answer.code == 0
    assert "no target yet" in answer.out
    assert ten.account.command("status", "nobody").code == 3


def test_the_word_of_the_last_regression_run_of_what_is_live_decides(ten: TenStates) -> None:
    ten.live("triage")
    for word, severity in (
        ("steady", "well"),
        ("cannot_tell", "notice"),
        ("changed", "person"),
        ("worse", "broken"),
    ):
        run_id = ten.regressed("triage", word)  # type: ignore[arg-type]
        ten.clock.pass_(days=7)
        found = of(looked(ten), "triage")
        assert (found.severity, found.regression and found.regression.outcome) == (severity, word)
        if word == "changed":
            assert found.needs[0].message.count("fp_2 was not seen before") == 1
            assert found.needs[0].command == f"gatewright report {run_id}"
    # What another model came to, after a rollback say, says nothing of what is live.
    ten.regressed("triage", "steady", model=ten.other)
    assert of(looked(ten), "triage").severity == "broken"
    ten.registry.revoke("triage", ten.model, actor="bo", reason="leaks", run_id=run_id)
    kinds = {(one.kind, one.severity) for one in of(looked(ten), "triage").needs}
    assert {("revoked", "broken"), ("regression", "broken"), ("hold", "person")} <= kinds


def test_a_model_that_is_frozen_is_not_to_be_frozen_again(ten: TenStates) -> None:
    day = (ten.clock.time.date() + timedelta(days=100)).isoformat()
    dates = {"fine_tunes_end": day, "training_ends": "2026-01-01"}
    ten.live("triage", azure_openai={"lifetimes": {"gpt-4.1-mini-2025-04-14": dates}})
    before = need(looked(ten), "triage", "retirement")
    assert (before.severity, before.command) == ("notice", "gatewright freeze triage")
    assert f"freeze before {day}" in before.message
    ten.frozen("triage")
    found = looked(ten)
    after = need(found, "triage", "retirement")
    assert (after.command, "freeze" in after.message) == ("", False)
    frozen = of(found, "triage").frozen
    assert frozen is not None
    assert frozen["repeats"] == 3
    assert f"{day} (100 d), frozen" in shown(found, 200)
    ten.clock.pass_(days=100)
    ended = need(looked(ten), "triage", "retirement")
    assert (ended.severity, ended.days) == ("broken", 0)


def test_a_failed_run_is_forgotten_once_a_later_one_of_its_kind_went_well(ten: TenStates) -> None:
    ten.live("triage")
    ten.run("triage", "promotion", "failed", detail="quota")
    ten.clock.pass_(hours=1)
    failed = need(looked(ten), "triage", "failed_run")
    assert failed.command == "gatewright resume triage-promotion-0"
    ten.regressed("triage", "steady")
    assert need(looked(ten), "triage", "failed_run") == failed, "another kind makes up for nothing"
    ten.run("triage", "promotion", "refused", outcome="FAIL")
    assert of(looked(ten), "triage").severity == "well"


def test_an_override_that_lacks_a_second_person_says_until_when_it_counts(ten: TenStates) -> None:
    ten.live("triage")
    run_id = ten.run("triage", "promotion", "refused", outcome="FAIL")
    verdict = ten.registry.verdict(run_id)
    assert verdict is not None
    ten.registry.answer(
        run_id,
        slot="developer",
        decision="override",
        actor="bo",
        reason="needed today",
        binding=Binding.of(verdict),
    )
    ten.clock.pass_(days=1)
    found = need(looked(ten), "triage", "override")
    assert "has 1 of 2 overrides (bo)" in found.message
    assert found.command == f"gatewright override {run_id} --reason '…'"
    assert found.until is not None
    left = datetime.fromisoformat(found.until) - ten.clock.time
    assert timedelta(days=5, hours=23) < left <= timedelta(days=6)
    ten.clock.pass_(days=7)
    assert of(looked(ten), "triage").severity == "well", "it counts no more"


def test_a_canary_that_found_a_change_asks_for_a_person_until_it_is_answered(
    ten: TenStates,
) -> None:
    ten.live("triage", canary={"budget_usd": 5})
    assert of(looked(ten), "triage").canary is not None
    change = CanaryChange(
        at=ten.registry.now(), said="3 of 5 cases are answered otherwise", answers=True
    )
    look = CanaryLook(at=ten.registry.now(), outcome="changed", said=change.said)
    state = CanaryState(
        target="triage",
        model_id=ten.model,
        generation=1,
        change=change,
        last=look,
        month=ten.registry.now()[:7],
        month_calls=12,
        month_usd=0.25,
    )
    ten.registry.keep_canary(state)
    found = looked(ten)
    canary = need(found, "triage", "canary")
    assert (canary.severity, canary.command) == ("person", "gatewright regress triage")
    assert "no regression run looks into it" in canary.message
    assert "changed, $0.25 this month" in shown(found, 200)
    for more, severity, command in (
        ({"flow_run": "f"}, "notice", "gatewright runs"),
        ({"run_id": "r"}, "notice", "gatewright report r"),
        ({"flow_run": "f", "problem": "no server"}, "person", "gatewright regress triage"),
        ({"regressed": "steady", "run_id": "r"}, "notice", "gatewright report r"),
        (
            {"regressed": "cannot_tell", "run_id": "r"},
            "person",
            "gatewright canary triage --choose-anew",
        ),
    ):
        now = msgspec.structs.replace(change, **more)
        ten.registry.keep_canary(msgspec.structs.replace(state, change=now))
        canary = need(looked(ten), "triage", "canary")
        assert (canary.severity, canary.command) == (severity, command), more
    assert "regression run r says 'can't tell'" in canary.message


def test_a_rollback_that_a_regression_run_made_is_told_of_until_a_person_deals_with_it(
    ten: TenStates,
) -> None:
    ten.live("triage")
    ten.pointed("triage", "triage-production", model=ten.other)
    run_id = ten.regressed("triage", "worse", model=ten.other)
    endpoint = Endpoint(base_url="http://127.0.0.1:1/v1", model=ten.model, model_id=ten.model)
    ten.registry.switch(
        NewPointer(target="triage", model_id=ten.model, platform="azure_openai", endpoint=endpoint),
        expected_generation=2,
        actor=AUTOMATION,
        reason="worse",
        kind="rollback",
        hold=True,
    )
    outcome = ten.registry.regression_outcome(run_id)
    assert outcome is not None
    ten.registry.save_regression_outcome(
        msgspec.structs.replace(outcome, at="", rolled_back_to=ten.model)
    )
    told = need(looked(ten, ask=False), "triage", "rolled_back")
    assert (told.severity, told.command) == ("person", f"gatewright report {run_id}")
    assert f"because regression run {run_id} found {short_name(ten.other)} worse" in told.message
    assert "rolled back from" in told.message
    ten.registry.release("triage", actor="bo", reason="seen")
    assert "rolled_back" not in dict(needs(looked(ten, ask=False), "triage"))


def test_a_worse_model_names_the_way_back_where_there_is_one(ten: TenStates) -> None:
    ten.live("triage")
    run_id = ten.regressed("triage", "worse")
    worse = need(looked(ten, ask=False), "triage", "regression")
    assert (worse.command, worse.way_back) == (f"gatewright report {run_id}", "")
    ten.pointed("triage", "triage-production", model=ten.other)
    ten.regressed("triage", "worse", model=ten.other)
    found = looked(ten, ask=False)
    assert need(found, "triage", "regression").way_back == "gatewright rollback triage --reason '…'"
    assert "\n    gatewright rollback triage" in shown(found, 200)


def test_a_live_model_that_is_retired_and_answers_no_more_is_broken(tmp_path: Path) -> None:
    end = ModelEnd(
        model_id="m1",
        name="v1",
        role="live",
        base_model="gpt-4.1-mini",
        answers_until=date(2027, 4, 14),
        trains_until=None,
        state="retired",
        asked=True,
    )
    at = "2026-11-28T12:00:00.000000Z"
    with Registry.open(f"sqlite:///{tmp_path}/registry.db") as registry:

        def said(end: ModelEnd, *, frozen: bool) -> list[Need]:
            return list(end_needs(registry, "triage", (end,), at, to_freeze=False, frozen=frozen))

        stands = said(end, frozen=False)
        assert [(one.kind, one.severity) for one in stands] == [
            ("model_gone", "notice"),
            ("retirement", "notice"),
        ]
        assert "though it still answers" in stands[0].message
        refuses = msgspec.structs.replace(end, refuses="410 model_retired")
        (gone,) = said(refuses, frozen=True)
        assert (gone.severity, gone.command) == (
            "broken",
            "gatewright promote triage … --against frozen",
        )
        assert "answers no more (410 model_retired)" in gone.message
        (unfrozen,) = said(refuses, frozen=False)
        assert unfrozen.command == "gatewright promote triage …"


def test_after_a_failed_regression_run_of_a_model_that_answers_no_more_none_is_offered(
    ten: TenStates,
) -> None:
    ten.live("triage")
    ten.run("triage", "regression", "failed", detail="410")
    live = ten.registry.live("triage")
    settings = ten.account.settings
    for refuses, command in (
        (False, "gatewright regress triage"),
        (True, "gatewright report triage-regression-0"),
    ):
        (one,) = recorded_needs(settings, ten.registry, "triage", live, refuses=refuses)
        assert (one.kind, one.command) == ("failed_run", command)


def test_a_service_that_takes_the_question_and_never_answers_is_given_up(ten: TenStates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        ten.written("hangs", azure_openai={"endpoint": url, "arm_endpoint": url})
        ten.pointed("hangs", "hangs-production")
        found = looked(ten, "hangs", limit_s=0.5)
    assert of(found, "hangs").severity == "unseen"
    assert need(found, "hangs", "platform").message == "no answer within 0.5 s"
    assert of(found, "hangs").ends[0].asked is False, "what is published is known all the same"
    assert "?" in shown(found, 200)


def test_the_limit_of_time_is_that_of_a_target_and_not_of_each_look(ten: TenStates) -> None:
    """A look that begins when the time is up, since another one took it, is given up at once."""
    ten.live("triage")
    target = load_target(ten.account.settings.targets, "triage")

    async def look() -> tuple[Need, ...]:
        one = _Look(ten.account.settings, ten.registry, target, platform_of(target), -1.0)
        return (await one.all()).problems

    assert {each.message for each in asyncio.run(look())} == {"no answer within -1 s"}


def test_a_target_whose_file_is_gone_is_told_of_while_something_is_live(ten: TenStates) -> None:
    path = ten.account.folder / "targets" / "old.yaml"
    ten.live("old", stands=False)
    path.unlink()
    assert need(looked(ten), "old", "target_file").severity == "misconfigured"
    ten.registry.withdraw("old", expected_generation=1, actor="ana", reason="given up")
    assert of(looked(ten), "old").severity == "well"


def test_a_gate_or_a_suite_that_is_missing_is_somebodys_to_put_right(ten: TenStates) -> None:
    ten.written("no-gate", gate="rooter")
    ten.written("no-suite", suites=["routing", "ruting"])
    found = looked(ten, ask=False)
    gate, suite = (
        need(found, "no-gate", "target_file"),
        need(found, "no-suite", "target_file"),
    )
    assert "there is no gate 'rooter'" in gate.message
    assert "there is no suite 'ruting'" in suite.message
    assert (gate.severity, gate.command) == ("misconfigured", "gatewright doctor no-gate")
    assert found.exit_code == 3


def test_one_target_alone_shows_its_slots_and_the_live_model_against_itself() -> None:
    itself = AgainstItself(
        suite="triage",
        column="exact_match",
        pairs=12,
        within_runs=0,
        between_runs=12,
        answers=4800,
        difference=0.01,
        lower=-0.04,
        upper=0.06,
        confidence=0.95,
        enough=False,
        enough_pairs=20,
        says="too_few",
        enough_on=date(2027, 2, 20),
    )
    slot = StandingSlot(
        name="triage-old",
        model_id="m1",
        role="previous",
        state="paused",
        sku="GlobalStandard",
        run_id="r1",
        created_at=None,
        ends_at=None,
        usd_per_hour=1.7,
    )
    tries = Tries(candidates=2, allowed=4, window_s=90 * 86400, newest="v3", newest_try=2)
    one = TargetStatus(
        target="triage",
        severity="well",
        platform="embedded",
        looked=True,
        tries=tries,
        slots=(slot,),
        usd_per_hour=1.7,
        against_itself=(itself,),
    )
    at = "2026-11-28T12:00:00.000000Z"
    status = Status(at=at, severity="well", exit_code=0, looked=True, targets=(one,))
    page = " ".join(shown(status, 200).split())
    assert "2/4, try 2" in page
    assert "previous: triage-old (GlobalStandard), paused, $1.70 an hour" in page
    assert (
        "A/A: 12 of 20 pairs of passes so far; nothing claimed before 20, about 2027-02-20 at this pace"
        in page
    )


def test_a_record_that_can_not_be_read_is_the_trouble_of_its_target_alone(ten: TenStates) -> None:
    ten.live("well")
    ten.live("odd")
    ten.run("odd", "promotion", "refused", outcome="FAIL")
    path = ten.account.settings.registry_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE runs SET record = '{}' WHERE target = 'odd'")
    found = looked(ten)
    assert {one.target: one.severity for one in found.targets} == {"odd": "unseen", "well": "well"}
    assert "can't read" in of(found, "odd").needs[0].message
