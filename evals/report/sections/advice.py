"""What the reader can do about a verdict that let nothing go live: have it decided, or go against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals.records import CheckResult, NextStep
from evals.report.facts import RunFacts
from evals.report.sections.headline import blocking_checks

__all__ = ["advice"]


def advice(facts: RunFacts) -> Iterator[NextStep]:
    """Yield commands with their effect; none where nothing is left to be done."""
    verdict = facts.verdict
    blocking = blocking_checks(verdict) if verdict is not None else []
    if verdict is None or facts.kind == "regression":
        return
    if verdict.outcome == "INCONCLUSIVE":
        yield from _to_decide(facts, blocking)
    elif verdict.outcome == "FAIL" and facts.state == "refused":
        yield from _to_go_against(facts, blocking)


def _to_go_against(facts: RunFacts, blocking: Sequence[CheckResult]) -> Iterator[NextStep]:
    if blocking and all(check.overridable for check in blocking):
        yield NextStep(
            command=f"gatewright override {facts.run_id} --reason '…'",
            effect="lets it go live against the gate, with as many people as the gate asks for",
        )


def _to_decide(facts: RunFacts, blocking: Sequence[CheckResult]) -> Iterator[NextStep]:
    early = any(check.state != "decided" for check in blocking)
    if early:
        verb = "evaluate" if facts.kind == "evaluation" else "promote"
        again = "" if facts.kind == "evaluation" else " --again"
        model = facts.candidate.model_id
        yield NextStep(
            command=f"gatewright {verb} {facts.target} --model {model}{again} --no-early-stop",
            effect="asks every case, so that nothing is given up or left open before",
        )
    if early or any(check.rests_on == "interval" for check in blocking):
        yield NextStep(
            command=f"gatewright plan {facts.target}",
            effect="says how many cases, or which margin, can tell",
        )
