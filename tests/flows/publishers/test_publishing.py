"""The table of publishers, and publishing to all places at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.errors import ConfigurationError, PublishError
from flows.publishers.publish import publish_everywhere, withdraw_everywhere
from flows.publishers.table import PUBLISHERS, build_publishers


def build(*entries):
    return build_publishers(entries, target="triage", root=Path("root"), where="triage.yaml")


def test_publishers_are_made_from_the_list_of_a_target():
    made = build(
        {"file": {"path": "live/x.json"}},
        {"prefect_variable": {"name": "x"}},
        {"webhook": {"url": "https://acme.example/live"}},
    )
    assert [publisher.name for publisher in made] == [
        "file live/x.json",
        "prefect_variable x",
        "webhook acme.example/live",
    ]
    assert build() == ()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"fiel": {"path": "x"}}, "did you mean 'file'"),
        ({"carrier_pigeon": {}}, "valid: azure_app_configuration, file"),
        ({"file": {"pth": "x"}}, "did you mean 'path'"),
        ({"file": {}}, "required field `path`"),
        ({"file": None}, "required field `path`"),
        ({"file": {"path": 3}}, "Expected `str`"),
        ({"file": "live/x.json"}, "publish"),
        ({"file": {"path": "x", "format": "toml"}}, "Invalid enum"),
        ({"webhook": {"url": "http://example.test"}}, "https"),
        ({}, "expected one publisher"),
        ("file", "expected one publisher"),
        ({"file": {"path": "x"}, "webhook": {}}, "expected one publisher"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(entry, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        build({"file": {"path": "ok.json"}}, entry)
    assert str(caught.value).startswith("triage.yaml: field 'publish[1]")


def test_all_problems_come_at_once():
    with pytest.raises(ConfigurationError) as caught:
        build({"fiel": {}}, {"file": {"pth": "x", "fromat": "json"}})
    assert len(caught.value.problems) == 3


def test_every_publisher_of_the_table_documents_its_options():
    for kind in PUBLISHERS.values():
        assert kind.options.__doc__
        assert kind.make.__doc__


class Place:
    reads_back = True

    def __init__(self, name, failures=0, deaf=False):
        self.name = name
        self.failures = failures
        self.deaf = deaf
        self.pointer = None
        self.tries = 0

    async def publish(self, pointer):
        self.tries += 1
        if self.tries <= self.failures:
            raise PublishError(f"{self.name} is busy")
        self.pointer = None if self.deaf else pointer

    async def read_back(self):
        return self.pointer

    async def withdraw(self):
        self.pointer = None


async def test_a_place_that_fails_at_first_is_tried_again(pointer):
    places = [Place("a"), Place("b", failures=2)]
    published = await publish_everywhere(places, pointer, pause_s=0)
    assert [found.attempts for found in published] == [1, 3]
    assert all(found.problem is None and found.lag_s > 0 for found in published)
    assert published[1].words == f"published {published[1].lag_s:.2f} s after the switch, at try 3"


async def test_a_place_that_keeps_failing_does_not_keep_the_others_from_being_told(pointer):
    broken, fine = Place("broken", failures=9), Place("fine")
    published = await publish_everywhere([broken, fine], pointer, pause_s=0)
    assert published[0].problem == "broken is busy"
    assert published[0].lag_s is None
    assert fine.pointer == pointer


async def test_a_place_that_says_yes_and_does_nothing_is_found_out(pointer):
    (published,) = await publish_everywhere([Place("deaf", deaf=True)], pointer, pause_s=0)
    assert "reads back nothing, not ft:gpt-4.1-mini:acme::abc (generation 3)" in published.problem


async def test_withdrawing_is_looked_at_too(pointer):
    class Sticky(Place):
        async def withdraw(self):
            """Keeps what it has."""

    gone, sticky = Place("gone"), Sticky("sticky")
    await publish_everywhere([gone, sticky], pointer)
    published = await withdraw_everywhere([gone, sticky], pause_s=0)
    assert published[0].problem is None
    assert "sticky reads back" in published[1].problem
