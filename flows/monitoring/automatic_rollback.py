"""Going back by itself, where a target says so: to the newest earlier model that stands warm and has not failed itself.

It is the rollback that a person would make, with the same records, and held afterwards. Each regression run goes back once at
most; one that was killed on the way is finished. Where a person holds the target, or nothing fit stands, nothing is changed
and the reason is on record: the other consequences of the run have happened by then.
"""

from __future__ import annotations

from typing import Any

import msgspec

from evals.errors import GatewrightError, RefusedError
from evals.evaluation.evaluation import Evaluation
from evals.records import MODEL_OUTCOMES, LivePointer
from flows.config.connections import publishers_of
from flows.config.strategy import fixed_name
from flows.evaluation.open_run import OpenRun, open_run
from flows.evaluation.progress import WaitsOfAsking
from flows.monitoring.regression_outcome import in_one_line, speaks_against
from flows.platforms.base import ServesByModelId
from flows.platforms.model_names import same_id, same_model, short_name
from flows.recovery.rollback import roll_back
from flows.recovery.target_rollback import begin_rollback
from flows.registry.records import AUTOMATION
from flows.registry.regression_outcomes import RegressionOutcome
from flows.settings import Settings

__all__ = ["ROLLBACK", "roll_back_failed"]

ROLLBACK = "rollback"
"""The step of a regression run that goes back."""


async def roll_back_failed(settings: Settings, run_id: str) -> RegressionOutcome | None:
    """Go back from a live model that a regression run found worse, if its target asks for it; return what is on record then.

    None where nothing was to be done. Safe to do again. Never raises for what keeps it from going back.
    """
    with open_run(settings, run_id) as run:
        outcome = run.registry.regression_outcome(run_id)
        marks = {
            one.phase: one.detail for one in run.registry.steps(run_id) if one.step == ROLLBACK
        }
        wanted = ROLLBACK in run.target.regression.get("on_fail", [])
        if outcome is None or not wanted or {"done", "failed"}.intersection(marks):
            return None
        if not speaks_against(run):
            return None
        try:
            done = await _go_back(run, outcome, marks.get("begun"))
        except (GatewrightError, OSError) as error:
            done = _failed(run, outcome, " ".join(str(error).split())[:400])
        finally:
            await run.platform.aclose()
        return done


async def _go_back(
    run: OpenRun, outcome: RegressionOutcome, begun: dict[str, Any] | None
) -> RegressionOutcome:
    registry, target = run.registry, run.target.name
    if begun is None:
        begun = await _begun(run, outcome)
    verdict = registry.verdict(outcome.run_id)
    assert verdict is not None, "only what was judged is gone back from"
    start, goal = int(begun["from_generation"]), str(begun["to"])
    back = await roll_back(
        target,
        to=goal,
        from_generation=begin_rollback(
            registry, target, goal, actor=AUTOMATION, from_generation=start
        ),
        reason=in_one_line(run, verdict),
        actor=AUTOMATION,
        platform=run.platform,
        registry=registry,
        publishers=publishers_of(run.settings, run.target),
        slot=run.target.production,
        keeps_name=fixed_name(run.target),
    )
    if not back.problems:
        registry.told_rollback(target, actor=AUTOMATION)
    detail = {"to": goal, "generation": back.pointer.generation, "problems": list(back.problems)}
    # The mark comes last: what is marked as done is never looked at again.
    found = registry.save_regression_outcome(_with(outcome, rolled_back_to=goal))
    said = f"rolled back to {short_name(goal)}"
    trouble = f"; some publishers failed: {'; '.join(back.problems)}" if back.problems else ""
    registry.set_run_state(
        outcome.run_id, "judged", f"{in_one_line(run, verdict)}; {said}{trouble}"[:500]
    )
    registry.record_step(outcome.run_id, ROLLBACK, "done", detail)
    return found


