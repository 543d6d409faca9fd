"""How far judges agree with people, in words: a judge whose agreement isn't known is an opinion, and the page says so."""

from __future__ import annotations

from collections.abc import Iterator

from evals.report.facts import JudgeFacts, RunFacts
from evals.report.numbers import counted, figure, percentage

__all__ = ["judges"]


def judges(facts: RunFacts) -> Iterator[str]:
    """Yield one sentence for each judge."""
    for judge in facts.judges:
        yield f"{judge.grader} ({_who(judge)}suite {judge.suite}) {_agrees(judge)}."


def _who(judge: JudgeFacts) -> str:
    return f"judged by {', '.join(judge.models)}, " if judge.models else ""


def _agrees(judge: JudgeFacts) -> str:
    if not judge.n:
        return "has no human labels of these answers: how far it agrees with people is not known"
    agreement = f"says the same as people of {percentage(judge.exact)} of {counted(judge.n, 'labelled answer')}"
    weighted = "weighted kappa" if judge.level == "interval" else "kappa"
    return (
        f"{agreement}, {weighted} {_value(judge.kappa)}, Krippendorff's alpha {_value(judge.alpha)}"
    )


def _value(value: float | None) -> str:
    return "undefined (nobody differs in anything)" if value is None else figure(value, "score", 2)
