"""One condition of a gate, as a record: a metric, a threshold, and which cases it is about."""

from __future__ import annotations

from typing import Literal

import msgspec

from evals.checks.kinds import KINDS, CheckKind, KindSpec
from evals.records import Opponent, Record, Slot

__all__ = ["Check"]


class Check(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One condition on one metric, whole or on a slice.

    `threshold` is in the metric's unit, or a fraction when `percent` is set (10% = 0.1). `where` selects a slice by
    tags; `each` stands for one check for every value of a tag. `with_labels` decides on what people would say: a judge's
    scores, corrected by human labels. `against` says with whom a relative check compares: with what is live, or with the
    anchor's kept answers. `confidence` is that of each bound, None for the gate's. `field` and `line` say where it was
    authored.
    """

    metric: str
    kind: CheckKind
    threshold: float
    percent: bool = False
    suite: str | None = None
    where: dict[str, str] = msgspec.field(default_factory=dict)
    each: str | None = None
    min_cases: int | None = None
    if_too_few: Literal["inconclusive", "report", "fail"] = "inconclusive"
    mode: Literal["enforce", "shadow"] = "enforce"
    overridable: bool = True
    measure_on: Slot = "developer"
    decide_on: Literal["bound", "point"] = "bound"
    with_labels: bool = False
    against: Opponent = "baseline"
    confidence: float | None = None
    field: str = ""
    line: int | None = None

    @property
    def spec(self) -> KindSpec:
        """The rules of the check's kind."""
        return KINDS[self.kind]

    @property
    def relative(self) -> bool:
        """True when the check needs the baseline."""
        return self.spec.relative

    @property
    def judged_at_end(self) -> bool:
        """True when no look but the last may decide the check.

        A point estimate has no error rate to spend: decided early, it would be decided by chance. And what is not
        answered yet is still asked for again, in every later round and slowly in the last one.
        """
        return self.decide_on == "point" or self.metric == "answered"

    @property
    def label(self) -> str:
        """The check in one line, as a reader would say it: 'exact_match max_drop 0.02 [plan=enterprise]'."""
        amount = f"{self.threshold * 100:g}%" if self.percent else f"{self.threshold:g}"
        metric = f"{self.suite}/{self.metric}" if self.suite else self.metric
        tags = ", ".join(f"{key}={value}" for key, value in sorted(self.where.items()))
        slice_ = f" [{tags}]" if tags else f" [each {self.each}]" if self.each else ""
        whom = " against the anchor" if self.against == "anchor" else ""
        return f"{metric} {self.kind} {amount}{slice_}{whom}"

    @property
    def key(self) -> str:
        """What tells the check from all others of its gate: where it was authored, its slice, and with whom it compares."""
        tags = ",".join(f"{key}={value}" for key, value in sorted(self.where.items()))
        whom = "|anchor" if self.against == "anchor" else ""
        return f"{self.field or self.label}|{tags}{whom}"
