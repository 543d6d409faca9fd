"""Says why answers are missing: what became of the questions, model by model, before any check is spoken of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from evals.gate.examiner import Evidence
from evals.metrics.results import ModelResults
from evals.records import INFRASTRUCTURE_OUTCOMES, MODEL_OUTCOMES, CheckResult

__all__ = ["hinders", "too_few_answered", "why_missing"]

_NAMES = {
    "server_error": ("server error", "server errors"),
    "timed_out": ("timeout", "timeouts"),
    "rate_limited": ("rate limit", "rate limits"),
    "connection_error": ("connection error", "connection errors"),
    "invalid_request": ("refused request", "refused requests"),
}


def why_missing(evidence: Evidence) -> tuple[str, ...]:
    """Return a sentence for each model that did not answer all it was asked: how much came, and what came instead."""
    sides = (("candidate", evidence.candidate), ("baseline", evidence.baseline or {}))
    return tuple(sentence for role, by_suite in sides for sentence in _of_model(role, by_suite))


def too_few_answered(evidence: Evidence, min_scored: float) -> str | None:
    """Return why so few questions were answered by the candidate that nobody can judge it, None for enough."""
    asked, answered, _ = _counts(evidence.candidate)
    asked = asked or sum(int(one.planned.sum()) for one in evidence.candidate.values())
    share = answered / asked if asked else 0.0
    if share >= min_scored:
        return None
    return f"only {share:.2%} of the questions asked of the candidate were answered, the policy asks for {min_scored:.2%}"


def hinders(check: CheckResult) -> bool:
    """Return whether missing answers may be why a deciding check did not pass."""
    missing = check.missing_candidate or check.missing_baseline or not check.measured
    return bool(check.decides and check.outcome != "PASS" and missing)


def _of_model(role: str, by_suite: Mapping[str, ModelResults]) -> Iterator[str]:
    asked, answered, outcomes = _counts(by_suite)
    lost = {name: outcomes[name] for name in sorted(INFRASTRUCTURE_OUTCOMES) if outcomes[name]}
    never = max(0, asked - answered - sum(lost.values()))
    if not asked or (not lost and not never):
        return
    parts = [_counted(name, count) for name, count in sorted(lost.items(), key=lambda at: -at[1])]
    parts += [f"{never} never asked"] if never else []
    noun = "case" if asked == 1 else "cases"
    if any(one.counts.get("planned", 0) > int(one.planned.sum()) for one in by_suite.values()):
        noun = "questions"  # cases asked several times
    yield f"The {role} answered {answered} of {asked} {noun}: {', '.join(parts)}"


def _counts(by_suite: Mapping[str, ModelResults]) -> tuple[int, int, Counter[str]]:
    """How many questions were asked and answered, and what became of them by outcome."""
    outcomes = sum((Counter(one.outcomes) for one in by_suite.values()), Counter[str]())
    asked = sum(one.counts.get("planned", 0) for one in by_suite.values())
    return asked, sum(outcomes[name] for name in MODEL_OUTCOMES), outcomes


def _counted(outcome: str, count: int) -> str:
    one, many = _NAMES[outcome]
    return f"{count} {one if count == 1 else many}"
