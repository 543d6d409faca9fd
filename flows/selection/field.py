"""Opens a field: names every candidate, refuses those that can't take part, and writes down who chooses and who judges.

All of it is on record, in the registry and in the selection's folder, before the first answer is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from evals.config.documents import raise_problems
from evals.errors import PlatformError, Problem, RefusedError
from evals.records import Candidate, Record
from evals.selection.halving import rung_shares
from evals.selection.records import FieldPlan
from evals.selection.split import SplitRule
from evals.selection.standing import choosing_check, higher_is_better
from flows.evaluation.estimate import budget_findings
from flows.evaluation.judge_preflight import judge_findings
from flows.evaluation.request import earlier_try
from flows.files import write_record
from flows.platforms.base import Finding
from flows.platforms.model_names import folded_id, same_id
from flows.selection.names import find_candidate
from flows.selection.open_selection import OpenSelection, open_selection
from flows.selection.request import rule_of
from flows.settings import Settings

__all__ = ["SPLIT_FILE", "open_field"]

SPLIT_FILE = "split.json"


class SplitRecord(Record, frozen=True, kw_only=True):
    """Who chooses, as the selection's folder keeps it: the rule, and by suite the ids of the cases that never judge."""

    rule: SplitRule
    choosing: dict[str, tuple[str, ...]]


async def open_field(settings: Settings, run_id: str) -> int:
    """Put the field of a selection on record; returns its number of rungs. Opened before, it stays as it was.

    Raises:
        ConfigurationError: candidates that are not known, not finished, or the same; a platform that has no room for them.
        PlatformError: nothing listens where the platform should answer.
    """
    with open_selection(settings, run_id) as selection:
        known = selection.registry.field(run_id)
        if known is not None:
            return len(known.rungs)
        selection.require_unchanged()
        selection.registry.set_run_state(run_id, "preflight")
        try:
            candidates = await _candidates(selection)
            await _preflight(selection, candidates)
        finally:
            await selection.platform.aclose()
        plan = _written_down(selection, candidates)
        return len(plan.rungs)


def _written_down(selection: OpenSelection, candidates: Sequence[Candidate]) -> FieldPlan:
    plan, registry, run_id = selection.plan, selection.registry, selection.run_id
    rule = rule_of(plan)
    registry.deal_cases(
        run_id, {opened.suite.name: opened.suite.cases for opened in plan.suites}, rule
    )
    choosing = {name: len(ids) for name, ids in selection.choosing.items()}
    check = choosing_check(
        plan.policy, plan.suites, plan.target.promotion.choose_by, plan.target.path
    )
    total = sum(choosing.values())
    field = FieldPlan(
        named=tuple(selection.record.trigger["candidates"]),
        candidates=tuple(candidates),
        rule=rule,
        choosing=choosing,
        judging={
            opened.suite.name: len(opened.suite.cases) - choosing[opened.suite.name]
            for opened in plan.suites
        },
        metric=check.metric,
        check=check.label,
        higher_is_better=higher_is_better(check, plan.suites),
        rungs=tuple(math.ceil(share * total) for share in rung_shares(len(candidates), total)),
    )
    registry.enter_field(run_id, field)
    write_record(
        selection.folder / SPLIT_FILE, SplitRecord(rule=rule, choosing=dict(selection.choosing))
    )
    return field


async def _candidates(selection: OpenSelection) -> list[Candidate]:
    """Name every candidate; all that is wrong with them is said at once."""
    target, found, problems = selection.record.target, list[Candidate](), list[Problem]()
    names: list[str] = list(selection.record.trigger["candidates"])
    for name in names:
        try:
            found.append(await find_candidate(selection.platform, name, target=target))
        except RefusedError as error:
            problems.append(Problem(where=f"candidate {name}", message=str(error)))
    raise_problems([*problems, *_unfit(selection, names, found)])
    return found


def _unfit(
    selection: OpenSelection, names: Sequence[str], found: Sequence[Candidate]
) -> Iterator[Problem]:
    """Candidates that are the same model, are live already, or had their try."""
    if len(found) < len(names):
        return
    live = selection.registry.live(selection.record.target)
    seen: dict[str, str] = {}
    for name, candidate in zip(names, found, strict=True):
        model, where = candidate.model_id, f"candidate {name}"
        tried = earlier_try(selection.registry, selection.record, candidate)
        if (known := folded_id(model)) in seen:
            message = f"expected every candidate once; it is the same model as {seen[known]}"
            yield Problem(where=where, message=message)
        elif live is not None and same_id(live.model_id, model):
            yield Problem(where=where, message=f"{model} is live already", fix="leave it out")
        elif tried is not None:
            message = f"{model} was tried already: run {tried.run_id} is {tried.state}"
            yield Problem(where=where, message=message, fix="leave it out")
        seen.setdefault(known, name)


async def _preflight(selection: OpenSelection, candidates: Sequence[Candidate]) -> None:
    """Look at what could stop the selection; whatever forbids it is said once, whichever candidate it is about."""
    platform, target = selection.platform, selection.plan.target
    absent = await platform.reach()
    if absent is not None:
        raise PlatformError(absent.message, hint=absent.fix)
    found: list[Finding] = []
    for candidate in candidates:
        found += await platform.preflight(candidate, (target.developer, target.production))
        found += await judge_findings(
            selection.plan.judge,
            selection.plan.suites,
            {"candidate": candidate.model_id},
            target.path,
            ceiling_usd=target.sampling.get("budget_usd"),
        )
    found += budget_findings(selection.plan, platform, candidates)
    write_record(selection.folder / "preflight.json", found)
    failed = dict.fromkeys(
        Problem(where=target.path, field=item.name, message=item.message, fix=item.fix or None)
        for item in found
        if item.level == "fail"
    )
    raise_problems(failed)
