"""Gate policies: what must hold before a candidate may replace the live model, read from a YAML file a team owns.

One entry of the file may hold several conditions and slices; it is unfolded into one `Check` per condition, so that
each has its own result and its own reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from evals.checks.check import Check
from evals.checks.kinds import KINDS, MissingRule
from evals.config.documents import Authored, load_yaml, raise_problems, shown_path, validate
from evals.errors import Problem, nearest
from evals.gate.anchor import Anchor, anchor_checks, is_held_against_anchor, read_anchor
from evals.gate.tries.family import Family
from evals.records import Record, digest
from evals.suites.leakage import DEFAULT_POLICY

__all__ = ["Approval", "GatePolicy", "Override", "load_policy", "parse_duration"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Approval(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Who may accept an inconclusive verdict or a first release, and for how long the question stands."""

    required: int = 1
    not_requester: bool = True
    expires_after_s: int = 86400


class Override(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Who may override a FAIL, and for how long an override holds."""

    approvers: int = 2
    expires_after_s: int = 604800


class GatePolicy(Record, frozen=True, kw_only=True):
    """A parsed gate. `digest` covers everything that was authored, comments aside.

    Of a gate with an `anchor`, the checks against it stand behind the authored ones (see `evals.gate.anchor`).
    """

    name: str
    path: str
    digest: str
    checks: tuple[Check, ...]
    first_release: Literal["needs_approval", "absolute_checks", "refuse"]
    confidence: float
    min_scored: float
    early_stop: bool
    futility: bool
    on_inconclusive: Literal["needs_approval", "fail"]
    approval: Approval
    override: Override
    training_overlap: dict[str, str]
    missing: MissingRule = "worst_case"
    anchor: Anchor | None = None
    family: Family | None = None

    @property
    def decision_confidence(self) -> float:
        """The confidence at which a candidate is judged: the gate's, or a stricter one that its family asks for."""
        return self.confidence if self.family is None else max(self.confidence, self.family.each)

    def confidence_of(self, check: Check) -> float:
        """Return the confidence of each bound of a check: its own, else that of every decision."""
        return self.decision_confidence if check.confidence is None else check.confidence


def load_policy(path: Path | str) -> GatePolicy:
    """Read and validate a gate file.

    Raises:
        ConfigurationError: with every problem found; the file is missing, is no YAML, holds a key that does not
            exist, a check without a condition, or a slice with neither `where` nor `each`.
    """
    path = Path(path)
    authored = load_yaml(path)
    validate(authored, "gate")
    problems: list[Problem] = []
    checks = tuple(_checks(authored, problems))
    problems += _contradictions(authored, checks)
    problems += _margins_of_nothing(authored, checks)
    raise_problems(problems)
    return _policy(authored.data, path, checks)


def parse_duration(duration: str) -> int:
    """Return a duration such as '90s', '15m', '24h' or '14d' in seconds. Raises ValueError when it is none."""
    match = re.fullmatch(r"(\d+)([smhd])", duration)
    if match is None:
        raise ValueError(f"expected a duration such as 90s, 15m, 24h or 90d; found {duration!r}")
    return int(match[1]) * _UNITS[match[2]]


def _policy(data: Mapping[str, Any], path: Path, checks: tuple[Check, ...]) -> GatePolicy:
    approval, override = data.get("approval", {}), data.get("override", {})
    confidence, anchor = float(data.get("confidence", 0.95)), read_anchor(data.get("anchor"))
    return GatePolicy(
        name=data["name"],
        path=str(path),
        digest=digest(data),
        checks=(*checks, *anchor_checks(checks, anchor, confidence=confidence)),
        first_release=data["first_release"],
        confidence=confidence,
        min_scored=float(data.get("min_scored", 0.99)),
        early_stop=data.get("early_stop", True),
        futility=data.get("futility", True),
        on_inconclusive=data.get("on_inconclusive", "needs_approval"),
        approval=Approval(
            required=approval.get("required", 1),
            not_requester=approval.get("not_requester", True),
            expires_after_s=parse_duration(approval.get("expires_after", "24h")),
        ),
        override=Override(
            approvers=override.get("approvers", 2),
            expires_after_s=parse_duration(override.get("expires_after", "7d")),
        ),
        training_overlap={**DEFAULT_POLICY, **data.get("training_overlap", {})},
        missing=data.get("missing", "worst_case"),
        anchor=anchor,
        family=_family(data.get("family"), confidence),
    )


def _family(data: Mapping[str, Any] | None, confidence: float) -> Family | None:
    if data is None:
        return None
    return Family(
        candidates=data["candidates"],
        window_s=parse_duration(data.get("window", "90d")),
        confidence=float(data.get("confidence", confidence)),
    )


def _checks(authored: Authored, problems: list[Problem]) -> Iterator[Check]:
    for index, entry in enumerate(authored.data["checks"]):
        field = f"checks[{index}]"
        slices = entry.get("slices", [])
        found = list(_conditions(authored, entry, entry, field))
        if not found and not slices:
            problems.append(_no_condition(authored, field))
        yield from found
        for number, slice_ in enumerate(slices):
            place = f"{field}.slices[{number}]"
            found = list(_conditions(authored, {**_inherited(entry), **slice_}, slice_, place))
            if not found:
                problems.append(_no_condition(authored, place))
            yield from found


def _conditions(
    authored: Authored, entry: Mapping[str, Any], stated: Mapping[str, Any], field: str
) -> Iterator[Check]:
    options = {key: entry[key] for key in _OPTIONS if key in entry}
    for kind in KINDS:
        if kind in stated:
            threshold, percent = _amount(stated[kind])
            yield Check(
                metric=entry["metric"],
                kind=kind,
                threshold=threshold,
                percent=percent,
                field=f"{field}.{kind}",
                line=authored.line(f"{field}.{kind}"),
                **options,
            )


_OPTIONS = (
    "suite",
    "where",
    "each",
    "min_cases",
    "if_too_few",
    "mode",
    "overridable",
    "measure_on",
    "decide_on",
    "with_labels",
)


def _inherited(entry: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "metric",
        "suite",
        "mode",
        "overridable",
        "measure_on",
        "decide_on",
        "with_labels",
    )
    return {key: entry[key] for key in keys if key in entry}


def _amount(value: float | str) -> tuple[float, bool]:
    if isinstance(value, str):
        return float(value.removesuffix("%")) / 100, True
    return float(value), False


def _no_condition(authored: Authored, field: str) -> Problem:
    fix = "add one of " + ", ".join(KINDS)
    return _problem(authored, field, "expected at least one condition; found none", fix)


def _contradictions(authored: Authored, checks: tuple[Check, ...]) -> Iterator[Problem]:
    for check in checks:
        field = check.field.rpartition(".")[0]
        if ".slices[" in field and bool(check.where) == (check.each is not None):
            yield _problem(
                authored,
                field,
                "expected exactly one of 'where' and 'each' in a slice",
                "say where: {tag: value}, or each: tag",
            )
        if not math.isfinite(check.threshold):
            yield _problem(
                authored, check.field, f"expected a finite number; found {check.threshold}"
            )
    if checks and not any(c.mode == "enforce" and c.measure_on == "developer" for c in checks):
        yield _problem(
            authored,
            "checks",
            "expected a check that decides before the candidate goes live; all are shadow, or measured on production",
            "leave out mode: shadow, or measure_on: production, in one check at least",
        )


def _margins_of_nothing(authored: Authored, checks: tuple[Check, ...]) -> Iterator[Problem]:
    margin = authored.data.get("anchor", {}).get("margin")
    compared = sorted({check.metric for check in checks if is_held_against_anchor(check)})
    for metric in margin if isinstance(margin, Mapping) else ():
        if metric not in compared:
            field, fix = f"anchor.margin.{metric}", nearest(metric, compared)
            yield _problem(authored, field, "no compared check has this metric", fix)


def _problem(authored: Authored, field: str, message: str, fix: str | None = None) -> Problem:
    where = shown_path(authored.path)
    return Problem(where=where, line=authored.line(field), field=field, message=message, fix=fix)
