"""The ceiling in USD and tokens: reserved before each request, settled with what the service says it used."""

from __future__ import annotations

from typing import Literal

from evals.errors import ConfigurationError, Problem
from evals.records import Price, Usage
from evals.sampling.pacing.interruptible_sleep import WakeUp

__all__ = ["Budget", "Estimator", "cost_usd"]


def cost_usd(price: Price, usage: Usage) -> float:
    """Return what a response cost in USD; cached prompt tokens at their own price where there is one."""
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    cached_price = price.input if price.cached_input is None else price.cached_input
    total = (usage.prompt_tokens - cached) * price.input + cached * cached_price
    return (total + usage.completion_tokens * price.output) / 1_000_000


class Budget:
    """What a run may spend, over all roles and rounds. None = no ceiling.

    The ceiling is never passed as long as `max_completion_tokens` is set; without it the completion of a request is
    estimated from those seen, and the requests in flight may overshoot by what they exceed their estimate.
    """

    def __init__(self, *, usd: float | None = None, tokens: int | None = None) -> None:
        self.usd = usd
        self.tokens = tokens
        self.spent_usd = 0.0
        self.spent_tokens = 0
        self.settled = WakeUp()
        self._reserved_usd = 0.0
        self._reserved_tokens = 0
        self._reservations = 0
        self._restored: set[object] = set()

    @property
    def limited(self) -> bool:
        """True when there is any ceiling."""
        return self.usd is not None or self.tokens is not None

    def check_price(self, role: str, price: Price | None) -> None:
        """Refuse a USD ceiling over a model of unknown price. Raises ConfigurationError."""
        if self.usd is not None and price is None:
            raise ConfigurationError(
                Problem(
                    where="sampling",
                    field="budget_usd",
                    message=f"expected a price for the {role}'s model; found none, so the ceiling can't be kept",
                    fix="state the model's price, or use budget_tokens",
                )
            )

    def exhausted_message(self) -> str:
        """Say what was reached, for a report."""
        ceilings = [] if self.usd is None else [f"{self.usd:g} USD"]
        ceilings += [] if self.tokens is None else [f"{self.tokens:,} tokens"]
        return (
            f"the budget of {' and '.join(ceilings)} does not allow another request: "
            f"{self.spent_usd:.4f} USD and {self.spent_tokens:,} tokens are spent"
        )

    def reserve(self, usd: float, tokens: int) -> Literal["granted", "wait", "reached"]:
        """Set aside an estimate. 'wait': it depends on what is in flight; 'reached': it does not fit any more."""
        # Spending is known only when answers come, with up to hundreds of requests in flight. Were the ceiling held against
        # what is spent alone, all of those could pass it together.
        if not self._fits(usd, tokens, 0.0, 0):
            return "reached"
        if not self._fits(usd, tokens, self._reserved_usd, self._reserved_tokens):
            return "wait" if self._reservations else "reached"
        self._reserved_usd += usd
        self._reserved_tokens += tokens
        self._reservations += 1
        return "granted"

    def settle(self, usd: float, tokens: int) -> None:
        """Return a reservation once its request is over."""
        self._reserved_usd -= usd
        self._reserved_tokens -= tokens
        self._reservations -= 1
        if not self._reservations:
            self._reserved_usd = 0.0  # drop the rounding errors of many additions
        self.settled.notify_all()

    def spend(self, usd: float, tokens: int) -> None:
        """Count what was used (or what may have been, for a request whose answer was lost)."""
        self.spent_usd += usd
        self.spent_tokens += tokens

    def restore(self, key: object, usd: float, tokens: int) -> None:
        """Count once, by `key`, what an earlier process of the same run spent."""
        if key not in self._restored:
            self._restored.add(key)
            self.spend(usd, tokens)

    def _fits(self, usd: float, tokens: int, reserved_usd: float, reserved_tokens: int) -> bool:
        fits_usd = self.usd is None or self.spent_usd + reserved_usd + usd <= self.usd
        return fits_usd and (
            self.tokens is None or self.spent_tokens + reserved_tokens + tokens <= self.tokens
        )


class Estimator:
    """Guesses a request's tokens before it is sent; learns bytes per token and the length of completions."""

    def __init__(self, max_completion_tokens: int | None) -> None:
        self._most = max_completion_tokens
        self._per_byte = 1 / 3  # on the safe side for text; images and other languages are learnt
        self._completion = 256.0

    def guess(self, body_bytes: int) -> Usage:
        """Return the estimated tokens of a request body of that size."""
        completion = self._most if self._most is not None else int(self._completion * 1.5) + 1
        return Usage(
            prompt_tokens=int(body_bytes * self._per_byte) + 1, completion_tokens=completion
        )

    def learn(self, body_bytes: int, usage: Usage) -> None:
        """Take in a real usage."""
        if usage.prompt_tokens and body_bytes:
            seen = usage.prompt_tokens / body_bytes
            self._per_byte += (seen - self._per_byte) * (0.5 if seen > self._per_byte else 0.02)
        self._completion += (usage.completion_tokens - self._completion) * 0.05
