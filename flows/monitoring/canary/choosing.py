"""Which cases a canary asks: some that were always answered alike, drawn at random over suites and slices.

Kept answers come first: a case counts as long as all of them agree. Twice as many cases as are wanted are then asked a few
times more, and those chosen whose answers go on to agree. The same answers say whether what is asked is still the model
that was promoted: cases whose kept answers agree on one thing and whose new ones agree on another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from statistics import median
from typing import Literal

from evals.evaluation.answer_forms import AnswerForms, answer_forms
from evals.evaluation.kept_answers import KeptAnswers, case_digest
from evals.evaluation.kept_results import AskedSuite, why_incomparable
from evals.evaluation.ordering import stratified_order
from evals.records import digest
from evals.stats.steady_answers import chance_of_order, p_of_differing, p_of_more_restless
from evals.suites.opened import OpenedSuite
from flows.evaluation.kept.keep import how_asked, open_reference
from flows.evaluation.open_run import TargetPlan, strata
from flows.monitoring.canary.answers_of_run import in_run
from flows.monitoring.canary.live_model import Answer, AskedCase, Key, LiveModel
from flows.platforms.model_names import same_model
from flows.registry.canaries import CanaryCase, CanaryState
from flows.registry.provenance import origin
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["Chosen", "asking", "choose", "most_calls"]

AGAIN = 5
"""How often a case is asked before it is chosen, where answers of it are kept; once more where none are."""
_DRAWN = 2
_Kept = tuple[dict[Key, list[AnswerForms]], frozenset[str]]
_Way = Literal["text", "labels"]
_WAYS: tuple[_Way, ...] = ("text", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The cases, what was seen on the way, and `p`: the p-value of another model than the one whose answers are kept.

    `answered` of `asked` cases were answered as often as they were asked, `compared` of them had kept answers, and `turned` of
    those agree on something else than before. `restless` were not answered alike each time, and `p_restless` is the p-value of so
    many more than when cases were chosen before. `passed_over` of `looked_over` cases were not chosen. `measured_by` is the
    regression run whose answers stood for the kept ones.
    """

    cases: tuple[CanaryCase, ...]
    asked: int
    answered: int
    passed_over: int
    looked_over: int
    own_answers: bool
    marks: frozenset[str]
    kept_marks: frozenset[str] = frozenset()
    turned: int = 0
    compared: int = 0
    p: float | None = None
    restless: int = 0
    p_restless: float = 1.0
    measured_by: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class _Drawn:
    """A case on its way: the answers that are kept of it, and those that came."""

    one: AskedCase
    kept: list[AnswerForms]
    new: list[Answer] = field(default_factory=list)

    @property
    def forms(self) -> list[AnswerForms]:
        return [answer.forms for answer in self.new]

    @property
    def steady(self) -> _Way | None:
        return _agree_by([*self.kept, *self.forms])

    @property
    def restless(self) -> bool:
        """Whether the first `AGAIN` new answers do not agree; kept ones have no say in it."""
        return _agree_by(self.forms[:AGAIN]) is None

    @property
    def turned(self) -> bool:
        """Whether the kept answers agree on one thing and the new ones on another."""
        for way in _WAYS if self.kept and self.new else ():
            before, now = ({one.by(way) for one in forms} for forms in (self.kept, self.forms))
            if len(before) == len(now) == 1 and "" not in before | now:
                return before != now
        return False


def _agree_by(forms: Sequence[AnswerForms]) -> _Way | None:
    """By what all answers agree, the stricter of the two; None when they do not."""
    for way in _WAYS:
        found = {one.by(way) for one in forms}
        if len(found) == 1 and found != {""}:
            return way
    return None


def asking(plan: TargetPlan, number: int) -> str:
    """Return a digest of how many cases are wanted and how suites are asked: answers to other questions can't be compared."""
    ways = {one.suite.name: how_asked(plan.target, one, "candidate") for one in plan.suites}
    return digest([number, ways])


def most_calls(number: int) -> int:
    """How many calls choosing so many cases takes at most, retries aside."""
    return _DRAWN * number * (AGAIN + 1)


async def choose(
    settings: Settings, registry: Registry, live: LiveModel, number: int, state: CanaryState
) -> Chosen:
    """Choose `number` cases, or as many as there are. Asks each drawn one `AGAIN` times, or once more without kept answers.

    After a change that is over, the answers of the regression run that ended it take the place of the kept ones. Where a person
    asked for today's answers, no others are used.

    Raises SamplingError when the endpoint can't be asked at all, KeptAnswersError when kept answers are damaged.
    """
    order = list(islice(_in_order(live), 10 * number))
    comparable = state.asking in ("", asking(live.plan, number))
    kept, kept_marks = _measure(settings, registry, live, order, state, comparable=comparable)
    own = not kept
    # So many are drawn before anything is known of their answers; what is passed over of them is counted.
    drawn = [_Drawn(one=one, kept=kept.get(one.key, [])) for one in order if own or one.key in kept]
    drawn = drawn[: _DRAWN * number]
    again = AGAIN + 1 if own else AGAIN
    varied = [one for one in drawn if one.kept and _agree_by(one.kept) is None]
    asked = await _ask(live, [one for one in drawn if one not in varied], again)
    steady = [one for one in asked if one.steady and not one.turned]
    turned = [one for one in asked if one.turned]
    looked_over = len(asked) + len(varied)
    passed_over = looked_over - len(steady)
    restless = sum(one.restless for one in asked)
    before = (state.passed_over, state.looked_over) if comparable else (0, 0)
    return Chosen(
        asked=len(drawn),
        looked_over=looked_over,
        restless=restless,
        p_restless=p_of_more_restless(restless, len(asked), *before),
        measured_by="" if own else state.measured_by,
        cases=tuple(_case(one) for one in steady[:number]),
        answered=len(asked),
        passed_over=passed_over,
        own_answers=own,
        marks=frozenset(mark for one in drawn for answer in one.new for mark in answer.marks),
        kept_marks=kept_marks,
        turned=len(turned),
        compared=0 if own else len(asked),
        p=None if own else _p_of_turned(turned, passed_over - len(turned), again),
    )


