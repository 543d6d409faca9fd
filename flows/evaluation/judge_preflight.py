"""Whether a run's judges can be asked at all, and are none of the models they judge; looked at before money is spent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from evals.errors import GatewrightError, Problem
from evals.graders.judges.judge_calls import require_independent
from evals.records import Role
from evals.suites.opened import OpenedSuite
from flows.config.target import Target
from flows.evaluation.judges import TargetJudge
from flows.platforms.base import Finding, Platform, ServesByModelId

__all__ = ["judge_findings", "judge_problems", "judges_of"]

NAME = "judge"


def judges_of(suites: Iterable[OpenedSuite]) -> dict[str, str]:
    """Return the models that graders of these suites ask, each with a grader that does ('suite/grader')."""
    found: dict[str, str] = {}
    for opened in suites:
        for grader in opened.graders:
            for model in getattr(grader, "judges", ()):
                found.setdefault(model, f"{opened.suite.name}/{grader.name}")
    return found


def judge_problems(target: Target, suites: Iterable[OpenedSuite]) -> list[Problem]:
    """Return a problem for every model that a grader asks and the target's `judge` block does not name."""
    named = target.judge.models if target.judge is not None else ()
    return [
        Problem(
            where=target.path,
            field="judge.model" if target.judge is not None else "judge",
            message=f"grader '{grader}' asks {model}, and no judge of that name is given",
            fix=f"name it: judge: {{model: {model}}}",
        )
        for model, grader in judges_of(suites).items()
        if model not in named
    ]


async def judge_findings(
    judge: TargetJudge | None,
    suites: Iterable[OpenedSuite],
    contestants: Mapping[Role, str],
    where: str,
    *,
    ceiling_usd: float | None = None,
) -> tuple[Finding, ...]:
    """Look at every judge that is going to be asked. `contestants` maps a role to its model id.

    Raises:
        ConfigurationError: a judge is candidate or baseline.
    """
    opened = tuple(suites)
    for one in opened:
        require_independent(
            one.graders, {str(role): model for role, model in contestants.items()}, where
        )
    if judge is None:
        return ()
    found: list[Finding] = []
    try:
        for model in judges_of(opened):
            found.extend(await _checked_judge(judge, model, contestants))
            found.extend(_priced(judge, model, ceiling_usd))
    finally:
        await judge.aclose()
    return tuple(found)


async def _checked_judge(
    judge: TargetJudge, model: str, contestants: Mapping[Role, str]
) -> Iterable[Finding]:
    name = judge.deployment(model)
    try:
        standing = await _standing(judge.platform, name)
    except GatewrightError as error:
        return [
            _failed(f"judge {model} can't be reached: {error}", "check the target's judge block")
        ]
    if standing is None:
        fix = "deploy it, or say by judge.deployments under which name it answers"
        return [_failed(f"nothing answers as {name}, which judge {model} is to be", fix)]
    same = [role for role, contestant in contestants.items() if contestant == standing]
    if same:
        message = f"{name}, which judge {model} is to be, is the {same[0]} and can't judge itself"
        return [_failed(message, "name a judge that is neither candidate nor baseline")]
    return [Finding(name=NAME, level="ok", message=f"{model} is there")]


async def _standing(platform: Platform, name: str) -> str | None:
    """Return the model that answers under a name, None when nothing does."""
    if isinstance(platform, ServesByModelId):
        return name if await platform.offers(name) else None
    deployment = await platform.get(name)
    return deployment.model_id if deployment is not None else None


def _priced(judge: TargetJudge, model: str, ceiling_usd: float | None) -> Iterator[Finding]:
    if ceiling_usd is not None and judge.platform.price(model) is None:
        message = f"the price of judge {model} isn't known, so a budget in USD can't be kept"
        yield _failed(
            message, "state it under prices of the judge's platform, or use budget_tokens"
        )


def _failed(message: str, fix: str) -> Finding:
    return Finding(name=NAME, level="fail", message=message, fix=fix)
