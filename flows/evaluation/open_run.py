"""Opens everything a run works with, from its id alone, so that each step can run in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from evals.errors import ConfigurationError
from evals.evaluation.evaluation import EvaluatedModel, Evaluation
from evals.evaluation.ordering import MAX_LOOKS
from evals.evaluation.sampling_plan import (
    SAMPLING_PLAN_FILE,
    SamplingPlan,
    read_sampling_plan,
)
from evals.files.versions import mark_format, require_format
from evals.gate.look_store import LookStore
from evals.gate.policy import GatePolicy, load_policy, parse_duration
from evals.gate.validation import validate_policy
from evals.records import Candidate, Price, Role
from evals.sampling.request_spec import SamplingSettings
from evals.selection.split import effective_choosing
from evals.suites.cache import open_kept_suite
from evals.suites.opened import OpenedSuite
from evals.suites.part import without
from flows.config.connections import publishers_of, require_platform
from flows.config.named_files import gate_file, suite_folder
from flows.config.strategy import strategy_problems
from flows.config.target import Target, load_target
from flows.evaluation.judge_preflight import judge_problems
from flows.evaluation.judges import TargetJudge
from flows.evaluation.kept.recorded import recorded_in
from flows.files import write_record
from flows.platforms.base import Connection, HostingPlatform
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry, require_run
from flows.registry.provenance import base_model_of
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = [
    "OpenRun",
    "TargetPlan",
    "evaluated_model",
    "load_plan",
    "most_tokens",
    "open_run",
    "open_suites",
    "opened_with",
]

_ASKING = (
    "temperature",
    "top_p",
    "max_completion_tokens",
    "reasoning_effort",
    "seed",
    "concurrency",
    "requests_per_minute",
    "tokens_per_minute",
    "max_attempts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """A target with its gate and suites, read and checked together.

    `left_out` are the cases, by suite, that `suites` lack since the candidate was chosen on them.
    """

    target: Target
    policy: GatePolicy
    suites: tuple[OpenedSuite, ...]
    judge: TargetJudge | None = None
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def fingerprints(self) -> dict[str, str]:
        """What results on each suite may be compared with, by the suite's name."""
        return {opened.suite.name: opened.fingerprint for opened in self.suites}

    def without(self, left_out: Mapping[str, tuple[str, ...]]) -> TargetPlan:
        """The same plan over suites that lack these cases, by suite."""
        suites = tuple(
            without(opened, left_out.get(opened.suite.name, ())) for opened in self.suites
        )
        return replace(self, suites=suites, left_out=left_out)

    def changed_since(self, run: RunRecord) -> tuple[str, ...]:
        """What is not as it was when a run was recorded, as people name it: suites, and the gate."""
        now = self.fingerprints
        suites = [
            f"suite {name}"
            for name in dict.fromkeys((*now, *run.fingerprints))
            if now.get(name) != run.fingerprints.get(name)
        ]
        same = run.policy_digest == self.policy.digest
        return (*suites, *([] if same else [f"gate {self.policy.name}"]))

    @property
    def repeats(self) -> dict[str, int]:
        """How often each case of a suite is asked, by the suite's name: as the target says, else as the suite does."""
        return {
            opened.suite.name: int(self.target.sampling.get("repeats", opened.suite.repeats))
            for opened in self.suites
        }


def load_plan(settings: Settings, target_name: str) -> TargetPlan:
    """Read a target, its gate and its suites, and check that every check of the gate can be measured.

    Raises:
        ConfigurationError: with every problem of the first file that has any.
    """
    target = load_target(settings.targets, target_name)
    require_platform(target)
    # What can't be published must be known before anything is asked; nothing is contacted here.
    publishers_of(settings, target)
    policy = load_policy(gate_file(settings, target))
    suites, judge = open_suites(settings, target)
    validate_policy(policy, suites, production_cases=target.promotion.production_cases)
    if problems := [*strategy_problems(target, policy), *judge_problems(target, suites)]:
        raise ConfigurationError(problems)
    return TargetPlan(target=target, policy=policy, suites=suites, judge=judge)


