"""Freezing is advised while a live fine-tune has an end and no frozen answers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from support.project import Project
from support.promoted import TARGET, Place

from flows.config.target import Target, load_target
from flows.freezing.advice import freeze_advice
from flows.registry.opening import open_registry
from flows.registry.store import Registry

END = date(2027, 10, 14)


def advice(place: Place, today: date, ends: date | None = None) -> tuple[str, str, str] | None:
    with open_registry(place.settings) as registry:
        found = freeze_advice(registry, load_target(place.targets, TARGET), today=today, ends=ends)
    return found and (found.level, found.message, found.fix)


@pytest.mark.slow
def test_it_says_by_which_day_and_with_which_command(place: Place) -> None:
    early = advice(place, date(2027, 1, 1))
    assert early is not None
    assert (early[0], early[2]) == ("ok", "gatewright freeze teams")
    assert "freeze before 2027-10-14" in early[1]
    for today, level in ((date(2027, 5, 1), "warn"), (date(2027, 10, 13), "warn"), (END, "fail")):
        found = advice(place, today)
        assert found is not None and found[0] == level
    told = advice(place, date(2027, 1, 1), ends=date(2027, 1, 14))
    assert told is not None and "freeze before 2027-01-14, in 13 days" in told[1]
    checked = place.run("doctor", TARGET, "--no-ask")
    assert checked in (0, 3)


@pytest.mark.slow
def test_nothing_is_said_of_what_is_frozen(place: Place) -> None:
    assert place.run("freeze", TARGET, "--repeats", "1") == 0
    assert advice(place, date(2027, 10, 13)) is None


def test_nothing_is_said_where_nothing_is_live(tmp_path: Path, project: Project) -> None:
    target: Target = load_target(project.targets, "support-triage")
    with Registry.open(f"sqlite:///{tmp_path / 'registry.db'}") as registry:
        assert freeze_advice(registry, target, today=END) is None
