"""Who decided what an event tells of is read from verdicts and answers: the requester of a run is no judge of it."""

from __future__ import annotations

from typing import Any

import pytest

from flows.registry.decisions import decided_by
from flows.registry.records import Binding
from flows.release.outcomes import as_told

TARGET = "triage"


def said(world: Any, run_id: str, decision: str, *people: str) -> None:
    for person in people:
        world.registry.answer(
            run_id,
            decision,
            actor=person,
            reason="read the report",
            binding=Binding.of(world.registry.verdict(run_id)),
        )


def newest(world: Any, kind: str) -> Any:
    events = world.registry.history(TARGET, 100)
    return decided_by(world.registry, next(event for event in events if event.kind == kind))


async def test_a_pass_goes_live_by_the_gate_for_whoever_asked(world: Any) -> None:
    await world.promote("r1", "v1")
    assert newest(world, "first_release").words == "by the gate, requested by automation"


@pytest.mark.parametrize(
    ("outcome", "decision", "people", "words"),
    [
        ("INCONCLUSIVE", "approve", ("bo",), "approved by bo, requested by automation"),
        ("FAIL", "override", ("bo", "cy"), "overridden by bo and cy, requested by automation"),
    ],
)
async def test_what_people_let_go_live_is_put_down_to_them(
    world: Any, outcome: str, decision: str, people: tuple[str, ...], words: str
) -> None:
    world.judge("r1", "v1", outcome)
    said(world, "r1", decision, *people)
    assert (await world.promote("r1", "v1")).state == "live"
    found = newest(world, "first_release")
    assert (found.words, found.reason) == (words, "read the report")


async def test_a_refusal_is_the_gate_s_and_a_rejection_a_person_s(world: Any) -> None:
    world.judge("r1", "v1", "FAIL")
    await world.promote("r1", "v1")
    assert newest(world, "model_refused").words == "by the gate"
    assert world.registry.history(TARGET, 1)[0].actor == "gatewright"
    world.judge("r2", "v2", "INCONCLUSIVE")
    said(world, "r2", "reject", "cleo")
    await world.promote("r2", "v2")
    assert newest(world, "model_refused").words == "by cleo"


async def test_what_went_live_is_told_with_its_generation_and_until_when(world: Any) -> None:
    await world.promote("r1", "v1")
    assert world.registry.run("r1").detail == "went live as generation 1"
    await world.promote("r2", "v2")
    first, second = (as_told(world.registry, world.registry.run(run)) for run in ("r1", "r2"))
    assert first.detail.startswith("went live as generation 1, live until ")
    assert second.detail == "went live as generation 2"


async def test_a_run_stored_with_a_sentence_of_that_moment_is_told_as_things_stand(
    world: Any,
) -> None:
    await world.promote("r1", "v1")
    world.registry.set_run_state("r1", "promoted", "generation 1 is live")  # as 0.1.0 wrote it
    await world.promote("r2", "v2")
    assert "is live" not in as_told(world.registry, world.registry.run("r1")).detail
