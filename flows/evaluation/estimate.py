"""What a run will take, said before it starts: questions, tokens, money and time, and what keeping its winner costs.

Tokens come from the last run of the same target where there is one, else from the length of the messages (four bytes a
token) and the longest answer that is allowed. A price that is not known makes the cost unknown, never zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evals.planning.losses import lost_share_of, out_of_reach
from evals.records import Candidate, Price, Role, SuiteResult, encode
from evals.report.numbers import rough_duration
from evals.suites.opened import OpenedSuite
from flows.deployments.downtime import downtime_findings
from flows.deployments.hosting import billed_by_the_hour
from flows.evaluation.open_run import TargetPlan, sampling_settings
from flows.platforms.base import BillsByTheHour, Finding, Platform, SlotSpec
from flows.platforms.findings import price_advice
from flows.platforms.lifetimes import DEVELOPER_LIFE
from flows.registry.store import Registry

__all__ = [
    "RunEstimate",
    "budget_findings",
    "estimate_run",
    "expected_findings",
    "last_results",
    "reference_estimate",
]

_BYTES_A_TOKEN = 4
_LONGEST_ANSWER = 512
"""Tokens of an answer where nothing limits it."""
_LATENCY_S = 2.0
_PRICES = "give it under 'prices' in the target's platform block"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEstimate:
    """What asking one model takes: `usd` is None when its price is not known, `seconds` at the limits of its slot."""

    model_id: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    seconds: float


def estimate_run(
    plan: TargetPlan,
    role: Role,
    model_id: str,
    price: Price | None,
    seen: Sequence[SuiteResult] = (),
) -> RunEstimate:
    """Estimate what asking a model every case takes; `seen` are results of an earlier run of the target."""
    most = sampling_settings(plan.target, role).max_completion_tokens
    prompt = completion = calls = 0.0
    for opened in plan.suites:
        asked = len(opened.suite.cases) * plan.repeats[opened.suite.name]
        own = most or opened.suite.sampling.get("max_completion_tokens")
        into, out = _tokens(opened, own or _LONGEST_ANSWER, seen)
        calls, prompt, completion = calls + asked, prompt + asked * into, completion + asked * out
    usd = None if price is None else (prompt * price.input + completion * price.output) / 1e6
    return RunEstimate(
        model_id=model_id,
        calls=int(calls),
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        usd=usd,
        seconds=_seconds(plan, role, calls, prompt + completion, seen),
    )


def last_results(registry: Registry, target: str) -> tuple[SuiteResult, ...]:
    """Return what the latest judged run of a target measured of its candidate; empty when there is none."""
    for run in registry.runs(target, 20):
        results = tuple(
            one for one in registry.suite_results(run.run_id) if one.role == "candidate"
        )
        if results:
            return results
    return ()


def expected_findings(
    plan: TargetPlan,
    platform: Platform,
    asked: Mapping[Role, Candidate],
    seen: Sequence[SuiteResult] = (),
) -> tuple[Finding, ...]:
    """Return the lines of a preflight on cost, time, hosting and downtime; `asked` maps each role to its model."""
    models = {role: one.model_id for role, one in asked.items()}
    prices = {role: platform.price(one.model_id, one.base_model) for role, one in asked.items()}
    expected = [
        estimate_run(plan, role, model, prices[role], seen) for role, model in models.items()
    ]
    lines = [_cost(plan, expected), *budget_findings(plan, platform, asked.values())]
    lines += _reference(plan, expected[0])
    lines.append(_time(plan.target.developer, expected[0]))
    production = plan.target.production
    if production.sku and billed_by_the_hour(platform, models["candidate"], production):
        lines += _keeping(plan, prices["candidate"])
    developer = plan.target.developer
    if isinstance(platform, BillsByTheHour) and platform.billed_by_the_hour(
        models["candidate"], developer
    ):
        lines += _evaluating(developer, prices["candidate"])
    lines += downtime_findings(plan.target, platform, models)
    lines += _losses(plan, len(models), seen)
    return tuple(lines)


def budget_findings(
    plan: TargetPlan, platform: Platform, asked: Iterable[Candidate]
) -> Iterator[Finding]:
    """A failure for each model that a ceiling in USD can't be kept for: the run would be refused once it is deployed."""
    budget = plan.target.sampling.get("budget_usd")
    if budget is None:
        return
    for one in asked:
        if platform.price(one.model_id, one.base_model) is None:
            message = f"the price of {one.model_id} is not known, so the budget of {_usd(budget)} can't be kept"
            fix = f"{price_advice(one)}, or use 'sampling.budget_tokens'"
            yield Finding(name="budget", level="fail", message=message, fix=fix)


def _losses(plan: TargetPlan, roles: int, seen: Sequence[SuiteResult]) -> Iterator[Finding]:
    """A warning where as many losses as in an earlier run would alone keep checks from passing."""
    outcomes = sum((Counter(one.outcomes) for one in seen), Counter[str]())
    lost = lost_share_of(sum(one.planned for one in seen), outcomes)
    checks = out_of_reach(plan.policy, plan.suites, lost, roles=roles) if lost else ()
    if checks:
        message = (
            f"the run before lost {100 * lost:.2g} % of its answers; so many, each counted at its worst, keep"
            f" {', '.join(checks)} from passing whatever the candidate is like"
        )
        fix = f"ask more slowly ('sampling.concurrency'), raise 'sampling.lost_answers', or see gatewright plan {plan.target.name}"
        yield Finding(name="lost answers", level="warn", message=message, fix=fix)


