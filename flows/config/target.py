"""Target files: a production use of a model, where its candidates are tried and how the winner goes live."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from jsonschema import Draft202012Validator

from evals.codec import convert
from evals.config.documents import SCHEMAS, Authored, load_yaml, raise_problems, shown_path
from evals.config.plugins import plugin_names
from evals.config.schema_errors import own_schema, schema_problems
from evals.errors import ConfigurationError, Problem, nearest
from evals.gate.policy import parse_duration
from evals.records import Record, Slot, digest
from flows.platforms.base import SlotSpec
from flows.platforms.table import PLATFORMS, platform_kind

__all__ = ["CanaryPlan", "JudgePlan", "PromotionPlan", "Target", "load_target", "target_names"]


class PromotionPlan(Record, frozen=True, kw_only=True, omit_defaults=True):
    """How a winner goes live. `keep_previous_s` is how long the previous deployment stays warm, in seconds.

    `keep` says whether it answers meanwhile, or is paused and has to be resumed first. `deployment` is the name that strategies replace and in_place keep, None for the target's own.
    `choose_on` is the share of a suite's cases that chooses among several candidates and never judges the chosen one,
    `choose_by` the metric that ranks them, None for that of the gate's first check.
    """

    strategy: Literal["blue_green", "replace", "in_place"] = "blue_green"
    deployment: str | None = None
    smoke_cases: int = 5
    production_cases: int = 120
    keep_previous_s: int = 14 * 86400
    keep: Literal["warm", "paused"] = "warm"
    choose_on: float = 0.25
    choose_by: str | None = None


class JudgePlan(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Which models may judge answers, and where they answer.

    `options` is the block of the judges' platform; `deployments` maps a model to the name it answers under, where that
    is another one; `concurrency` is how many questions are put to each at once.
    """

    platform: str
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    models: tuple[str, ...] = ()
    deployments: dict[str, str] = msgspec.field(default_factory=dict)
    concurrency: int = 16


class CanaryPlan(Record, frozen=True, kw_only=True, omit_defaults=True):
    """How many cases the live model is asked every hour, and what that may take in a month: USD, calls, regression runs."""

    cases: int = 20
    budget_usd: float | None = None
    budget_calls: int | None = None
    budget_regressions: int = 8

    @property
    def most_calls(self) -> int:
        """The calls that may be made in a month; hourly looks take about 750 for each case."""
        return self.budget_calls if self.budget_calls is not None else 1000 * self.cases


class Target(Record, frozen=True, kw_only=True):
    """A parsed target file. `options` is the block of its platform; `digest` covers all that was authored.

    `on_drift` is what happens when something else stands than is recorded: alert, hold, both or nothing. `approvers` may
    see the cases of sealed suites; who may approve is the gate's affair. Without `canary` none is asked by itself.
    """

    name: str
    path: str
    digest: str
    platform: str
    options: dict[str, Any]
    suites: tuple[str, ...]
    gate: str
    sampling: dict[str, Any]
    developer: SlotSpec
    production: SlotSpec
    promotion: PromotionPlan
    publish: tuple[dict[str, Any], ...]
    regression: dict[str, Any]
    watch: dict[str, Any]
    on_drift: tuple[str, ...] = ("alert",)
    judge: JudgePlan | None = None
    approvers: tuple[str, ...] = ()
    canary: CanaryPlan | None = None


def target_names(folder: Path) -> tuple[str, ...]:
    """Return the names of all target files in a folder, sorted; none when there is no such folder."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def load_target(folder: Path, name: str) -> Target:
    """Read the target file `<folder>/<name>.yaml`.

    Raises:
        ConfigurationError: there is no such target (the nearest name is given), or the file has problems.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise ConfigurationError(
            Problem(
                where=str(folder),
                message=f"there is no target '{name}': expected the file {path.name}",
                fix=nearest(name, target_names(folder))
                or "write a target file, or set GATEWRIGHT_TARGETS",
            )
        )
    authored = load_yaml(path)
    where = shown_path(authored.path)
    validator = _validator(_platforms_for(authored.data))
    raise_problems(schema_problems(validator, authored.data, where=where, line=authored.line))
    _require_name(authored, name)
    return _target(authored.data, path)


def _platforms_for(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The platforms that are built in; where a target names another one, those of plug-ins, too."""
    judge = data.get("judge")
    named = [data.get("platform"), judge.get("platform") if isinstance(judge, Mapping) else None]
    known = (*PLATFORMS, None)
    more = () if all(name in known for name in named) else plugin_names("gatewright.platforms")
    return (*PLATFORMS, *more)


@cache
def _validator(platforms: tuple[str, ...]) -> Draft202012Validator:
    """The schema of a target file with these platforms: their names, and a block for each."""
    path = SCHEMAS / "target.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    for place in (schema, schema["properties"]["judge"]):
        place["properties"]["platform"] = {"enum": list(platforms)}
        place["properties"] |= {name: {"type": "object"} for name in platforms}
    return own_schema(schema)


def _require_name(authored: Authored, name: str) -> None:
    if authored.data["name"] != name:
        raise ConfigurationError(
            Problem(
                where=str(authored.path),
                line=authored.line("name"),
                field="name",
                message=f"expected '{name}', as the file is called; found '{authored.data['name']}'",
                fix="rename the file or the target",
            )
        )


def _target(data: Mapping[str, Any], path: Path) -> Target:
    platform = data["platform"]
    promotion = dict(data.get("promotion", {}))
    if "keep_previous" in promotion:
        promotion["keep_previous_s"] = parse_duration(promotion.pop("keep_previous"))
    return Target(
        name=data["name"],
        path=str(path),
        digest=digest(data),
        platform=platform,
        options=data.get(platform, {}),
        suites=tuple(data["suites"]),
        gate=data["gate"],
        sampling=data.get("sampling", {}),
        developer=_slot(data, "developer", "DeveloperTier"),
        production=_slot(data, "production", "GlobalStandard"),
        promotion=convert(promotion, PromotionPlan),
        publish=tuple(data.get("publish", ())),
        regression=data.get("regression", {}),
        watch=data.get("watch", {}),
        on_drift=tuple(data.get("drift", {}).get("on_found", ("alert",))),
        judge=_judge(data),
        approvers=tuple(data.get("approvers", ())),
        canary=convert(data["canary"], CanaryPlan) if "canary" in data else None,
    )


def _judge(data: Mapping[str, Any]) -> JudgePlan | None:
    stated = data.get("judge")
    if stated is None:
        return None
    platform = stated.get("platform", data["platform"])
    models = stated["model"]
    return JudgePlan(
        platform=platform,
        options=stated.get(platform, data.get(platform, {})),
        models=(models,) if isinstance(models, str) else tuple(models),
        deployments=stated.get("deployments", {}),
        concurrency=stated.get("concurrency", 16),
    )


def _slot(data: Mapping[str, Any], slot: Slot, default_sku: str) -> SlotSpec:
    stated = data.get("slots", {}).get(slot, {})
    sku = stated.get("sku")
    if sku is None:
        sku = default_sku if platform_kind(data["platform"]).needs_deployment else ""
    return SlotSpec(slot=slot, sku=sku, capacity=stated.get("capacity", 50))
