"""How targets stand, as records: the stable shape of `gatewright status --json`. Fields are added, never changed.

Every time is UTC in ISO 8601, every length in seconds, every price in USD; None is "not known" or "there is none".
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, get_args

import msgspec

from evals.records import Record, VerdictOutcome
from flows.monitoring.against_itself import AgainstItself
from flows.registry.regression_outcomes import RegressionWord

__all__ = [
    "EXIT_CODES",
    "SEVERITIES",
    "CameTo",
    "LiveModel",
    "ModelEnd",
    "ModelRole",
    "Need",
    "NeedKind",
    "Seen",
    "Severity",
    "SlotRole",
    "StandingSlot",
    "Status",
    "TargetStatus",
    "Tries",
    "Watched",
    "severest",
]

Severity = Literal["well", "notice", "person", "unseen", "misconfigured", "broken"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the least to the worst. `well`: nothing to do. `notice`: worth knowing, nothing to do yet. `person`: somebody has to
decide or to act. `unseen`: a platform or a place applications read could not be asked. `misconfigured`: a target's file, gate or
suites can't be read. `broken`: what is live does not stand, is not read, got worse or was revoked."""
EXIT_CODES: dict[Severity, int] = {
    "well": 0,
    "notice": 0,
    "person": 2,
    "unseen": 4,
    "misconfigured": 3,
    "broken": 1,
}

SlotRole = Literal["live", "previous", "developer", "leftover", "other"]
ModelRole = Literal["live", "previous"]
CameTo = RegressionWord | VerdictOutcome
"""The outcome of a regression run; the verdict where it is not settled, or older than such outcomes."""
NeedKind = Literal[
    "drift",
    "regression",
    "rolled_back",
    "revoked",
    "model_gone",
    "retirement",
    "training_ends",
    "approval",
    "override",
    "hold",
    "failed_run",
    "dead_run",
    "leftover_slot",
    "target_file",
    "platform",
    "publisher",
    "record",
    "canary",
    "against_itself",
    "trigger",
]


class Need(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that somebody should know of or act on: what, since when, until when, and the command that helps.

    `about` is what it is about where that is no run: a model or a deployment. `days` is how many are left until `until`.
    `way_back` is the command that goes back to an earlier model, where that is one way out.
    """

    kind: NeedKind
    severity: Severity
    message: str
    since: str | None = None
    until: str | None = None
    command: str = ""
    way_back: str = ""
    run_id: str = ""
    about: str = ""
    days: int | None = None


class LiveModel(Record, frozen=True, kw_only=True):
    """What is live, since when (`age_s`: for how many seconds), where it stands, and who decided it."""

    model_id: str
    name: str
    generation: int
    since: str
    age_s: float
    deployment: str | None
    platform: str
    decided_by: str = ""


class Watched(Record, frozen=True, kw_only=True):
    """The last regression run of the live model: its outcome, and how long ago, in seconds.

    `outcome` is steady, worse, changed or cannot_tell; of a run older than such outcomes, that of its verdict. `why` is one
    sentence, `changes` what moved since the recorded answers, `compared_with` whose those were; `rollback_problem` is why the
    target asks for an automatic rollback and there was none.
    """

    run_id: str
    outcome: CameTo
    at: str
    age_s: float
    why: str = ""
    changes: tuple[str, ...] = ()
    compared_with: str = ""
    rollback_problem: str = ""


class Tries(Record, frozen=True, kw_only=True):
    """The ledger: candidates tried in the window, how many the gate's family allows (None: it names none), and which try
    the newest candidate is at."""

    candidates: int
    allowed: int | None
    window_s: int
    newest: str = ""
    newest_try: int = 0


class ModelEnd(Record, frozen=True, kw_only=True):
    """Until when a model that the target depends on lives: the live one, or one kept for a rollback (`previous`).

    `asked` says whether the platform told it; else it is what is published, or what the target states. `refuses` is status and
    code by which a live model that is gone or retired says that it answers no more; "" where it answers or was not asked.
    """

    model_id: str
    name: str
    role: ModelRole
    base_model: str
    answers_until: date | None
    trains_until: date | None
    state: Literal["there", "gone", "retired", "unknown"]
    asked: bool
    refuses: str = ""


class StandingSlot(Record, frozen=True, kw_only=True):
    """A deployment of ours and what it costs an hour besides tokens: 0 where its type costs nothing, None where that is not
    known. `why` says why a `leftover` is to go; `ends_at` when a developer slot is removed."""

    name: str
    model_id: str
    role: SlotRole
    state: str
    sku: str
    run_id: str
    created_at: str | None
    ends_at: str | None
    usd_per_hour: float | None
    why: str = ""


class Seen(Record, frozen=True, kw_only=True):
    """What a look at a target's platform and publishers found; `problems` is what could not be seen.

    `stood` says whether deployments were listed, `compared` whether all was compared with the record.
    """

    slots: tuple[StandingSlot, ...] = ()
    ends: tuple[ModelEnd, ...] = ()
    drifts: tuple[Need, ...] = ()
    problems: tuple[Need, ...] = ()
    stood: bool = False
    compared: bool = False


class TargetStatus(Record, frozen=True, kw_only=True):
    """How one target stands. `severity` is the worst of its `needs`; `looked` is False when no platform was asked.

    `usd_per_hour` sums the hosting of `slots`, None when one of them has no known price or nothing was looked at. `canary` is a
    `flows.monitoring.canary.status.CanaryStatus` as plain data, None where the target has none and never had; `against_itself`
    the live model's A/A, for each column of each suite. `frozen` is its frozen baseline in short (frozen_id, name, frozen_at, repeats, signed), where nothing is live the newest there is; None without one.
    """

    target: str
    severity: Severity
    platform: str
    looked: bool
    live: LiveModel | None = None
    regression: Watched | None = None
    canary: dict[str, Any] | None = None
    tries: Tries | None = None
    hold: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None
    ends: tuple[ModelEnd, ...] = ()
    slots: tuple[StandingSlot, ...] = ()
    usd_per_hour: float | None = None
    needs: tuple[Need, ...] = ()
    frozen: dict[str, Any] | None = None
    against_itself: tuple[AgainstItself, ...] = ()


class Status(Record, frozen=True, kw_only=True):
    """How all targets stand at a moment; `exit_code` is that of the worst. `needs` are those of no target."""

    at: str
    severity: Severity
    exit_code: int
    looked: bool
    targets: tuple[TargetStatus, ...] = ()
    needs: tuple[Need, ...] = msgspec.field(default_factory=tuple)


def severest(needs: tuple[Need, ...] | list[Need]) -> Severity:
    """Return the worst severity among needs, `well` for none."""
    return max((need.severity for need in needs), key=SEVERITIES.index, default="well")
