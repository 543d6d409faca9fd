"""The kinds of check a gate may hold, one entry each: what is measured, which side of the threshold passes, the words.

A new kind is a name in `CheckKind` and an entry in `KINDS`; for a gate file to hold it, evals/schemas/gate.schema.json
names it too. Everything else, from preflight to report, goes by the entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

__all__ = ["KINDS", "CheckKind", "KindSpec", "MissingRule", "kind_spec"]

CheckKind = Literal["at_least", "at_most", "max_drop", "max_rise", "min_gain"]
MissingRule = Literal["worst_case", "at_random"]
"""Whether missing scores count at their worst, or are left out as if chance alone had taken them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSpec:
    """One kind of check.

    Attributes:
        relative: candidate is compared with baseline; otherwise the candidate's own value counts.
        rising: a rising quantity breaks the check, so that PASS lies below the threshold.
        superiority: the candidate has to be better by the margin; a relative check without it asks only that the
            candidate be not worse by the margin (non-inferiority). A gain is counted in the metric's good direction.
        opposite: the kind for metrics whose good direction is the other one; None for a kind that fits both.
        condition: the condition in a reason of the gate, with the author's `{threshold}`.
        asked: the same in a report.
        proven: of a relative kind, what goes before the bound when a report says that the check passed.
        limit: of a relative kind, the condition on the compared quantity, with `{threshold}` on that quantity's scale.
    """

    relative: bool = False
    rising: bool = False
    superiority: bool = False
    opposite: CheckKind | None = None
    condition: str
    asked: str
    proven: str = ""
    limit: str = ""

    def threshold(self, stated: float, *, ratio: bool) -> float:
        """Return the value that the measured quantity is compared with: a level, a signed difference, or a ratio.

        `stated` is the number as authored: a margin is never negative. `ratio`: candidate / baseline is compared.
        """
        if not self.relative:
            return stated
        margin = stated if self.rising or self.superiority else -stated
        return 1.0 + margin if ratio else margin

    def suits(self, *, higher_is_better: bool) -> bool:
        """Return whether the kind makes sense for a metric with this good direction."""
        return self.opposite is None or self.rising != higher_is_better

    def slack(self, stated: float, *, percent: bool, lo: float, hi: float) -> float | None:
        """Return the share of the cases, scored in [lo, hi], that may still be otherwise without breaking the check.

        None where no share matters: the condition is beyond reach, or no condition at all.
        """
        span = hi - lo
        if self.superiority:
            share = 0.0 if percent else (1.0 - stated / span) / 2.0
        elif self.relative:
            share = stated if percent else stated / span
        else:
            share = ((stated - lo) if self.rising else (hi - stated)) / span
        return share if 0.0 < share < 1.0 else None


KINDS: Mapping[CheckKind, KindSpec] = {
    "at_least": KindSpec(
        opposite="at_most",
        condition="must be above {threshold}",
        asked="at least {threshold}",
    ),
    "at_most": KindSpec(
        rising=True,
        opposite="at_least",
        condition="must be below {threshold}",
        asked="at most {threshold}",
    ),
    "max_drop": KindSpec(
        relative=True,
        opposite="max_rise",
        condition="may drop by less than {threshold}",
        asked="drop below {threshold}",
        proven="no worse than",
        limit="it must stay above {threshold}",
    ),
    "max_rise": KindSpec(
        relative=True,
        rising=True,
        opposite="max_drop",
        condition="may rise by less than {threshold}",
        asked="rise below {threshold}",
        proven="no higher than",
        limit="it must stay below {threshold}",
    ),
    "min_gain": KindSpec(
        relative=True,
        superiority=True,
        condition="must gain more than {threshold}",
        asked="gain above {threshold}",
        proven="no less than",
        limit="it must be above {threshold}",
    ),
}


def kind_spec(kind: str) -> KindSpec:
    """Return the entry of a kind as a stored result names it. Raises KeyError for a kind that there is not."""
    return cast(Mapping[str, KindSpec], KINDS)[kind]
