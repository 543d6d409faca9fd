"""What a target says of lost answers, and the grading again of answers whose judge could not be reached."""

from __future__ import annotations

import math

from evals.evaluation.lost_answers import SLOW_GRADING, LostAnswersPlan
from evals.gate.policy import parse_duration
from evals.sampling.budget import Budget
from evals.sampling.progress.snapshot import ProgressSink, Snapshot
from evals.sampling.progress.waits import moment_in, wait_telling
from flows.config.target import Target
from flows.evaluation.judges import judge_costs, judges_at_work
from flows.evaluation.open_run import OpenRun
from flows.evaluation.progress import run_progress

__all__ = ["grade_lost_again", "lost_answers_plan"]


def lost_answers_plan(target: Target) -> LostAnswersPlan:
    """How often a target's lost answers are asked for again before a run is judged, and how long is waited for that."""
    stated = target.sampling.get("lost_answers", {})
    usual = LostAnswersPlan()
    return LostAnswersPlan(
        attempts=stated.get("attempts", usual.attempts),
        wait_s=parse_duration(stated["wait"]) if "wait" in stated else usual.wait_s,
    )


async def grade_lost_again(run: OpenRun, budget: Budget, progress: ProgressSink | None) -> None:
    """Have judges grade, slowly, what they could not be reached for; the end of the budget ends it."""
    plan, sink = lost_answers_plan(run.target), run_progress(run.folder, progress)
    before = math.inf
    for turn in range(1, plan.attempts + 1):
        lost = run.evaluation.lost_grades()
        # A turn that won nothing back has met an outage, which a later retry may find over.
        if not lost or lost == before or judge_costs(run.folder).stopped:
            return
        before = lost
        which = f"{turn} of {plan.attempts}"

        def tell(left: float, lost: int = lost, which: str = which) -> None:
            sink.update(_waits(lost, left, which, budget))

        await wait_telling(plan.wait_before(turn), tell)
        async with judges_at_work(run.plan.judge, run.folder, budget):
            await run.evaluation.grade(SLOW_GRADING)


def _waits(lost: int, wait_s: float, turn: str, budget: Budget) -> Snapshot:
    return Snapshot(
        elapsed_s=0.0,
        roles={},
        spent_usd=budget.spent_usd,
        spent_tokens=budget.spent_tokens,
        ceiling_usd=budget.usd,
        ceiling_tokens=budget.tokens,
        note=f"{lost:,} answers could not be graded: judges are asked again in {wait_s:.0f} s, at {moment_in(wait_s)}, slowly ({turn})",
    )