async def _ask(live: LiveModel, drawn: Sequence[_Drawn], again: int) -> list[_Drawn]:
    """Ask each case until its answers disagree; returns those of which no answer was lost."""
    left, whole = list(drawn), list(drawn)
    for _ in range(again):
        answers = await live.ask([one.one for one in left])
        whole = [one for one in whole if one not in left or one.one.key in answers]
        left = [one for one in left if one.one.key in answers]
        for one in left:
            one.new.append(answers[one.one.key])
        left = [one for one in left if _agree_by(one.forms)]
    return whole


def _p_of_turned(turned: Sequence[_Drawn], unsteady: int, again: int) -> float:
    """The p-value of so many cases whose answers turned, beside those that do not agree with themselves."""
    chance = max((chance_of_order(len(one.kept), again) for one in turned), default=1.0)
    return p_of_differing(len(turned), unsteady, chance)


def _case(one: _Drawn) -> CanaryCase:
    way = one.steady
    assert way is not None, "only cases that agree are chosen"
    times = [answer.latency_ms for answer in one.new if answer.latency_ms is not None]
    suite, case_id = one.one.key
    return CanaryCase(
        suite=suite,
        case_id=case_id,
        case=case_digest(one.one.case),
        by=way,
        answer=one.forms[0].by(way),
        agreed=len(one.kept) + len(one.new),
        latency_ms=median(times) if times else None,
    )


def _in_order(live: LiveModel) -> Iterator[AskedCase]:
    """All cases in an order nobody chooses, one suite after the other in turn, each slice in proportion.

    The cases of sealed suites are asked only where there are no others: what is sent every hour does not stay unseen.
    """
    plan, name = live.plan, f"{live.plan.target.name} {live.pointer.generation}"
    suites = [one for one in plan.suites if not one.suite.sealed] or list(plan.suites)
    tags = strata(plan.policy)
    orders = [
        iter(stratified_order(one.suite.cases, tags, f"{name} {one.suite.name}")) for one in suites
    ]
    for row in zip_longest(*orders):
        for opened, position in zip(suites, row, strict=True):
            if position is not None:
                yield AskedCase(opened=opened, case=opened.suite.cases[int(position)])


def _measure(
    settings: Settings,
    registry: Registry,
    live: LiveModel,
    order: Sequence[AskedCase],
    state: CanaryState,
    *,
    comparable: bool,
) -> _Kept:
    if state.measured_by:
        found = in_run(settings, registry, live, state.measured_by, order) if comparable else None
        return found or ({}, frozenset())
    return ({}, frozenset()) if state.own_answers else _kept(settings, registry, live, order)


def _kept(
    settings: Settings, registry: Registry, live: LiveModel, order: Sequence[AskedCase]
) -> _Kept:
    """The kept answers of the live model to some cases that did not change since, and the marks kept with them."""
    wanted = {one.key: one for one in order}
    found: dict[Key, list[AnswerForms]] = {}
    marks: set[str] = set()
    for answers in _sources(settings, registry, live):
        for opened in {one.opened.suite.name: one.opened for one in order}.values():
            record = answers.record.suite(opened.suite.name)
            if record is None or why_incomparable(record, _asked_now(live.plan, opened)):
                continue
            marks.update(record.deployments)
            for key, forms in _forms(answers, opened, wanted):
                found.setdefault(key, []).append(forms)
    return found, frozenset(marks)


def _sources(settings: Settings, registry: Registry, live: LiveModel) -> Iterator[KeptAnswers]:
    """The answers of the fresh pass over what is live, and those that it was promoted by."""
    target, model = live.plan.target.name, live.pointer.model_id
    fresh = registry.reference(target, origin(registry, live.pointer).generation)
    if fresh is not None:
        yield open_reference(settings, fresh)
    for reference in registry.kept_answers(target):
        if same_model(model, reference.model_id):
            yield open_reference(settings, reference)


def _forms(
    answers: KeptAnswers, opened: OpenedSuite, wanted: Mapping[Key, AskedCase]
) -> Iterator[tuple[Key, AnswerForms]]:
    for line in answers.lines(opened.suite.name):
        key = (opened.suite.name, line.response.case_id)
        one = wanted.get(key)
        if one is not None and line.case == case_digest(one.case):
            forms = answer_forms(opened, one.case, line.response)
            if forms is not None:
                yield key, forms


def _asked_now(plan: TargetPlan, opened: OpenedSuite) -> AskedSuite:
    asked_with = how_asked(plan.target, opened, "candidate")
    return AskedSuite(opened=opened, asked_with=asked_with, repeats=1)