def open_suites(
    settings: Settings, target: Target
) -> tuple[tuple[OpenedSuite, ...], TargetJudge | None]:
    """Return a target's suites with the judge that their graders ask. Raises ConfigurationError."""
    judge = TargetJudge(target.judge) if target.judge is not None else None
    suites = tuple(
        open_kept_suite(suite_folder(settings, target, name), judge) for name in target.suites
    )
    return suites, judge


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run with all it needs; made for one step and closed after it."""

    settings: Settings
    registry: Registry
    record: RunRecord
    plan: TargetPlan

    @property
    def folder(self) -> Path:
        """Where the run keeps its journals, scores and report."""
        return self.settings.run_folder(self.record.run_id)

    @property
    def target(self) -> Target:
        return self.plan.target

    @property
    def policy(self) -> GatePolicy:
        """The target's gate. A regression run promotes nobody, so that it is judged as if alone, without a family."""
        if self.record.kind != "regression":
            return self.plan.policy
        return msgspec.structs.replace(self.plan.policy, family=None)

    @cached_property
    def platform(self) -> HostingPlatform:
        """The target's platform, opened when first asked for."""
        return open_platform(self.target.platform, self.target.options, os.environ)

    @cached_property
    def evaluation(self) -> Evaluation:
        """The contest of this run: candidate alone, or against the pinned baseline."""
        roles: tuple[Role, ...] = (
            ("candidate", "baseline") if self.asks_baseline else ("candidate",)
        )
        return Evaluation(
            run_id=self.record.run_id,
            folder=self.folder,
            suites=self.plan.suites,
            roles=roles,
            repeats=self.deal.repeats,
            looks=self.deal.looks,
            strata=self.deal.strata,
            needs=LookStore(self.folder).needs() if self.deal.looks > 1 else {},
            most_tokens=most_tokens(self.target, roles),
        )

    @property
    def asks_baseline(self) -> bool:
        """Whether a second model is asked; a baseline of recorded answers is not."""
        return bool(self.record.baseline_model) and recorded_in(self.folder) is None

    @cached_property
    def deal(self) -> SamplingPlan:
        """How this run deals its cases: as it began, whatever the files say by now."""
        kept = read_sampling_plan(self.folder)
        if kept is not None:
            return kept
        return SamplingPlan(
            repeats=self.plan.repeats,
            looks=MAX_LOOKS if self.early_stop else 1,
            strata=strata(self.policy),
            left_out=dict(self.plan.left_out),
        )

    def keep_deal(self) -> None:
        """Write down how the cases are dealt, before the first is asked."""
        if not (self.folder / SAMPLING_PLAN_FILE).exists():
            mark_format(self.folder)
            write_record(self.folder / SAMPLING_PLAN_FILE, self.deal)

    @property
    def early_stop(self) -> bool:
        """Whether the run may stop asking early: its gate says so, and nobody switched it off for this run."""
        return self.policy.early_stop and self.record.trigger.get("early_stop") != "off"

    @property
    def fresh(self) -> bool:
        """Whether every question is asked anew, also one whose answer is kept from an earlier run."""
        return "fresh" in self.record.trigger

    def price(self, role: Role) -> Price | None:
        """The price of a role's model, None when it is not known."""
        one = self.asked(role)
        return None if one is None else self.platform.price(one.model_id, one.base_model)

    def asked(self, role: Role) -> Candidate | None:
        """The model of a role, with the base it was trained on as far as that is known; None when there is none."""
        if role == "candidate":
            return self.record.candidate
        target, model = self.record.target, self.record.baseline_model
        if not model or not self.asks_baseline:
            return None
        base = base_model_of(self.registry, target, model)
        return Candidate(model_id=model, target=target, base_model=base)

    def evaluated_model(self, role: Role, connection: Connection) -> EvaluatedModel:
        """How a role is asked: the target's sampling, the role's own settings over it."""
        return evaluated_model(
            self.target, role, connection, price=self.price(role), fresh=self.fresh
        )


