"""What a sampling run came to: exact counts, so that everything asked can be accounted for."""

from __future__ import annotations

from typing import Literal

from evals.records import Record, Role, Usage
from evals.sampling.pacing.concurrency import LimitChange

__all__ = ["RoleSummary", "SamplingSummary", "StopReason"]

StopReason = Literal["budget"]


class RoleSummary(Record, frozen=True, kw_only=True):
    """One role's part of a call to `sample`.

    `outcomes` counts the responses that became durable in this call, reused ones included; `resumed` the requests that an earlier
    process had answered; `unfinished` those sent and given up without a response when the run stopped. `requests` counts HTTP
    requests, `retries` their repetitions by cause. `usage` and `spent_usd` (None: price unknown) cover what this call paid for;
    `unconfirmed_usd` and `unconfirmed_tokens` are estimated, for requests whose answer was lost or said no usage.
    """

    model_id: str
    outcomes: dict[str, int]
    reused: int
    resumed: int
    unfinished: int
    requests: int
    retries: dict[str, int]
    usage: Usage
    spent_usd: float | None
    unconfirmed_usd: float
    unconfirmed_tokens: int
    credential_renewals: int
    adjustments: tuple[str, ...]
    limits: tuple[LimitChange, ...]

    @property
    def done(self) -> int:
        """Responses that became durable in this call."""
        return sum(self.outcomes.values())


class SamplingSummary(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The whole call. `stopped` is 'budget' when the ceiling ended it; `reason` says in words why it ended early.

    Times are in seconds, `began` since 1970. `call` counts the calls on one journal and `look` is the round it was made for, both
    from 1. A call that was killed has not `ended`: its counts are the last it wrote down, and at most `uncounted` requests
    were begun after that. A `lost_round` call asked nothing but questions whose answer was lost before.
    """

    roles: dict[Role, RoleSummary]
    wall_s: float
    first_request_s: float | None = None
    stopped: StopReason | None = None
    reason: str = ""
    call: int = 1
    look: int = 1
    began: float = 0.0
    ended: bool = True
    uncounted: int = 0
    lost_round: bool = False
