"""One role's state during a run: its endpoint, what is under way, what waits, what was counted."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping

from evals.records import Price, Response, Usage
from evals.sampling.budget import Budget, Estimator, cost_usd
from evals.sampling.endpoint.credentials import Credentials
from evals.sampling.endpoint.request_body import RequestBuilder
from evals.sampling.endpoint.transport import Route
from evals.sampling.pacing.concurrency import AdaptiveConcurrency
from evals.sampling.pacing.rate_pacing import RatePacer
from evals.sampling.redaction import Redactor
from evals.sampling.request_spec import Connection, ModelRequest, SamplingSettings
from evals.sampling.summary import RoleSummary

__all__ = ["PendingRequest", "RoleState"]

_NO_USAGE = Usage()


class PendingRequest:
    """A request under way, over all its attempts."""

    __slots__ = (
        "attempts",
        "body",
        "body_version",
        "estimate",
        "generation",
        "gone",
        "headers",
        "key",
        "latency_ms",
        "request",
        "reserved_usd",
        "timeouts",
        "unauthorised",
        "uncounted_attempts",
        "wait_s",
    )

    def __init__(self, request: ModelRequest) -> None:
        self.request = request
        self.attempts = 0
        self.body = b""
        self.body_version = -1
        self.estimate = _NO_USAGE
        self.reserved_usd = 0.0
        self.generation = 0
        self.unauthorised = 0
        self.gone = 0
        self.timeouts = 0
        self.uncounted_attempts = 0  # attempts that don't count against max_attempts
        self.headers: Mapping[str, str] = {}
        self.key: bytes | None = None
        self.latency_ms = 0.0
        self.wait_s = 0.0

    def __str__(self) -> str:
        request = self.request
        return f"{request.role} {request.suite}/{request.case_id} repeat {request.repeat}"

    @property
    def reserved_tokens(self) -> int:
        """Tokens reserved for this request."""
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
        self.builder = RequestBuilder(self.endpoint, settings)
        self.route = Route(self.builder.url, settings.timeout_s, settings.connect_timeout_s)
        self.rate_pacer = RatePacer(
            settings.requests_per_minute, settings.tokens_per_minute, clock=clock
        )
        self.estimator = Estimator(settings.max_completion_tokens)
        self.credentials = Credentials(connection.auth, redactor, clock=clock)
        self.outcomes: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.requests = self.reused = self.started = self.finished = 0
        self.account_due_at = settings.concurrency  # requests at which the account is due
        self.reserved: set[PendingRequest] = set()
        self.ever_answered = False  # whether the service ever answered
        self.writing = 0  # answers on their way to the disk
        self.max_writing = settings.concurrency // 4
        self.spent_usd = self.unconfirmed_usd = 0.0
        self.unconfirmed_tokens = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.cached_tokens = self.reasoning_tokens = 0
        self.held_up_by = ""  # what the service last answered to a request that waits
        self._retry_heap: list[tuple[float, int, PendingRequest]] = []
        self._sequence = 0
        self._max_waiting = max(64, 8 * settings.concurrency)

    @property
    def waiting_retries(self) -> int:
        """Number of requests that wait for their next attempt."""
        return len(self._retry_heap)

    @property
    def too_many_retries(self) -> bool:
        """True when so many requests wait for a retry that no fresh one should be sent."""
        return len(self._retry_heap) >= self._max_waiting

    @property
    def tokens(self) -> int:
        """Tokens used by this role in this call."""
        return self.prompt_tokens + self.completion_tokens

    def schedule_retry(self, pending: PendingRequest, due: float) -> None:
        """Hold a request back until `due` on the run's clock."""
        self._sequence += 1
        heapq.heappush(self._retry_heap, (due, self._sequence, pending))

    def next_retry_in(self, now: float) -> float:
        """Seconds until the first retry is due (there must be one)."""
        return self._retry_heap[0][0] - now

    def next_retry(self) -> PendingRequest:
        """Take the retry that is due first."""
        return heapq.heappop(self._retry_heap)[2]

    def estimate(self, pending: PendingRequest) -> None:
        """Estimate what a request will use and cost."""
        pending.estimate = self.estimator.guess(len(pending.body))
        pending.reserved_usd = cost_usd(self.price, pending.estimate) if self.price else 0.0

    def charge(self, pending: PendingRequest, usage: Usage | None, budget: Budget) -> None:
        """Count the usage the service reported for an answer; where it reported none, the estimate."""
        used = pending.estimate if usage is None else usage
        if usage is None:
            self.unconfirmed_usd += pending.reserved_usd
            self.unconfirmed_tokens += pending.reserved_tokens
        else:
            self.estimator.learn(len(pending.body), usage)
        self.prompt_tokens += used.prompt_tokens
        self.completion_tokens += used.completion_tokens
        self.cached_tokens += used.cached_tokens
        self.reasoning_tokens += used.reasoning_tokens
        usd = cost_usd(self.price, used) if self.price else 0.0
        self.spent_usd += usd
        budget.spend(usd, used.prompt_tokens + used.completion_tokens)
        if not self.rate_pacer.unlimited:
            self.rate_pacer.settle(
                pending.reserved_tokens, used.prompt_tokens + used.completion_tokens
            )

    def charge_unanswered(self, pending: PendingRequest, budget: Budget) -> None:
        """Count a request that got no answer: its prompt may well have been billed."""
        usage = Usage(prompt_tokens=pending.estimate.prompt_tokens)
        usd = cost_usd(self.price, usage) if self.price else 0.0
        self.unconfirmed_usd += usd
        self.unconfirmed_tokens += usage.prompt_tokens
        self.spent_usd += usd
        budget.spend(usd, usage.prompt_tokens)

    def release(self, pending: PendingRequest, budget: Budget) -> None:
        """Return a request's reservation to the budget, if it has one."""
        if pending in self.reserved:
            self.reserved.discard(pending)
            budget.settle(pending.reserved_usd, pending.reserved_tokens)

    def release_all(self, budget: Budget) -> None:
        """Return the reservations of all requests that the run gave up."""
        for pending in list(self.reserved):
            self.release(pending, budget)

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
            unfinished=self.started - self.finished,
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
            adjustments=tuple(self.builder.adjustments),
            limits=tuple(self.limit.history),
        )
