"""What a run took: calls, time, tokens and money."""

from __future__ import annotations

from dataclasses import dataclass

from evals.report.facts import RunFacts
from evals.report.numbers import duration, figure

__all__ = ["LabelledValue", "sampling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledValue:
    """A name and what it stands for; `code` marks values a reader may want to copy."""

    name: str
    value: str
    code: bool = False


def sampling(facts: RunFacts) -> tuple[LabelledValue, ...]:
    """Word what the run took: calls, time, tokens and money. An unknown price is said, never shown as nothing."""
    return tuple(_sampled(name, value) for name, value in facts.sampling.items())


def _sampled(name: str, value: float | None) -> LabelledValue:
    label = _SAMPLED.get(name, name.replace("retries_", "retries: ").replace("_", " "))
    if name.endswith("cost_usd"):
        return LabelledValue(
            name=label,
            value="price unknown"
            if value is None
            else figure(value, "usd", 2 if value >= 1 else 4),
        )
    if value is None:
        return LabelledValue(name=label, value="unknown")
    if name.endswith("_s"):
        return LabelledValue(name=label, value=duration(value))
    return LabelledValue(
        name=label, value=f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
    )


_SAMPLED = {
    "calls": "calls made",
    "retries": "retries",
    "credential_renewals": "credentials renewed",
    "killed": "times asking was killed and taken up again",
    "uncounted": "calls more than that at most, begun just before a kill",
    "reused": "answers reused",
    "wall_s": "time spent asking",
    "cost_usd": "cost",
    "judge_calls": "answers of judges",
    "judge_tokens": "tokens of judges",
    "judge_cost_usd": "cost of judges",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "completion tokens",
    "cached_tokens": "of the prompt, cached",
}
