"""The looks of a run: one line for each, on disk before what it decided counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from evals.codec import decoder
from evals.errors import ConfigurationError, Problem
from evals.files import append_lines, replace_file, whole_lines
from evals.files.versions import unreadable
from evals.gate.looks import LookEvent, RemainingCases
from evals.gate.old_verdicts import completed_check
from evals.gate.policy import GatePolicy
from evals.records import encode

__all__ = ["LookStore"]


class LookStore:
    """The looks of one run, in its folder (`looks.jsonl`)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "looks.jsonl"

    def events(self) -> tuple[LookEvent, ...]:
        """Return the looks made, in their order; a line torn by a kill was no look."""
        reader = decoder(LookEvent)
        found: dict[int, LookEvent] = {}
        for line in whole_lines(self.path):
            try:
                event = _completed(reader.decode(line))
            except msgspec.ValidationError as error:
                raise unreadable(self.path, error) from error
            except msgspec.DecodeError:  # torn by a version that did not cut such a line
                continue
            found.setdefault(event.look, event)  # a look is made once; the first one stands
        return tuple(found[look] for look in sorted(found))

    def event(self, look: int) -> LookEvent | None:
        """Return a look, None when it was not made yet."""
        return next((event for event in self.events() if event.look == look), None)

    def append(self, event: LookEvent) -> None:
        """Add a look: one write, made durable before this returns."""
        append_lines(self.path, [encode(event)])

    def reopen(self, last: int) -> None:
        """Forget the look at which every case has been asked, so that it is made again; earlier ones stand."""
        if self.event(last) is None:
            return
        kept = [event for event in self.events() if event.look != last]
        replace_file(self.path, b"".join(encode(event) + b"\n" for event in kept))

    def needs(self) -> Mapping[int, tuple[RemainingCases, ...]]:
        """Return what is asked in each round that follows a look."""
        return {event.look + 1: event.needs for event in self.events()}

    def require_same(self, policy: GatePolicy) -> None:
        """Raise ConfigurationError when the gate was changed after the first look: it was not the one looked by."""
        if any(event.policy_digest != policy.digest for event in self.events()):
            raise ConfigurationError(
                Problem(
                    where=policy.path,
                    message="the gate was changed after this run had looked at its answers by it",
                    fix="put it back as it was, or start a new run (--again)",
                )
            )


def _completed(event: LookEvent) -> LookEvent:
    """A stored look, its results with the fields that they lacked before."""
    checks = tuple(
        msgspec.structs.replace(one, result=completed_check(one.result)) for one in event.checks
    )
    return msgspec.structs.replace(event, checks=checks)
