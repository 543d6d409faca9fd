"""One role's state during a run: its endpoint, what is under way, what waits, what was counted."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping

from evals.records import Price, Response, Usage
from evals.sampling.budget import Budget, Estimator, cost_usd
from evals.sampling.endpoint.credentials import Credentials
from evals.sampling.endpoint.request_body import RequestShape
from evals.sampling.endpoint.transport import Route
from evals.sampling.pacing.concurrency import AdaptiveConcurrency
from evals.sampling.pacing.interruptible_sleep import WakeUp
from evals.sampling.pacing.rate_pacing import RatePacer
from evals.sampling.redaction import Redactor
from evals.sampling.request_spec import Connection, ModelRequest, SamplingSettings
from evals.sampling.summary import RoleSummary

__all__ = ["PendingRequest", "RoleState"]

_NO_USAGE = Usage()


class PendingRequest:
    """An ask under way, over all its attempts."""

    __slots__ = (
        "ask",
        "attempts",
        "body",
        "estimate",
        "exempt",
        "generation",
        "gone",
        "headers",
        "key",
        "latency_ms",
        "reserved_usd",
        "shape_version",
        "timeouts",
        "unauthorised",
        "wait_s",
    )

    def __init__(self, ask: ModelRequest) -> None:
        self.ask = ask
        self.attempts = 0
        self.body = b""
        self.shape_version = -1
        self.estimate = _NO_USAGE
        self.reserved_usd = 0.0
        self.generation = 0
        self.unauthorised = 0
        self.gone = 0
        self.timeouts = 0
        self.exempt = 0  # attempts that don't count against max_attempts
        self.headers: Mapping[str, str] = {}
        self.key: bytes | None = None
        self.latency_ms = 0.0
        self.wait_s = 0.0

    def __str__(self) -> str:
        ask = self.ask
        return f"{ask.role} {ask.suite}/{ask.case_id} repeat {ask.repeat}"

    @property
    def reserved_tokens(self) -> int:
        """Tokens set aside for this ask."""
        return self.estimate.prompt_tokens + self.estimate.completion_tokens


class RoleState:
    """Everything the workers of one role share."""

    def __init__(
        self,
        connection: Connection,
        settings: SamplingSettings,
        price: Price | None,
        *,
        limit: AdaptiveConcurrency,
        redactor: Redactor,
        clock: Callable[[], float],
    ) -> None:
        self.endpoint = connection.endpoint
        self.settings = settings
        self.price = price
        self.limit = limit
        self.shape = RequestShape(self.endpoint, settings)
        self.route = Route(self.shape.url, settings.timeout_s, settings.connect_timeout_s)
        self.pace = RatePacer(settings.requests_per_minute, settings.tokens_per_minute, clock=clock)
        self.estimator = Estimator(settings.max_completion_tokens)
        self.credentials = Credentials(connection.auth, redactor, clock=clock)
        self.bell = WakeUp()
        self.outcomes: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.requests = self.reused = self.begun = self.finished = 0
        self.note_at = settings.concurrency  # requests at which the account is due
        self.reserved: set[PendingRequest] = set()
        self.heard = False  # whether the service ever answered
        self.writing = 0  # answers on their way to the disk
        self.most_writing = settings.concurrency // 4
        self.spent_usd = self.unconfirmed_usd = 0.0
        self.unconfirmed_tokens = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.cached_tokens = self.reasoning_tokens = 0
        self._parked: list[tuple[float, int, PendingRequest]] = []
        self._order = 0
        self._most_parked = max(64, 8 * settings.concurrency)

    @property
    def parked(self) -> int:
        """Number of asks that wait for their next attempt."""
        return len(self._parked)

    @property
    def crowded(self) -> bool:
        """True when so many asks wait for a retry that no fresh one should be begun."""
        return len(self._parked) >= self._most_parked

    @property
    def tokens(self) -> int:
        """Tokens used by this role in this call."""
        return self.prompt_tokens + self.completion_tokens

    def park(self, job: PendingRequest, due: float) -> None:
        """Set a job aside until `due` on the run's clock."""
        self._order += 1
        heapq.heappush(self._parked, (due, self._order, job))

    def due_in(self, now: float) -> float:
        """Seconds until the first parked job is due (there must be one)."""
        return self._parked[0][0] - now

    def unpark(self) -> PendingRequest:
        """Take the parked job that is due first."""
        return heapq.heappop(self._parked)[2]

    def estimate(self, job: PendingRequest) -> None:
        """Guess what a job will use and cost."""
        job.estimate = self.estimator.guess(len(job.body))
        job.reserved_usd = cost_usd(self.price, job.estimate) if self.price else 0.0

    def charge(self, job: PendingRequest, usage: Usage | None, budget: Budget) -> None:
        """Count the usage the service reported for an answer; where it reported none, the estimate."""
        used = job.estimate if usage is None else usage
        if usage is None:
            self.unconfirmed_usd += job.reserved_usd
            self.unconfirmed_tokens += job.reserved_tokens
        else:
            self.estimator.learn(len(job.body), usage)
        self.prompt_tokens += used.prompt_tokens
        self.completion_tokens += used.completion_tokens
        self.cached_tokens += used.cached_tokens
        self.reasoning_tokens += used.reasoning_tokens
        usd = cost_usd(self.price, used) if self.price else 0.0
        self.spent_usd += usd
        budget.spend(usd, used.prompt_tokens + used.completion_tokens)
        if not self.pace.unlimited:
            self.pace.settle(job.reserved_tokens, used.prompt_tokens + used.completion_tokens)

    def charge_lost(self, job: PendingRequest, budget: Budget) -> None:
        """Count a request whose answer was lost: its prompt may well have been billed."""
        usage = Usage(prompt_tokens=job.estimate.prompt_tokens)
        usd = cost_usd(self.price, usage) if self.price else 0.0
        self.unconfirmed_usd += usd
        self.unconfirmed_tokens += usage.prompt_tokens
        self.spent_usd += usd
        budget.spend(usd, usage.prompt_tokens)

    def give_back(self, job: PendingRequest, budget: Budget) -> None:
        """Return a job's reservation, if it has one."""
        if job in self.reserved:
            self.reserved.discard(job)
            budget.settle(job.reserved_usd, job.reserved_tokens)

    def give_all_back(self, budget: Budget) -> None:
        """Return the reservations of all that was begun and given up."""
        for job in list(self.reserved):
            self.give_back(job, budget)

    def count(self, response: Response) -> None:
        """Count a response that has become durable."""
        self.outcomes[response.outcome] += 1
        self.reused += response.reused

    def summary(self, resumed: int) -> RoleSummary:
        """Return the role's counts."""
        return RoleSummary(
            model_id=self.endpoint.model_id,
            outcomes=dict(self.outcomes),
            reused=self.reused,
            resumed=resumed,
            unfinished=self.begun - self.finished,
            requests=self.requests,
            retries=dict(self.retries),
            usage=Usage(
                prompt_tokens=self.prompt_tokens,
                completion_tokens=self.completion_tokens,
                cached_tokens=self.cached_tokens,
                reasoning_tokens=self.reasoning_tokens,
            ),
            spent_usd=self.spent_usd if self.price else None,
            unconfirmed_usd=self.unconfirmed_usd,
            unconfirmed_tokens=self.unconfirmed_tokens,
            credential_renewals=self.credentials.generation,
            adjustments=tuple(self.shape.adjustments),
            limits=tuple(self.limit.history),
        )