def evaluated_model(
    target: Target, role: Role, connection: Connection, *, price: Price | None, fresh: bool
) -> EvaluatedModel:
    """How a target has a model asked in a role: its sampling, the role's own settings over it."""
    return EvaluatedModel(
        connection=speaking(connection, target.sampling.get("api", "chat")),
        settings=sampling_settings(target, role, fresh=fresh),
        price=price,
        system_prompt=target.sampling.get(role, {}).get("system_prompt"),
    )


def speaking(connection: Connection, api: Literal["chat", "responses"]) -> Connection:
    """Return the same connection, asked in the words of one of the two APIs."""
    endpoint = msgspec.structs.replace(connection.endpoint, api=api)
    return replace(connection, endpoint=endpoint)


def strata(policy: GatePolicy) -> tuple[str, ...]:
    """Tags that the gate slices by: their proportions are kept in every round."""
    tags = {tag for check in policy.checks for tag in check.where}
    return tuple(sorted(tags | {check.each for check in policy.checks if check.each}))


def sampling_settings(target: Target, role: Role, *, fresh: bool = False) -> SamplingSettings:
    """Merge what the target says with what it says for this role, which wins.

    What is said nowhere stays None: there each suite's own `sampling` holds, for that suite alone (see
    `evals.evaluation.contest.Side.settings_for`). When `fresh`, the baseline's stored answers are not used, whatever the target says.
    """
    stated: dict[str, Any] = {}
    for layer in (target.sampling, target.sampling.get(role, {})):
        stated |= {key: layer[key] for key in _ASKING if key in layer}
    if "timeout" in target.sampling:
        stated["timeout_s"] = float(parse_duration(target.sampling["timeout"]))
    if role == "baseline" and "reuse_baseline" in target.sampling and not fresh:
        stated["reuse_max_age_s"] = float(parse_duration(target.sampling["reuse_baseline"]))
    return SamplingSettings(**stated)


def most_tokens(target: Target, roles: Iterable[Role]) -> dict[Role, int | None]:
    """Return how many tokens an answer of each role may have, None where each suite says."""
    return {role: sampling_settings(target, role).max_completion_tokens for role in roles}


@contextmanager
def open_run(settings: Settings, run_id: str) -> Iterator[OpenRun]:
    """Open a run for the length of a block. Raises ConfigurationError when its files are no longer right."""
    with open_registry(settings) as registry:
        record = require_run(registry, run_id)
        plan = load_plan(settings, record.target)
        yield opened_with(settings, registry, record, plan)


def opened_with(
    settings: Settings, registry: Registry, record: RunRecord, plan: TargetPlan
) -> OpenRun:
    """Return a run with a plan that was read. Raises OtherVersionError when its folder is of a newer Gatewright."""
    require_format(settings.run_folder(record.run_id))
    left_out = _left_out(settings, registry, record, plan)
    return OpenRun(
        settings=settings,
        registry=registry,
        record=record,
        plan=plan.without(left_out) if left_out else plan,
    )


def _left_out(
    settings: Settings, registry: Registry, record: RunRecord, plan: TargetPlan
) -> dict[str, tuple[str, ...]]:
    """The cases that chose among candidates, this run's candidate being one of them; none for all other runs."""
    kept = read_sampling_plan(settings.run_folder(record.run_id))
    if kept is not None:
        return kept.left_out
    if not record.selection:
        return {}
    return {
        name: effective_choosing(
            opened.suite.cases, registry.dealt(record.target, opened.suite.name)
        )
        for opened in plan.suites
        for name in [opened.suite.name]
    }
