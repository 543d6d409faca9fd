"""What the reader of an undecided verdict can do to have it decided."""

from __future__ import annotations

from collections.abc import Iterator

from evals.records import CheckResult
from evals.report.answer import blocking_checks
from evals.report.facts import RunFacts
from evals.report.reasons import given_up
from evals.wording import STILL_OPEN

__all__ = ["advice"]


def advice(facts: RunFacts) -> Iterator[str]:
    """Yield commands, each with a word on what it does; none for a verdict that is clear, or that no cases can change."""
    verdict = facts.verdict
    if verdict is None or verdict.outcome != "INCONCLUSIVE" or facts.kind == "regression":
        return
    blocking = blocking_checks(verdict)
    early = any(given_up(check) or _open(check) for check in blocking)
    if early:
        command = "evaluate" if facts.kind == "evaluation" else "promote"
        again = "" if facts.kind == "evaluation" else " --again"
        yield (
            f"gatewright {command} {facts.target} --model {facts.candidate.model_id}{again} --no-early-stop"
            "   asks every case, so that nothing is given up or left open before"
        )
    if early or any("can't tell" in check.reason for check in blocking):
        yield f"gatewright plan {facts.target}   says how many cases, or which margin, can tell"


def _open(check: CheckResult) -> bool:
    return f"; {STILL_OPEN} at look " in check.reason
