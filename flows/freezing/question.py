"""What a freeze asks of whom: the live model's suites and prompts, the number of repeats, and the folder it works in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from evals.errors import ConfigurationError, Problem
from evals.evaluation.evaluation import Evaluation
from evals.records import LivePointer, Record, Role, digest
from evals.suites.opened import OpenedSuite
from flows.config.connections import require_platform
from flows.config.target import Target, load_target
from flows.evaluation.judge_preflight import judge_problems
from flows.evaluation.judges import TargetJudge
from flows.evaluation.kept.keep import how_asked
from flows.evaluation.open_run import load_plan, most_tokens, open_suites
from flows.files import read_record, write_record
from flows.freezing.prompts import read_prompts
from flows.registry.provenance import base_model_of
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["ROLE", "Begun", "Question", "pose"]

ROLE: Role = "baseline"
"""The model is asked as it will be in the runs that it is the baseline of."""
_BEGUN = "freezing.json"


class Begun(Record, frozen=True, kw_only=True):
    """What was true when a freeze began; a process that goes on with it takes it from here."""

    began_at: str
    generation: int
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezePlan:
    """A target, its suites and their judge. Gate and publishers are no part of it: a freeze judges nothing and publishes nothing."""

    target: Target
    suites: tuple[OpenedSuite, ...]
    judge: TargetJudge | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All of what is asked, and where answers are written meanwhile. `plan` holds the prompts as a suite of their own.

    `warnings` are problems that would stop a run of the target, and no freeze: with its gate, its publishers, its judge.
    """

    settings: Settings
    plan: FreezePlan
    live: LivePointer
    base_model: str | None
    repeats: int
    prompts: str
    digest: str
    warnings: tuple[str, ...] = ()

    def unjudged(self, opened: OpenedSuite) -> bool:
        """Whether graders of a suite ask a judge that the target does not name: then its scores come later."""
        return bool(judge_problems(self.plan.target, (opened,)))

    @property
    def folder(self) -> Path:
        """Where journals and scores are until all is answered."""
        asked, _, count = self.digest.removeprefix("sha256:").partition("+")
        name = f"{asked[:16]}-{count}" if count else asked[:16]
        return self.settings.home / "freezing" / f"{self.plan.target.name}-{name}"

    @property
    def evaluation(self) -> Evaluation:
        """The suites asked of the one model, in one round."""
        return Evaluation(
            run_id=self.folder.name,
            folder=self.folder,
            suites=self.plan.suites,
            roles=(ROLE,),
            repeats={opened.suite.name: self.repeats for opened in self.plan.suites},
            most_tokens=most_tokens(self.plan.target, (ROLE,)),
        )

    def begin(self, at: str) -> Begun:
        """Write down that it began, or find that it had."""
        path = self.folder / _BEGUN
        found = read_record(path, Begun)
        if found is None:
            found = Begun(began_at=at, generation=self.live.generation, actor=self.settings.actor)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_record(path, found)
        return found


def pose(
    settings: Settings,
    registry: Registry,
    target: str,
    *,
    repeats: int,
    prompts: Path | None,
    again: bool = False,
) -> Question:
    """Read everything that a freeze needs. `again` makes it another one than those there are, as does their being set aside.

    Raises:
        ConfigurationError: nothing is live, or target, suites or prompts have problems.
    """
    plan = _plan(settings, target)
    live = registry.live(target)
    if live is None:
        message = "nothing is live, so there is nothing to freeze"
        raise ConfigurationError(
            Problem(where=target, message=message, fix="promote a model first")
        )
    if live.platform != plan.target.platform:
        message = (
            f"expected {live.platform}, where {live.model_id} is live; found {plan.target.platform}"
        )
        fix = "freeze with the target file as it was, then point it at the other platform"
        raise ConfigurationError(
            Problem(where=plan.target.path, field="platform", message=message, fix=fix)
        )
    if prompts is not None:
        opened = read_prompts(prompts, [one.suite.name for one in plan.suites])
        plan = replace(plan, suites=(*plan.suites, opened))
    asked = _digest(plan, live, repeats)
    known = [one for one in registry.frozen(target) if one.baseline.question.split("+")[0] == asked]
    standing = [one.baseline.question for one in known if not one.set_aside]
    anew = f"{asked}+{len(known)}" if known else asked
    return Question(
        settings=settings,
        plan=plan,
        live=live,
        base_model=base_model_of(registry, target, live.model_id),
        repeats=repeats,
        prompts=prompts.stem if prompts is not None else "",
        digest=anew if again or not standing else standing[-1],
        warnings=_warnings(settings, target),
    )


def _plan(settings: Settings, name: str) -> FreezePlan:
    target = load_target(settings.targets, name)
    require_platform(target)
    suites, judge = open_suites(settings, target)
    return FreezePlan(target=target, suites=suites, judge=judge)


def _warnings(settings: Settings, name: str) -> tuple[str, ...]:
    try:
        load_plan(settings, name)
    except ConfigurationError as error:
        return tuple(str(problem) for problem in error.problems)
    return ()


def _digest(plan: FreezePlan, live: LivePointer, repeats: int) -> str:
    return digest(
        {
            "target": plan.target.name,
            "model": live.model_id,
            "repeats": repeats,
            "suites": {
                opened.suite.name: [opened.fingerprint, how_asked(plan.target, opened, ROLE)]
                for opened in plan.suites
            },
        }
    )
