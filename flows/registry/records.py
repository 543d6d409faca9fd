"""What the registry remembers, as records; every time is UTC in ISO 8601 and taken while the write lock is held."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from evals.codec import decode
from evals.errors import RegistryError
from evals.records import Candidate, Edit, Endpoint, Record, Slot, Verdict, digest, encode

__all__ = [
    "AUTOMATION",
    "CHANGES",
    "DECIDED",
    "POINTER_KINDS",
    "RUN_STATES",
    "Answer",
    "Binding",
    "Decision",
    "Event",
    "Hold",
    "InboxMessage",
    "NewPointer",
    "PointerKind",
    "RunKind",
    "RunRecord",
    "RunState",
    "Step",
    "StepPhase",
    "Superseded",
    "as_text",
    "trigger_key",
]

AUTOMATION = "gatewright"
"""The actor on record for what no person did."""

PointerKind = Literal["promotion", "first_release", "rollback", "restore", "adopt", "withdrawal"]
POINTER_KINDS: tuple[PointerKind, ...] = get_args(PointerKind)

RunKind = Literal["promotion", "regression", "evaluation", "selection"]
RunState = Literal[
    "requested",
    "preflight",
    "deploying",
    "evaluating",
    "judged",
    "waiting",
    "promoting",
    "promoted",
    "refused",
    "inconclusive",
    "superseded",
    "failed",
]
RUN_STATES: tuple[RunState, ...] = get_args(RunState)
DECIDED: frozenset[RunState] = frozenset({"promoted", "refused", "inconclusive", "superseded"})
"""States that a run does not leave by itself or by being taken up again; one that `failed` can be taken up again."""
Decision = Literal["approve", "reject", "override"]
StepPhase = Literal["begun", "done", "failed"]

CHANGES: frozenset[str] = frozenset(
    {
        *POINTER_KINDS,
        *get_args(Decision),
        "hold",
        "release",
        "model_refused",
        "model_revoked",
        "model_reinstated",
        "drift_found",
        "drift_over",
        "canary_chosen",
        "canary_changed",
        "canary_over",
        "put_back",
        "warned",
        "edited",
        "frozen",
        "frozen_set_aside",
        "frozen_restored",
        "run_retried",
    }
)
"""Kinds of event that a person asking "what changed here, and who did it" wants to see."""


class NewPointer(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What is to become live; the registry adds the generation and the time."""

    target: str
    model_id: str
    platform: str
    endpoint: Endpoint
    deployment: str | None = None
    run_id: str | None = None


class Event(Record, frozen=True, kw_only=True):
    """One link of the chain: who did what, when and why.

    `model_id` is the model the event is about (for a pointer change: what became live), `from_model` what was live
    before. `data` is canonical JSON. `hash` covers every other field, `previous_hash` among them.
    """

    seq: int
    at: str
    kind: str
    actor: str
    target: str | None
    run_id: str | None
    model_id: str | None
    from_model: str | None
    generation: int | None
    reason: str
    evidence_digest: str | None
    data: str
    previous_hash: str
    hash: str

    def facts(self) -> Any:
        """Return `data` as plain JSON data."""
        return decode(self.data)


class Hold(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Automation may not promote to this target until a person releases it.

    `also` are those who held it too since, each with the reason: "ana: back to the model of before".
    """

    target: str
    actor: str
    reason: str
    since: str
    also: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """Every reason, that of the first one first."""
        return "; and by ".join((self.reason, *self.also))


class RunRecord(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One run, from its trigger to its end. `selection` is the run that its candidate was chosen from, or took part in.

    `trigger` is a TriggerRef as plain data; `baseline_generation` is the generation of the live pointer when the
    baseline was pinned (0: nothing was ever live). `fingerprints` maps a suite's name to its fingerprint. `edits` are what
    changed in gate, suites and target since `since_run`, the run of the target that was judged before; it is empty
    where there was none, or it is not known yet. Times and state are the registry's to fill in.
    """

    run_id: str
    target: str
    kind: RunKind
    requested_by: str
    trigger: dict[str, Any] = msgspec.field(default_factory=dict)
    trigger_key: str | None = None
    candidate_model: str = ""
    candidate: Candidate | None = None
    baseline_model: str | None = None
    baseline_generation: int = 0
    policy: str = ""
    policy_digest: str = ""
    fingerprints: dict[str, str] = msgspec.field(default_factory=dict)
    selection: str = ""
    state: RunState = "requested"
    detail: str = ""
    report: str | None = None
    since_run: str = ""
    edits: tuple[Edit, ...] = ()
    created_at: str = ""
    updated_at: str = ""

    @property
    def decided(self) -> bool:
        """True when there is nothing left to do: a failed run can still be taken up again."""
        return self.state in DECIDED

    @property
    def settled(self) -> bool:
        """True when only a person can move it on, if anybody."""
        return self.decided or self.state == "waiting"

    @property
    def under_way(self) -> bool:
        """True while a process has something to do for it; regression and evaluation runs end with their verdict."""
        ended = self.settled or self.state == "failed"
        return not ended and not (self.kind != "promotion" and self.state == "judged")


class Binding(Record, frozen=True, kw_only=True):
    """What a person's answer is bound to; when any of the four differs, the answer is void."""

    evidence_digest: str
    policy_digest: str
    candidate_model: str
    baseline_model: str | None

    @classmethod
    def of(cls, verdict: Verdict) -> Binding:
        """Return what an answer to this verdict is bound to."""
        return cls(
            evidence_digest=verdict.evidence_digest,
            policy_digest=verdict.policy_digest,
            candidate_model=verdict.candidate_model,
            baseline_model=verdict.baseline_model,
        )


class Answer(Record, frozen=True, kw_only=True):
    """What a person decided about one verdict, and when."""

    run_id: str
    slot: Slot
    decision: Decision
    actor: str
    reason: str
    binding: Binding
    at: str


class Step(Record, frozen=True, kw_only=True):
    """One mark a promotion left on its way; `seq` is the number of its event."""

    seq: int
    run_id: str
    step: str
    phase: StepPhase
    detail: dict[str, Any]
    at: str


class InboxMessage(Record, frozen=True, kw_only=True):
    """A trigger that arrived and is not done with; `attempts` counts the tries that failed."""

    message_id: str
    payload: dict[str, Any]
    received_at: str
    attempts: int
    outcome: str = ""


class Superseded(Record, frozen=True, kw_only=True):
    """A deployment that was live once: its model, and since when something else is live."""

    target: str
    generation: int
    model_id: str
    deployment: str | None
    until: str


def as_text(record: Any) -> str:
    """Return the canonical JSON of a record, as text. Raises RegistryError when it holds NaN or can't be written."""
    try:
        return encode(record).decode()
    except (ValueError, TypeError) as error:
        raise RegistryError(f"this can't be recorded: {error}") from error


def trigger_key(target: str, trigger: dict[str, Any]) -> str:
    """Return the key under which the same trigger, arriving again, finds the run it already started."""
    return digest({"target": target, "trigger": trigger})
