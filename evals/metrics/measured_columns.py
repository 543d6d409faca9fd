"""What every answer shows without a grader, as columns: latency, cost, tokens, whether it came at all and how it ended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evals.metrics.grid import Grid
from evals.records import MODEL_OUTCOMES, Price, Response
from evals.sampling.budget import cost_usd

__all__ = ["BUILT_IN_COLUMNS", "MeasuredColumns"]

_MEASURED = ("latency_ms", "cost_usd", "prompt_tokens", "completion_tokens")
_FLAGS = ("refused", "truncated", "content_filtered")
_ANSWERED = "answered"
BUILT_IN_COLUMNS = frozenset((*_MEASURED, *_FLAGS, _ANSWERED))


class MeasuredColumns:
    """The columns while they are being filled, answer by answer.

    `price` is what tokens cost, None where that is not known; `most_tokens` how many an answer may have.
    """

    def __init__(
        self, cases: int, repeats: int, price: Price | None, most_tokens: int | None
    ) -> None:
        self._price, self._most_tokens = price, most_tokens
        self.grids = {
            name: Grid(cases, repeats, np.nan, np.float64)
            for name in (*_MEASURED, *_FLAGS, _ANSWERED)
        }

    def add(self, row: int, response: Response) -> None:
        """Take in an answer to the case at `row`, or what came in its place."""
        answered = response.outcome in MODEL_OUTCOMES
        # Known either way, so that a model that hangs can FAIL on it where everything else only lacks scores.
        self.grids[_ANSWERED].put(row, response.repeat, float(answered))
        if not answered:
            return
        usage, price = response.usage, self._price
        facts = {
            "latency_ms": response.latency_ms,
            "cost_usd": None if usage is None or price is None else cost_usd(price, usage),
            "prompt_tokens": None if usage is None else usage.prompt_tokens,
            "completion_tokens": None if usage is None else usage.completion_tokens,
            **{flag: response.outcome == flag for flag in _FLAGS},
        }
        for name, value in facts.items():
            if value is not None:
                self.grids[name].put(row, response.repeat, value)

    def most(self) -> dict[str, NDArray[np.float64]]:
        """Return what a missing answer can cost at most, shape (cases,); empty where that is not known.

        Its prompt, or the longest seen where there is none, and all tokens allowed.
        """
        prompts = self.grids["prompt_tokens"].means()
        if self._price is None or self._most_tokens is None or not np.isfinite(prompts).any():
            return {}
        longest = float(np.nanmax(prompts))
        tokens = np.where(np.isfinite(prompts), prompts, longest)
        usd = tokens * self._price.input + self._most_tokens * self._price.output
        return {"cost_usd": usd / 1e6}