def _tokens(opened: OpenedSuite, longest: int, seen: Sequence[SuiteResult]) -> tuple[float, float]:
    """Tokens in and out of one question of a suite."""
    for result in seen:
        into = result.metrics.get("prompt_tokens_mean")
        out = result.metrics.get("completion_tokens_mean")
        if result.suite == opened.suite.name and into and out:
            return into, out
    cases = opened.suite.cases
    total = sum(len(encode(list(case.messages))) for case in cases)
    return total / _BYTES_A_TOKEN / max(1, len(cases)), float(longest)


def _seconds(
    plan: TargetPlan, role: Role, calls: float, tokens: float, seen: Sequence[SuiteResult]
) -> float:
    """The longest of what the slot's limits, the target's own and the model's answering allow."""
    slot = plan.target.developer if role == "candidate" else plan.target.production
    settings = sampling_settings(plan.target, role)
    latency = [found / 1000 for one in seen if (found := one.metrics.get("latency_mean_ms"))]
    times = [calls * max(latency, default=_LATENCY_S) / settings.concurrency]
    requests = [settings.requests_per_minute, slot.capacity if slot.sku else None]
    volumes = [settings.tokens_per_minute, slot.capacity * 1000 if slot.sku else None]
    times += [calls * 60 / one for one in requests if one]
    times += [tokens * 60 / one for one in volumes if one]
    return max(times)


def _cost(plan: TargetPlan, expected: Sequence[RunEstimate]) -> Finding:
    into = sum(one.prompt_tokens for one in expected)
    out = sum(one.completion_tokens for one in expected)
    what = (
        f"{sum(one.calls for one in expected):,} questions to {len(expected)} model(s), about {into:,} tokens in and"
        f" {out:,} out"
    )
    unpriced = [one.model_id for one in expected if one.usd is None]
    if unpriced:
        message = (
            f"{what}: the cost is not known, because the price of {' and '.join(unpriced)} is not"
        )
        return Finding(name="cost", level="warn", message=message, fix=_PRICES)
    usd = sum(one.usd or 0.0 for one in expected)
    budget = plan.target.sampling.get("budget_usd")
    if budget is not None and usd > budget:
        message = f"{what}: about {_usd(usd)}, above the budget of {_usd(budget)}"
        fix = "raise 'sampling.budget_usd': a run that its budget ends is inconclusive"
        return Finding(name="cost", level="warn", message=message, fix=fix)
    return Finding(name="cost", level="ok", message=f"{what}: at most about {_usd(usd)}")


def reference_estimate(plan: TargetPlan, candidate: RunEstimate) -> RunEstimate | None:
    """Return what the fresh pass takes: a candidate that went live is asked everything once more. None where there is none."""
    return None if plan.target.regression.get("reference_budget_usd") == 0 else candidate


def _reference(plan: TargetPlan, expected: RunEstimate) -> Iterator[Finding]:
    """What the answers cost that regression runs compare with."""
    candidate = reference_estimate(plan, expected)
    if candidate is None:
        return
    budget = plan.target.regression.get("reference_budget_usd")
    cost = f"about {_usd(candidate.usd)}" if candidate.usd is not None else "its cost is not known"
    limit = f", at most {_usd(budget)}" if budget is not None else ""
    message = f"if it goes live, {candidate.calls:,} questions more to it, as the reference of regression runs: {cost}{limit}"
    yield Finding(name="reference", level="ok", message=message)


def _time(slot: SlotSpec, candidate: RunEstimate) -> Finding:
    took = rough_duration(candidate.seconds)
    if not slot.sku:
        return Finding(name="time", level="ok", message=f"asking takes about {took}")
    life = DEVELOPER_LIFE.total_seconds()
    at = f"asking takes up to about {took} at the slot's capacity of {slot.capacity}"
    if slot.sku.lower() != "developertier":
        return Finding(name="time", level="ok", message=at)
    if candidate.seconds < life:
        words = f"{at}; a developer slot lives {rough_duration(life)}"
        return Finding(name="time", level="ok", message=words)
    words = f"{at}, longer than the {rough_duration(life)} of a developer slot: it is deployed again and the run goes on"
    return Finding(name="time", level="warn", message=words, fix="raise 'slots.developer.capacity'")


def _keeping(plan: TargetPlan, price: Price | None) -> Iterator[Finding]:
    """What a standing production deployment costs, and what keeping the one before warm adds."""
    if price is None or price.hosting_per_hour is None:
        message = "the price of hosting is not known"
        yield Finding(name="hosting", level="warn", message=message, fix=_PRICES)
        return
    hourly, promotion = price.hosting_per_hour, plan.target.promotion
    message = f"{_usd(hourly * 730)} a month for the production deployment"
    if promotion.strategy == "blue_green":
        kept = hourly * promotion.keep_previous_s / 3600
        message += f"; keeping the one before for {rough_duration(promotion.keep_previous_s)}: {_usd(kept)} a promotion"
    yield Finding(name="hosting", level="ok", message=message)


def _evaluating(slot: SlotSpec, price: Price | None) -> Iterator[Finding]:
    """What a developer slot costs that is hosted for a fee, as DeveloperTier is not."""
    if price is not None and price.hosting_per_hour is not None:
        message = f"{_usd(price.hosting_per_hour)} an hour for the developer slot ({slot.sku}), until the run deletes it"
        yield Finding(name="hosting developer", level="ok", message=message)


def _usd(amount: float) -> str:
    places = 0 if amount >= 100 else 2 if amount >= 0.1 else 4
    return f"${amount:,.{places}f}"
