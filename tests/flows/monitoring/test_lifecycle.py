"""What draws near is told in time, each thing once, and never forgotten by a process that is killed."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from support.ten_states import TenStates

from flows.monitoring.lifecycle import LifecycleWarning, new_warnings, record_warning

BASE = "gpt-4.1-mini-2025-04-14"


def told(ten: TenStates, target: str | None = None) -> list[LifecycleWarning]:
    """What one run of the sweep tells, and puts on record."""
    settings = ten.account.settings
    found = asyncio.run(new_warnings(settings, target, registry=ten.registry))
    for one in found:
        assert record_warning(settings, one, registry=ten.registry)
    return list(found)


def ends(ten: TenStates, name: str, day: date) -> None:
    """The target states on which day its fine-tunes end."""
    ten.written(
        name,
        azure_openai={
            "lifetimes": {BASE: {"fine_tunes_end": day.isoformat(), "training_ends": "2026-01-01"}}
        },
    )


def thresholds(found: list[LifecycleWarning]) -> list[tuple[str, int | None]]:
    return [(one.kind, one.threshold) for one in found]


def test_a_last_day_is_warned_of_at_180_90_and_30_days_once_each(ten: TenStates) -> None:
    day = ten.clock.time.date() + timedelta(days=200)
    ten.live("triage")
    ends(ten, "triage", day)
    assert thresholds(told(ten)) == [("training_ends", 0)]
    assert told(ten) == []
    for days, threshold in (
        (180, 180),
        (91, None),
        (90, 90),
        (31, None),
        (30, 30),
        (1, None),
        (0, 0),
    ):
        ten.clock.pass_(days=(day - ten.clock.time.date()).days - days)
        found = told(ten)
        assert thresholds(found) == ([] if threshold is None else [("retirement", threshold)])
        if days in (180, 90, 30):
            assert f"stops answering on {day}" in found[0].message
            assert f"freeze before {day}" in found[0].message
            assert found[0].command == "gatewright freeze triage"
        assert told(ten) == [], "the same day again"
    kinds = [event.kind for event in ten.registry.history("triage")]
    assert kinds.count("warned") == 5
    assert ten.registry.verify() == ()


def test_who_looks_for_the_first_time_late_is_told_of_the_nearest_alone(ten: TenStates) -> None:
    ten.live("triage")
    ends(ten, "triage", ten.clock.time.date() + timedelta(days=20))
    assert ("retirement", 30) in thresholds(told(ten))
    assert told(ten) == []


def test_a_day_that_is_put_off_is_news_when_it_draws_near_again(ten: TenStates) -> None:
    ten.live("triage")
    day = ten.clock.time.date() + timedelta(days=20)
    ends(ten, "triage", day)
    told(ten)
    ends(ten, "triage", day + timedelta(days=5))
    assert told(ten) == [], "another source has it five days later: the same day"
    ends(ten, "triage", day + timedelta(days=140))
    assert thresholds(told(ten)) == [("retirement", 180)]


def test_a_process_killed_before_the_record_tells_again(ten: TenStates) -> None:
    ten.live("triage")
    ends(ten, "triage", ten.clock.time.date() + timedelta(days=20))
    settings = ten.account.settings
    first = asyncio.run(new_warnings(settings, registry=ten.registry))
    assert asyncio.run(new_warnings(settings, registry=ten.registry)) == first
    assert record_warning(settings, first[0], registry=ten.registry)
    assert not record_warning(settings, first[0], registry=ten.registry), "two at once"


def test_a_question_about_to_expire_is_told_of_once_more(ten: TenStates) -> None:
    ten.live("triage")
    run_id = ten.run("triage", "promotion", "waiting", outcome="INCONCLUSIVE")
    ten.clock.pass_(hours=17)
    assert told(ten) == []
    ten.clock.pass_(hours=2)
    (found,) = told(ten)
    assert (found.kind, found.run_id) == ("approval", run_id)
    assert "5 h are left" in found.message
    ten.clock.pass_(hours=2)
    assert told(ten) == []


def test_one_target_in_trouble_hinders_no_warning_of_another(ten: TenStates) -> None:
    (ten.account.folder / "targets" / "broken.yaml").write_text("version: 1\nname: broken\n")
    ten.written("away", platform="openai", openai={"base_url": "http://127.0.0.1:9/v1"})
    ten.pointed("away", None, "openai")
    ten.live("triage")
    slot = ten.leftover("triage")
    ten.clock.pass_(hours=1)
    (found,) = told(ten)
    assert found.kind == "leftover_slot"
    assert slot in found.message
    assert "it costs nothing by the hour" in found.message
    assert told(ten) == []


def test_a_model_that_the_platform_knows_no_more_is_told_of(ten: TenStates) -> None:
    ten.live("triage")
    assert told(ten) == []
    ten.pointed("triage", "triage-production", model=ten.model.replace("ft-", "ft-0"))
    found = told(ten)
    assert [one.kind for one in found] == ["model_gone"]
    assert "its deployment could not be made again" in found[0].message
    assert told(ten) == []


def test_a_model_that_is_gone_is_told_of_again_once_it_answers_no_more(ten: TenStates) -> None:
    ten.live("triage")
    unknown = ten.model.replace("ft-", "ft-0")
    ten.pointed("triage", "triage-production", model=unknown)
    assert [one.kind for one in told(ten)] == ["model_gone"]
    ten.pointed("triage", "nowhere", model=unknown)
    (found,) = told(ten)
    assert "answers no more (404 DeploymentNotFound)" in found.message
    assert found.command == "gatewright promote triage …"
    assert told(ten) == []
