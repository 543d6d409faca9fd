"""Holds what stands in JSON against the events: every record with a person, a generation or a time in it has a known shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from support.truth import Truth, held
from support.walk import PEOPLE, Told

__all__ = ["false_facts", "sentences_in"]

_PERSON = re.compile(rf"\b(?:{'|'.join(PEOPLE)})\b")
_SENTENCES = frozenset({"sentence", "word", "live_now", "detail", "error", "notes", "next_steps"})


def sentences_in(data: Any, key: str = "") -> Iterator[str]:
    """The sentences in plain data; what is no sentence is a fact, and held against the events as such."""
    if isinstance(data, dict):
        if "step" not in data:  # a step is a fact as a whole
            for name, value in data.items():
                yield from sentences_in(value, name)
    elif isinstance(data, list):
        for value in data:
            yield from sentences_in(value, key)
    elif isinstance(data, str) and key in _SENTENCES:
        yield from data.splitlines()


def false_facts(told: Told, data: Any, truth: Truth) -> Iterator[str]:
    if isinstance(data, list):
        for value in data:
            yield from false_facts(told, value, truth)
    if not isinstance(data, dict):
        return
    known: set[str] = set()
    for shape, holds in _FACTS:
        if shape <= data.keys():
            known |= shape
            if not holds(data, truth):
                yield f"{told.view}: not so: { ({key: data[key] for key in sorted(shape)}) }"
            break
    for key, value in data.items():
        person = isinstance(value, str) and _PERSON.search(value)
        if person and key not in known | _SENTENCES | {"data", "reason"}:
            yield f"{told.view}: no form reads {key!r}: {value!r}"
        yield from false_facts(told, value, truth)


def _event(data: dict[str, Any], truth: Truth) -> bool:
    true = next(one for one in truth.events if one.seq == data["seq"])
    return all(getattr(true, key) == value for key, value in data.items())


def _made_live(data: dict[str, Any], truth: Truth) -> bool:
    live = truth.live()
    return (
        live is not None
        and (live.kind, live.at) == (data["kind"], data["at"])
        and truth.decided(live) == (data["how"], data["actor"].split(" and "), data["asked_by"])
    )


def _answer(data: dict[str, Any], truth: Truth) -> bool:
    return any(
        (one.actor, one.reason) == (data["actor"], data["reason"])
        and data.get("at", one.at) == one.at
        and data.get("run_id", one.run_id) == one.run_id
        for one in truth.of(data["decision"])
    )


def _hold(data: dict[str, Any], truth: Truth) -> bool:
    hold = held(truth)
    return hold is not None and (hold.actor, hold.reason, hold.at) == (
        data["actor"],
        data["reason"],
        data["since"],
    )


def _run(data: dict[str, Any], truth: Truth) -> bool:
    run = data["run_id"]
    baseline = truth.baseline(run)
    return (
        truth.asked_by(run) == data["requested_by"]
        and truth.state(run).kind == f"run_{data['state']}"
        and truth.of("run_requested", run=run)[0].at == data["created_at"]
        and (baseline.generation if baseline else 0) == data.get("baseline_generation", 0)
        and (baseline.model_id if baseline else None) == data.get("baseline_model")
    )


def _report(data: dict[str, Any], truth: Truth) -> bool:
    run = data["run_id"]
    baseline, then = truth.baseline(run), truth.then(run)
    after = truth.live(then)
    said = data.get("baseline")
    return (
        truth.asked_by(run) == data["requested_by"]
        and truth.state(run).kind == f"run_{data['state']}"
        and truth.of("run_requested", run=run)[0].at == data["started"]
        and data.get("finished", "9") == then
        and (baseline.generation if baseline else None) == (said["generation"] if said else None)
        and after is not None
        and data["after"]["generation"] == after.generation
    )


def _pointer(data: dict[str, Any], truth: Truth) -> bool:
    event = truth.switched(data["generation"])
    return event is not None and (event.model_id, event.at) == (data["model_id"], data["since"])


_FACTS: tuple[tuple[frozenset[str], Callable[[dict[str, Any], Truth], bool]], ...] = (
    (frozenset({"seq", "kind", "actor", "at", "reason"}), _event),
    (frozenset({"actor", "how", "asked_by", "kind", "at"}), _made_live),
    (frozenset({"decision", "actor", "reason"}), _answer),
    (frozenset({"actor", "reason", "since"}), _hold),
    (frozenset({"run_id", "requested_by", "state", "created_at"}), _run),
    (frozenset({"run_id", "requested_by", "state", "started"}), _report),
    (frozenset({"generation", "model_id", "since"}), _pointer),
)
