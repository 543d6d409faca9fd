"""Altering or removing what happened is found, whoever did it and wherever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError
from support.verdicts import stored_verdict

from evals.errors import RegistryError
from flows.registry.records import Binding
from flows.registry.store import Registry


@pytest.fixture
def eventful(registry, story):
    """A registry in which something of everything happened."""
    story.promote("r1", "m1")
    verdict = story.judged("r2", "m2", stored_verdict("m2", "m1", "INCONCLUSIVE"))
    registry.answer("r2", "approve", actor="ana", reason="fine", binding=Binding.of(verdict))
    registry.save_statement("r1", {"payload": "x"})
    registry.record_step("r1", "deploying", "begun", {"deployment": "prod"})
    registry.hold("triage", actor="ana", reason="incident")
    registry.hold("other", actor="ana", reason="incident")
    registry.release("other", actor="ben", reason="over")
    assert registry.verify() == ()
    return registry


TAMPERINGS = {
    "an event's reason": "UPDATE events SET reason = 'nothing to see' WHERE seq = 2",
    "an event's actor": "UPDATE events SET actor = 'somebody else' WHERE kind = 'promotion'",
    "an event's time": "UPDATE events SET at = '2020-01-01T00:00:00.000000Z' WHERE seq = 3",
    "an event removed": "DELETE FROM events WHERE seq = 3",
    "the first event removed": "DELETE FROM events WHERE seq = 1",
    "the last event removed": "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)",
    "events removed and the head moved": "UPDATE chain_head SET seq = seq - 1",
    "the head's hash": "UPDATE chain_head SET hash = 'abc'",
    "a pointer's model": "UPDATE pointers SET model_id = 'mine'",
    "a pointer's text": "UPDATE pointers SET pointer = replace(pointer, 'm1', 'mine')",
    "a pointer removed": "DELETE FROM pointers",
    "a pointer slipped in": "INSERT INTO pointers (target, generation, kind, model_id, since, seq)"
    " VALUES ('triage', 9, 'promotion', 'mine', 'now', 999)",
    "a pointer resting on another event": "INSERT INTO pointers (target, generation, kind, model_id,"
    " since, seq) VALUES ('triage', 9, 'promotion', 'mine', 'now', 1)",
    "a verdict": "UPDATE verdicts SET record = replace(record, 'INCONCLUSIVE', 'PASS')",
    "a verdict's columns": "UPDATE verdicts SET outcome = 'PASS', digest = 'sha256:x'",
    "a verdict that can't be read": "UPDATE verdicts SET record = 'no JSON'",
    "a run that can't be read": "UPDATE runs SET record = '{}'",
    "a verdict removed": "DELETE FROM verdicts",
    "an answer": "UPDATE answers SET record = replace(record, 'ana', 'eve')",
    "an answer removed": "DELETE FROM answers",
    "who asked for a run": "UPDATE runs SET record = replace(record, 'automation', 'somebody')",
    "a run's state": "UPDATE runs SET state = 'promoted'",
    "a run removed": "DELETE FROM runs WHERE run_id = 'r1'",
    "a step": "UPDATE steps SET phase = 'failed'",
    "a step's detail": "UPDATE steps SET detail = replace(detail, 'prod', 'other')",
    "a step removed": "DELETE FROM steps",
    "a statement": "UPDATE statements SET envelope = replace(envelope, 'x', 'y')",
    "who holds": "UPDATE holds SET actor = 'eve'",
    "a hold lifted": "DELETE FROM holds",
    "a hold set": "INSERT INTO holds (target, actor, reason, since, seq)"
    " VALUES ('x', 'eve', 'why not', 'now', 1)",
}


@pytest.mark.slow
@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_tampering_is_found(eventful, tamper, statement):
    tamper(statement)
    assert eventful.verify()


def test_what_was_found_is_named(eventful, tamper):
    tamper("UPDATE events SET reason = 'nothing to see' WHERE kind = 'first_release' OR seq = 4")
    (found,) = eventful.verify()
    assert "event 4" in found
    assert "was altered" in found


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("seq = 2", "event 2 is missing"),
        ("seq IN (2, 3)", "events 2 to 3 are missing"),
        ("seq = (SELECT max(seq) FROM events)", "is missing at the end"),
    ],
)
def test_what_is_gone_is_counted(eventful, tamper, gone, said):
    tamper(f"DELETE FROM events WHERE {gone}")
    assert any(said in found for found in eventful.verify())


def test_a_forged_event_with_a_fresh_hash_of_its_own_breaks_the_next_link(eventful, tamper):
    from msgspec import to_builtins

    from flows.registry.audit.chain import event_hash

    event = next(e for e in eventful.history("triage", 100, kinds=None) if e.seq == 2)
    forged = to_builtins(event) | {"reason": "forged"}
    tamper(f"UPDATE events SET reason = 'forged', hash = '{event_hash(forged)}' WHERE seq = 2")
    assert eventful.verify() == (
        "event 3 does not follow the event before it: that one was altered or replaced",
    )


def test_an_event_that_goes_back_in_time_is_named(url, registry):
    """A clock that a machine's administrator set back, or an event that was put there later."""
    registry.hold("a", actor="ana", reason="y")
    back = datetime.now(UTC) - timedelta(hours=1)
    with Registry.open(url, now=lambda: back) as behind:
        behind.hold("b", actor="ana", reason="y")
    registry.hold("c", actor="ana", reason="y")
    (found,) = registry.verify()
    assert "event 2 (hold, " in found
    assert "is dated earlier than the event before it" in found


def test_clocks_of_two_machines_that_differ_a_little_leave_the_order_as_it_is(url, registry):
    registry.hold("a", actor="ana", reason="y")
    a_little_before = datetime.fromisoformat(registry.history("a")[0].at) - timedelta(seconds=20)
    with Registry.open(url, now=lambda: a_little_before) as behind:
        behind.hold("b", actor="ana", reason="y")
    first, second = (registry.history(name)[0].at for name in ("a", "b"))
    assert second == first
    assert registry.verify() == ()


@pytest.mark.parametrize("statement", ["UPDATE events SET reason = 'x'", "DELETE FROM events"])
def test_the_database_itself_refuses_to_change_events(eventful, tamper, statement):
    with pytest.raises(DBAPIError, match="append-only"):
        tamper(statement, guarded=True)
    assert eventful.verify() == ()


def test_a_registry_without_the_head_of_its_chain_writes_nothing(eventful, tamper):
    tamper("DELETE FROM chain_head")
    with pytest.raises(RegistryError):
        eventful.hold("x", actor="ana", reason="y")
    with pytest.raises(RegistryError, match="restore it"):
        eventful.verify()


def test_the_head_of_the_chain_moves_with_every_event(registry):
    assert registry.chain_head() == (0, "")
    registry.hold("x", actor="ana", reason="y")
    number, newest = registry.chain_head()
    assert number == 1
    assert len(newest) == 64
