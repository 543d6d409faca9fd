"""What is true of a target, worked out from the chain of events alone, by none of the product's own code."""

from __future__ import annotations

from collections.abc import Sequence

from support.walk import MODELS

from flows.registry.records import Event

__all__ = ["POINTERS", "STATES", "Truth", "held", "name_of", "overriders", "runs_of"]

POINTERS = ("promotion", "first_release", "rollback", "restore", "adopt", "withdrawal")
OVER = ("promoted", "refused", "inconclusive", "superseded", "failed")
STATES = (
    *("requested", "preflight", "deploying", "evaluating", "judged", "waiting", "promoting"),
    *OVER,
)


class Truth:
    """What the events say, up to the newest of them."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events

    def of(self, *kinds: str, run: str | None = None) -> list[Event]:
        """The events of these kinds, oldest first."""
        return [one for one in self.events if one.kind in kinds and run in (None, one.run_id)]

    def switched(self, number: int) -> Event | None:
        """The event that made a generation live."""
        return next((one for one in self.of(*POINTERS) if one.generation == number), None)

    def live(self, until: str = "9") -> Event | None:
        """The event that made live what was live at a time."""
        return next((one for one in reversed(self.of(*POINTERS)) if one.at <= until), None)

    def state(self, run: str) -> Event:
        """The event that brought a run to the state it is in."""
        return self.of(*(f"run_{state}" for state in STATES), run=run)[-1]

    def then(self, run: str) -> str:
        """The time that the sentences of a run's report are of: its end, or now."""
        state = self.state(run)
        return state.at if state.kind.removeprefix("run_") in OVER else "9"

    def asked_by(self, run: str) -> str:
        return self.of("run_requested", run=run)[0].actor

    def outcome(self, run: str) -> str:
        verdicts = self.of("verdict", run=run)
        return str(verdicts[-1].facts()["outcome"]) if verdicts else ""

    def candidate(self, run: str) -> str:
        return name_of(self.of("verdict", run=run)[-1].model_id)

    def baseline(self, run: str) -> Event | None:
        """The event that made live what a run's candidate was compared with."""
        noted = [one.facts() for one in self.of("run_noted", run=run)]
        number = next(
            (one["baseline_generation"] for one in noted if one.get("baseline_generation")), 0
        )
        return self.switched(number)

    def decided(self, event: Event) -> tuple[str, list[str], str]:
        """How something was decided, by whom, and who had asked: ("approved", ["cleo"], "ada")."""
        run = event.run_id or ""
        if event.kind in ("promotion", "first_release"):
            for kind, word in (("override", "overridden"), ("approve", "approved")):
                if said := self.of(kind, run=run):
                    return word, [one.actor for one in said], self.asked_by(run)
            return "", ["the gate"], self.asked_by(run)
        if event.kind == "model_refused":
            return "", [one.actor for one in self.of("reject", run=run)] or ["the gate"], ""
        return "", [event.actor], ""


def name_of(model: str | None) -> str:
    """The short name in a model's id."""
    return next((name for name in MODELS if model and name in model), "")


def overriders(truth: Truth) -> list[Event]:
    """The overrides by which what is live, or what it was brought back from, is live."""
    live = truth.live()
    if live is None:
        return []
    root = live.facts()["restores"]
    origin = truth.switched(root) if root else live
    return truth.of("override", run=origin.run_id) if origin and origin.run_id else []


def held(truth: Truth) -> Event | None:
    last = truth.of("hold", "release")[-1:]
    return last[0] if last and last[0].kind == "hold" else None


def runs_of(truth: Truth) -> list[str]:
    return [str(one.run_id) for one in truth.of("run_requested")]
