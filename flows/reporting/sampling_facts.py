"""What was asked and answered in a run, as its report shows it: per suite and model, per label, and in calls and tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from evals.metrics.estimates import confusion
from evals.metrics.results import ModelResults
from evals.records import Role
from evals.report.facts import Confusion, SuiteTrace
from evals.sampling.summary import SamplingSummary
from flows.evaluation.ask import sampling_summaries
from flows.evaluation.judges import judge_costs
from flows.evaluation.open_run import OpenRun
from flows.reporting.costs import cost_of, usages

__all__ = ["confusions", "sampling_figures", "traces"]


def traces(run: OpenRun) -> Iterator[SuiteTrace]:
    for role in run.evaluation.roles:
        for opened in run.plan.suites:
            responses = run.evaluation.responses(role, opened.suite.name)
            unscored = Counter(
                score.grader for score in run.evaluation.scores(role, opened) if score.unscored
            )
            yield SuiteTrace(
                role=role,
                suite=opened.suite.name,
                journal=f"journal ({role}, {opened.suite.name})",
                suite_cases=len(opened.suite.cases),
                left_out=len(run.plan.left_out.get(opened.suite.name, ())),
                repeats=run.evaluation.repeats_of(opened),
                reused=sum(response.reused for response in responses),
                unscored=dict(unscored),
            )


def confusions(
    run: OpenRun, results: Mapping[Role, Mapping[str, ModelResults]]
) -> Iterator[Confusion]:
    for role, by_suite in results.items():
        for suite, found in by_suite.items():
            for grader, column in found.labels.items():
                counts = confusion(found, grader)
                yield Confusion(
                    suite=suite,
                    grader=grader,
                    role=role,
                    labels=column.labels,
                    counts=tuple(tuple(int(count) for count in row) for row in counts),
                )


def sampling_figures(run: OpenRun) -> dict[str, int | float | None]:
    asked = sampling_summaries(run)
    roles = [role for summary in asked for role in summary.roles.values()]
    paid = usages(run)
    cost, unconfirmed = cost_of(run, paid), sum(role.unconfirmed_usd for role in roles)
    judges = judge_costs(run.folder)
    found: dict[str, int | float | None] = {
        "calls": sum(role.requests for role in roles),
        "retries": sum(sum(role.retries.values()) for role in roles),
        **_trouble(asked),
        "reused": sum(role.reused for role in roles),
        "wall_s": sum(summary.wall_s for summary in asked),
        "cost_usd": None if cost is None else cost + unconfirmed,
        "prompt_tokens": sum(usage.prompt_tokens for usage in paid.values()),
        "completion_tokens": sum(usage.completion_tokens for usage in paid.values()),
        "cached_tokens": sum(usage.cached_tokens for usage in paid.values()),
    }
    if judges.calls:
        found |= {
            "judge_calls": judges.calls,
            "judge_tokens": judges.tokens,
            "judge_cost_usd": judges.cost_usd,
        }
    return found


def _trouble(asked: Sequence[SamplingSummary]) -> dict[str, int]:
    """Retries by cause, and what else was out of the ordinary; nothing where all was well."""
    roles = [role for summary in asked for role in summary.roles.values()]
    causes = sum((Counter(role.retries) for role in roles), Counter[str]())
    found = {f"retries_{cause}": count for cause, count in sorted(causes.items())}
    rare = {
        "credential_renewals": sum(role.credential_renewals for role in roles),
        "killed": sum(not summary.ended for summary in asked),
        "uncounted": sum(summary.uncounted for summary in asked),
    }
    return found | {name: count for name, count in rare.items() if count}
