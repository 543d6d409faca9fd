"""Moving a registry: everything arrives, the chain holds on the other side, and nothing is moved over something else."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from support.registry import Story
from support.verdicts import stored_verdict

from evals.errors import RefusedError
from flows.registry.database.migrate import move
from flows.registry.database.schema import metadata
from flows.registry.records import Binding
from flows.registry.store import Registry


@pytest.fixture
def source(tmp_path: Any) -> Any:
    with Registry.open(f"sqlite:///{tmp_path}/old.db") as opened:
        yield opened


@pytest.fixture
def eventful(source: Any) -> Registry:
    """A registry in which something of every kind has happened."""
    story = Story(source)
    story.promote("r1", "v1")
    story.promote("r2", "v2")
    story.judged("r3", "v3", stored_verdict("v3", "v2", "INCONCLUSIVE"))
    source.answer(
        "r3", "approve", actor="ana", reason="fine", binding=Binding.of(source.verdict("r3"))
    )
    source.record_step("r3", "deploying", "begun", {"deployment": "d"})
    source.hold("triage", actor="ana", reason="incident")
    source.revoke("triage", "v1", actor="ana", reason="leaks")
    source.save_statement("r2", {"payload": "x"})
    source.inbox_put("m1", {"kind": "job"})
    return source


def rows(registry: Registry) -> dict[str, list[tuple[Any, ...]]]:
    with registry.database.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name != "schema_migrations"
        }


def test_everything_arrives_and_the_chain_holds(eventful, url):
    before = rows(eventful)
    with Registry.open(url) as goal:
        copied = move(eventful, goal)
        assert rows(goal) == before
        assert goal.verify() == ()
        assert goal.chain_head() == eventful.chain_head()
        assert copied["events"] == eventful.chain_head()[0]


def test_what_was_moved_goes_on_where_it_was(eventful, url):
    with Registry.open(url) as goal:
        move(eventful, goal)
        goal.release("triage", actor="ana", reason="over")
        assert goal.barred("triage", "v1") is not None
        Story(goal).promote("r4", "v4")
        assert (goal.live("triage").model_id, goal.live("triage").generation) == ("v4", 3)
        assert goal.previous("triage").model_id == "v2"
        assert goal.verify() == ()
        with pytest.raises(Exception, match="append-only"), goal.database.write() as writer:
            writer.connection.execute(text("DELETE FROM events"))


def test_a_registry_that_holds_something_is_not_overwritten(eventful, url):
    with Registry.open(url) as goal:
        goal.hold("triage", actor="ben", reason="mine")
        before = rows(goal)
        with pytest.raises(RefusedError, match="holds something already"):
            move(eventful, goal)
        assert rows(goal) == before


def test_a_registry_that_is_not_intact_is_not_moved(eventful, url, tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE verdicts SET record = replace(record, 'PASS', 'FAIL')"))
    engine.dispose()
    with Registry.open(url) as goal:
        with pytest.raises(RefusedError, match="not intact"):
            move(eventful, goal)
        assert goal.chain_head()[0] == 0


def test_moving_onto_itself_is_refused_at_once(eventful, tmp_path):
    with (
        Registry.open(f"sqlite:///{tmp_path}/old.db") as same,
        pytest.raises(RefusedError, match="holds something already"),
    ):
        move(eventful, same)
