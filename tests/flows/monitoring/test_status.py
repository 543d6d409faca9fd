"""How all targets stand: every state has its line, its severity and its exit code, and none hides another."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from rich.console import Console
from support.clock import Clock
from support.ten_states import TenStates

from evals.errors import ConfigurationError
from flows.commands.views.status import status_renderable
from flows.monitoring.status.gather import gather_status, named_targets
from flows.monitoring.status.records import Need, Status, TargetStatus
from flows.registry.store import Registry


@pytest.fixture
def ten(account: Any, models: Any, clock: Clock) -> Iterator[TenStates]:
    clock.time = datetime.now(UTC)  # the account's deployments are dated by the machine's clock
    (account.folder / "targets" / "router.yaml").unlink()
    account.settings.home.mkdir(exist_ok=True)
    with Registry.open(account.settings.registry_url, now=clock) as registry:
        yield TenStates(account, models, registry, clock)


def looked(ten: TenStates, target: str | None = None, **options: Any) -> Status:
    settings = ten.account.settings
    names = named_targets(settings, ten.registry, target)
    return asyncio.run(gather_status(settings, ten.registry, names, **options))


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
