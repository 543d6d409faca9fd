"""The same model tried again, also by a gate that was widened meanwhile; and ten models that share a family's 5 %."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec
import numpy as np
from promise.cells import Cell, Setting
from promise.counts import MARGIN, paths, shuffled, tables
from promise.rows import Row, share
from promise.verdicts import DROP, looking_early

from evals.gate.tries.rule import with_tries
from evals.records import EarlierTry, Edit, TryCount, Verdict
from evals.stats.sequential import plan_looks

__all__ = ["CELLS", "counted", "promoted_alone", "widened_count"]

GROUP = "worse by exactly the margin, and tried again until it passes: promoted without a person"
N, QUARTER = 1142, 90 * 86400


def promoted_alone(verdict: Verdict, count: TryCount) -> bool:
    """Whether a run with this verdict makes its candidate live without anybody being asked."""
    return with_tries(verdict, count).outcome == "PASS"


def counted(number: int, edits: tuple[Edit, ...] = ()) -> TryCount:
    """The count of a run that is a candidate's n-th try; its other tries were inconclusive."""
    return TryCount(
        number=number,
        candidates=1,
        window_s=QUARTER,
        confidence=0.95,
        earlier=tuple(
            EarlierTry(
                run_id=f"run-{before}",
                at="2026-01-01T00:00:00Z",
                requested_by="somebody",
                try_number=before,
                outcome="INCONCLUSIVE",
                edits=edits,
            )
            for before in range(1, number)
        ),
    )


def widened_count() -> TryCount:
    """The count of a second try, by a gate whose margin was doubled after the first."""
    edit = Edit(of="gate", field="checks[0].max_drop", change="0.03 is 0.06 now", looser=True)
    return counted(2, (edit,))


def _again(anew: bool, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    sizes, gate = plan_looks(N).sizes, setting.gate(DROP)
    whole = tables(rng, setting.binary, N, -MARGIN)
    passed, alone = [], []
    for number in range(1, 11):
        path = paths(rng, setting.binary, sizes, -MARGIN) if anew else shuffled(rng, whole, sizes)
        found, count = looking_early(gate, path), counted(number)
        passed.append(found.passed)
        alone.append(found.where(lambda verdict, count=count: promoted_alone(verdict, count)))
    for tries in (5, 10):
        yield share(
            GROUP,
            f"up to {tries} tries, {'answers drawn anew' if anew else 'the same answers'}",
            np.any(alone[:tries], axis=0),
            before=np.any(passed[:tries], axis=0),
            bound=0.055,
        )


def _widened(rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    """Judged, not passed, and judged once more by a gate whose margin was doubled."""
    sizes, gate = plan_looks(N).sizes, setting.gate(DROP)
    wide = setting.gate(msgspec.structs.replace(DROP, threshold=2.0 * MARGIN))
    whole = tables(rng, setting.binary, N, -MARGIN)
    first = looking_early(gate, shuffled(rng, whole, sizes))
    second = looking_early(wide, shuffled(rng, whole, sizes))
    count = widened_count()
    again = second.where(lambda verdict: promoted_alone(verdict, count))
    yield share(
        GROUP,
        "the margin doubled after a run that did not pass",
        first.passed | again,
        before=first.passed | second.passed,
        bound=0.055,
    )


CELLS = [
    *(
        Cell(name=f"tries {'anew' if anew else 'same'}", rows=partial(_again, anew))
        for anew in (False, True)
    ),
    Cell(name="tries widened", rows=_widened),
]