async def _begun(run: OpenRun, outcome: RegressionOutcome) -> dict[str, Any]:
    """Choose what is gone back to, and put on record that it begins. Raises RefusedError when nothing may be gone back to."""
    registry, target = run.registry, run.target.name
    live, hold = registry.live(target), registry.held(target)
    if live is None or not same_id(live.model_id, outcome.model_id):
        raise RefusedError(f"{short_name(outcome.model_id)} is not live any more")
    if hold is not None and hold.actor != AUTOMATION:
        raise RefusedError(f"{hold.actor} holds the target since {hold.since[:16]}: {hold.reason}")
    goal = await _warm(run, live)
    detail = {"from_generation": live.generation, "to": goal.model_id}
    registry.record_step(outcome.run_id, ROLLBACK, "begun", detail)
    return detail


async def _warm(run: OpenRun, live: LivePointer) -> LivePointer:
    """The newest earlier model that stands and has not failed; raises RefusedError with what each lacks."""
    registry, target = run.registry, run.target.name
    lacking: dict[str, str] = {}
    past = [registry.pointer_at(target, one.generation) for one in registry.superseded(target)]
    for one in reversed(past):
        if one is None or same_id(one.model_id, live.model_id) or one.model_id in lacking:
            continue
        why = registry.barred(target, one.model_id) or _fell(run, one.model_id)
        why = why or await _not_standing(run, one)
        if not why:
            return one
        lacking[one.model_id] = why
    told = "; ".join(f"{short_name(name)}: {why}" for name, why in lacking.items())
    raise RefusedError(f"no earlier model is fit to go back to ({told or 'there is none'})")


def _fell(run: OpenRun, model: str) -> str:
    """Why the last regression run of an earlier model speaks against it, if it does."""
    for other in run.registry.regressions_of(run.target.name, model):
        came_to, verdict = (
            run.registry.regression_outcome(other.run_id),
            run.registry.verdict(other.run_id),
        )
        if came_to is None and verdict is None:
            continue
        worse = (
            came_to.outcome == "worse"
            if came_to is not None
            else verdict is not None and verdict.outcome == "FAIL"
        )
        return f"it failed its own regression run {other.run_id}" if worse else ""
    return ""


async def _not_standing(run: OpenRun, one: LivePointer) -> str:
    """Why a model would have to be deployed anew, or does not answer; "" when it stands, paused or not."""
    if one.deployment is None or isinstance(run.platform, ServesByModelId):
        return await _unanswered(run, one)
    stands = await run.platform.get(one.deployment)
    if stands is None:
        return "its deployment is gone"
    if not same_model(one.model_id, stands.model_id):
        return f"its deployment serves {stands.model_id}"
    return "" if stands.state in ("ready", "paused") else f"its deployment is {stands.state}"


async def _unanswered(run: OpenRun, one: LivePointer) -> str:
    """Why a model that needs no deployment does not answer, by a few questions; "" when it does."""
    cases = run.target.promotion.smoke_cases
    evaluation = Evaluation(
        run_id=run.record.run_id,
        folder=run.folder / f"warm-{one.generation}",
        suites=run.plan.suites[:1],
        roles=("candidate",),
        repeats={opened.suite.name: 1 for opened in run.plan.suites[:1]},
        limit=cases,
    )
    model = run.evaluated_model(
        "candidate", run.platform.connect(one.model_id, one.model_id, "production")
    )
    try:
        await evaluation.ask(1, {"candidate": model}, progress=WaitsOfAsking())
    except GatewrightError as error:
        return f"it does not answer: {error}"
    name = evaluation.suites[0].suite.name
    failed = [
        each.outcome
        for each in evaluation.responses("candidate", name)
        if each.outcome not in MODEL_OUTCOMES
    ]
    return f"it does not answer ({failed[0]})" if failed else ""


def _failed(run: OpenRun, outcome: RegressionOutcome, why: str) -> RegressionOutcome:
    found = run.registry.save_regression_outcome(_with(outcome, rollback_problem=why))
    detail = run.registry.run(outcome.run_id)
    before = detail.detail if detail is not None else outcome.why
    run.registry.set_run_state(
        outcome.run_id, "judged", f"{before[:300]}; not rolled back: {why}"[:500]
    )
    run.registry.record_step(outcome.run_id, ROLLBACK, "failed", {"why": why})
    return found


def _with(outcome: RegressionOutcome, **more: str) -> RegressionOutcome:
    return msgspec.structs.replace(
        outcome, **({"at": "", "rolled_back_to": "", "rollback_problem": ""} | more)
    )
