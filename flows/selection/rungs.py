"""The rungs of a selection: ask those that are left, see how they stand, drop the worse half, and settle who is judged."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from evals.errors import InfrastructureError
from evals.evaluation.evaluation import Evaluation
from evals.records import Price
from evals.sampling.budget import Budget
from evals.sampling.fatal_errors import EndpointGoneError
from evals.sampling.progress.snapshot import ProgressSink
from evals.sampling.response_store import ResponseStore
from evals.selection.halving import Scored, left_after
from evals.selection.records import RungResult, Standing
from evals.selection.standing import choosing_check, standing_of
from flows.evaluation.judges import judge_costs, judges_at_work
from flows.evaluation.open_run import evaluated_model
from flows.evaluation.progress import run_progress
from flows.evaluation.request import request_run
from flows.platforms.base import Connection
from flows.registry.records import RunRecord
from flows.registry.selections import CHOSEN
from flows.selection.names import reference_of
from flows.selection.open_selection import OpenSelection, open_selection, rung_step
from flows.selection.slots import connection_of, in_turns, remove_slots, room_again
from flows.settings import Settings

__all__ = ["ask_rung", "clean_up_field", "judge_rung", "request_judgement", "settle"]

_log = logging.getLogger(__name__)
_REDEPLOYS = 3


async def ask_rung(
    settings: Settings, run_id: str, rung: int, *, progress: ProgressSink | None = None
) -> None:
    """Ask those that are left what a rung adds (1-based), and grade the answers; what was answered is not asked again.

    Raises:
        ConfigurationError: gate or suites changed since the selection began.
        InfrastructureError: the budget ended it; nobody is chosen on half a rung.
    """
    with open_selection(settings, run_id) as selection:
        if len(selection.rungs) >= rung:
            return
        selection.require_unchanged()
        selection.registry.set_run_state(
            run_id,
            "evaluating",
            f"rung {rung} of {len(selection.field.rungs)}, {len(selection.left)} left",
        )
        asking = _Asking(selection, rung, progress)
        try:
            await remove_slots(selection, selection.dropped)
            await in_turns(selection, selection.left, asking.ask)
        finally:
            await selection.platform.aclose()
        await asking.grade()


def judge_rung(settings: Settings, run_id: str, rung: int) -> bool:
    """See how those that were asked stand, and drop the worse half; True when there is nothing more to ask.

    A rung that was judged before is not judged again.
    """
    with open_selection(settings, run_id) as selection:
        if len(selection.rungs) < rung:
            selection.require_unchanged()
            result = _result(selection, rung)
            selection.registry.record_step(
                run_id, rung_step(rung), "done", msgspec.to_builtins(result)
            )
        else:
            result = selection.rungs[rung - 1]
        return rung == len(selection.field.rungs) or len(result.left) < 2


def settle(settings: Settings, run_id: str) -> int | None:
    """Put the choice on record; returns the place of the chosen candidate in its field, None for nobody."""
    with open_selection(settings, run_id) as selection:
        registry, left = selection.registry, selection.left
        chosen = left[0] if left else None
        why = _why(selection, chosen)
        if not any(mark.step == CHOSEN for mark in registry.steps(run_id)):
            registry.record_step(run_id, CHOSEN, "done", {"place": chosen, "why": why})
        registry.set_run_state(run_id, "refused" if chosen is None else "judged", why[:500])
        return chosen


def request_judgement(settings: Settings, run_id: str) -> RunRecord | None:
    """Record the promotion run of the chosen candidate, or find it; None when nobody was chosen.

    Raises:
        ConfigurationError: gate or suites changed since the selection began, and nobody was judged yet.
    """
    with open_selection(settings, run_id) as selection:
        record, left = selection.record, selection.left
        if not left:
            return None
        if not _is_judged(selection):
            selection.require_unchanged()
        field = selection.field
        ref = reference_of(field.named[left[0]], field.candidates[left[0]])
    run, _created = request_run(
        settings,
        record.target,
        ref,
        kind="promotion",
        actor=record.requested_by,
        early_stop=record.trigger.get("early_stop") != "off",
        fresh="fresh" in record.trigger,
        selection=run_id,
    )
    return run


async def clean_up_field(settings: Settings, run_id: str) -> None:
    """Delete every developer slot of a field, whatever happened before."""
    with open_selection(settings, run_id) as selection:
        field = selection.registry.field(run_id)
        if field is None:
            return
        try:
            await remove_slots(selection, range(len(field.candidates)))
            if len(selection.left) == 1:
                await room_again(selection, selection.left[0])
        finally:
            await selection.platform.aclose()


class _Asking:
    """One rung while it is asked: its cases, what may be spent, and how a candidate is asked and graded."""

    def __init__(self, selection: OpenSelection, rung: int, progress: ProgressSink | None) -> None:
        self.selection, self.rung, self.progress = selection, rung, progress
        stated = selection.plan.target.sampling
        self.budget = Budget(usd=stated.get("budget_usd"), tokens=stated.get("budget_tokens"))
        judges = judge_costs(selection.folder)
        self.budget.spend(judges.cost_usd or 0.0, judges.tokens)

    async def ask(self, place: int, connection: Connection) -> None:
        """Ask one candidate; a developer slot that is gone is deployed again, a few times."""
        selection, evaluation = self.selection, evaluation_of(self.selection, self.rung, place)
        for attempt in range(_REDEPLOYS + 1):
            model = evaluated_model(
                selection.plan.target,
                "candidate",
                connection,
                price=price_of(selection, place),
                fresh="fresh" in selection.record.trigger,
            )
            try:
                with ResponseStore(selection.settings.home / "responses") as store:
                    asked = await evaluation.ask(
                        1,
                        {"candidate": model},
                        progress=run_progress(selection.folder, self.progress),
                        budget=self.budget,
                        store=store,
                    )
            except EndpointGoneError:
                if attempt == _REDEPLOYS:
                    raise
                connection = await connection_of(selection, place)
                continue
            if stopped := [one.reason for one in asked if one.stopped]:
                raise InfrastructureError(f"choosing could not go on: {stopped[0]}")
            return

    async def grade(self) -> None:
        """Score every answer that has no score yet."""
        selection = self.selection
        async with judges_at_work(selection.plan.judge, selection.folder, self.budget):
            for place in selection.left:
                await evaluation_of(selection, self.rung, place).grade()


def evaluation_of(selection: OpenSelection, rung: int, place: int) -> Evaluation:
    """The evaluation of one candidate up to a rung; those of later rungs go on in the same folder."""
    folder: Path = selection.candidate_folder(place)
    return Evaluation(
        run_id=selection.run_id,
        folder=folder,
        suites=selection.asked_in(rung),
        roles=("candidate",),
        repeats=selection.plan.repeats,
    )


def price_of(selection: OpenSelection, place: int) -> Price | None:
    """The price of a candidate, None when it is not known."""
    candidate = selection.field.candidates[place]
    return selection.platform.price(candidate.model_id, candidate.base_model)


def _result(selection: OpenSelection, rung: int) -> RungResult:
    plan, field = selection.plan, selection.field
    check = choosing_check(
        plan.policy, plan.suites, plan.target.promotion.choose_by, plan.target.path
    )
    standings: list[Standing] = []
    for place in selection.left:
        model = field.candidates[place].model_id
        results = evaluation_of(selection, rung, place).results(
            1, {"candidate": (model, price_of(selection, place))}
        )
        standings.append(standing_of(plan.policy, check, place, results["candidate"]))
        _log.info("rung %d, %s: %s", rung, model, standings[-1].score)
    left = left_after(
        [Scored(one.place, one.score, bool(one.failed)) for one in standings],
        higher_is_better=field.higher_is_better,
        last=rung == len(field.rungs),
    )
    by_place = {one.place: one for one in standings}
    order = [*left, *(one.place for one in standings if one.place not in left)]
    return RungResult(
        rung=rung,
        cases=field.rungs[rung - 1],
        standings=tuple(
            msgspec.structs.replace(by_place[place], left=place in left) for place in order
        ),
    )


def _is_judged(selection: OpenSelection) -> bool:
    """Whether the run that judges who was chosen is on record; what it is judged by is its own matter then."""
    known = selection.registry.runs(selection.record.target, None)
    return any(one.trigger.get("selection") == selection.run_id for one in known)


def _why(selection: OpenSelection, chosen: int | None) -> str:
    field = selection.field
    if chosen is None:
        return (
            f"none of {len(field.candidates)} candidates was chosen: each clearly breaks a condition of the gate, or"
            f" could not be measured by {field.metric}"
        )
    model = field.candidates[chosen].model_id
    rivals = len(field.candidates) - 1
    best = "highest" if field.higher_is_better else "lowest"
    return (
        f"{model} was chosen before {rivals} other{'s' if rivals > 1 else ''}: it had the {best} {field.metric} of those"
        " left after each rung"
    )
