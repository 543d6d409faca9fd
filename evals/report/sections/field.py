"""The field that a candidate was chosen from: everybody in it, rung by rung, who was chosen and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evals.report.numbers import counted, figure, percentage, unit_of
from evals.selection.records import RungResult, SelectionFacts, Standing

__all__ = ["FieldRow", "FieldView", "field_view"]

_NOTHING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """One candidate: what it scored in each rung, and what became of it. `chosen` marks the one that was chosen."""

    name: str
    named: str
    cells: tuple[str, ...]
    fate: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """A selection in words; `columns` names the rungs, each row has a cell for each of them."""

    title: str
    leads: tuple[str, ...]
    caption: str
    columns: tuple[str, ...]
    rows: tuple[FieldRow, ...]


def field_view(
    facts: SelectionFacts, names: Mapping[str, str], judged: str | None = None
) -> FieldView:
    """Word a selection; `names` are short names of model ids, `judged` is the model a report is about. Pure."""
    plan = facts.plan
    count = len(plan.candidates)
    return FieldView(
        title=f"The field of {count} candidates",
        leads=tuple(_leads(facts, names, judged)),
        caption=_caption(facts),
        columns=tuple(
            f"rung {number}: {counted(cases, 'case')}"
            for number, cases in enumerate(plan.rungs[: max(1, len(facts.rungs))], start=1)
        ),
        rows=tuple(_row(facts, names, place) for place in _order(facts)),
    )


def _leads(facts: SelectionFacts, names: Mapping[str, str], judged: str | None) -> Iterator[str]:
    plan = facts.plan
    choosing, judging = sum(plan.choosing.values()), sum(plan.judging.values())
    better = "the highest" if plan.higher_is_better else "the lowest"
    if facts.chosen is not None:
        chosen = plan.candidates[facts.chosen].model_id
        yield (
            f"{names.get(chosen, chosen)} was chosen: {better} {plan.metric} of those left after the last rung,"
            f" on {counted(choosing, 'case')} that only choose."
        )
    elif facts.why:
        yield f"{facts.why}."
    else:
        yield "Nobody has been chosen yet."
    yield (
        f"Selection {facts.selection} holds back {percentage(plan.rule.share)} of each suite for choosing, dealt before the"
        f" first answer and for good; the other {counted(judging, 'case')} judge the chosen one alone, at the gate's full"
        " promise."
    )
    if facts.chosen is not None and judged not in (None, plan.candidates[facts.chosen].model_id):
        yield f"{names.get(judged or '', judged)} was not chosen; it is judged on the same {counted(judging, 'case')}."


def _caption(facts: SelectionFacts) -> str:
    confidence = next((one.confidence for rung in facts.rungs for one in rung.standings), 0.95)
    return (
        f"{facts.plan.metric} on the cases for choosing, with its {percentage(2 * confidence - 1)} interval. Each rung drops"
        " the worse half, and whoever clearly breaks a condition of the gate on its own; of equal scores the one"
        " named first goes on; a missing answer counts at its worst."
    )


def _order(facts: SelectionFacts) -> list[int]:
    """Places in the field: who came furthest first, and within a rung who stood best."""
    found: list[int] = []
    for rung in reversed(facts.rungs):
        found += [one.place for one in rung.standings if one.place not in found]
    return found + [place for place in range(len(facts.plan.candidates)) if place not in found]


def _row(facts: SelectionFacts, names: Mapping[str, str], place: int) -> FieldRow:
    model = facts.plan.candidates[place].model_id
    return FieldRow(
        name=names.get(model, model),
        named=facts.plan.named[place],
        cells=tuple(_cell(facts, rung, place) for rung in facts.rungs) or (_NOTHING,),
        fate=_fate(facts, place),
        chosen=place == facts.chosen,
    )


def _cell(facts: SelectionFacts, rung: RungResult, place: int) -> str:
    one = _standing(rung, place)
    if one is None:
        return _NOTHING
    unit = unit_of(facts.plan.metric)
    if one.score is None:
        return "not measured"
    span = (
        ""
        if one.lower is None or one.upper is None
        else f" ({figure(one.lower, unit)} to {figure(one.upper, unit)})"
    )
    missing = f", {one.asked - one.scored} missing" if one.scored < one.asked else ""
    return f"{figure(one.score, unit)}{span}{missing}"


def _fate(facts: SelectionFacts, place: int) -> str:
    if place == facts.chosen:
        return "chosen"
    for rung in facts.rungs:
        one = _standing(rung, place)
        if one is not None and not one.left:
            why = f": {one.failed[0]}" if one.failed else ""
            return f"dropped after rung {rung.rung}{why}"
    return "still in" if facts.rungs else "not asked yet"


def _standing(rung: RungResult, place: int) -> Standing | None:
    return next((one for one in rung.standings if one.place == place), None)
