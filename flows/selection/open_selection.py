"""Opens a selection from its id alone: its target's plan, its field once it is on record, and what its rungs came to."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.codec import convert
from evals.errors import ConfigurationError, Problem
from evals.evaluation.ordering import stratified_order
from evals.selection.halving import rung_shares
from evals.selection.records import FieldPlan, RungResult
from evals.selection.split import effective_choosing
from evals.suites.opened import OpenedSuite
from evals.suites.part import part_of
from flows.evaluation.open_run import TargetPlan, load_plan, strata
from flows.platforms.base import HostingPlatform
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry, require_run
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["OpenSelection", "open_selection", "rung_step", "rungs_of"]

_RUNG = "rung "


@dataclass(frozen=True, kw_only=True)
class OpenSelection:
    """A selection with all it needs; made for one step and closed after it."""

    settings: Settings
    registry: Registry
    record: RunRecord
    plan: TargetPlan

    @property
    def run_id(self) -> str:
        return self.record.run_id

    @property
    def folder(self) -> Path:
        """Where the selection keeps its split and the answers of every candidate."""
        return self.settings.run_folder(self.run_id)

    def candidate_folder(self, place: int) -> Path:
        """Where the answers of the candidate at a place of the field are kept."""
        return self.folder / "candidates" / str(place + 1)

    @cached_property
    def platform(self) -> HostingPlatform:
        """The target's platform, opened when first asked for."""
        return open_platform(self.plan.target.platform, self.plan.target.options, os.environ)

    @property
    def field(self) -> FieldPlan:
        """The field on record. Raises ConfigurationError before it is opened."""
        found = self.registry.field(self.run_id)
        if found is None:
            raise ConfigurationError(Problem(where=self.run_id, message="its field is not open"))
        return found

    @cached_property
    def rungs(self) -> tuple[RungResult, ...]:
        """What the rungs so far came to, the first one first."""
        return rungs_of(self.registry, self.run_id)

    @property
    def left(self) -> tuple[int, ...]:
        """Places in the field of those that can still be chosen."""
        return self.rungs[-1].left if self.rungs else tuple(range(len(self.field.candidates)))

    @property
    def dropped(self) -> tuple[int, ...]:
        """Places in the field of those that can be chosen no more."""
        left = self.left
        return tuple(place for place in range(len(self.field.candidates)) if place not in left)

    @cached_property
    def choosing(self) -> Mapping[str, tuple[str, ...]]:
        """The cases that choose, by suite."""
        return {
            opened.suite.name: effective_choosing(
                opened.suite.cases, self.registry.dealt(self.record.target, opened.suite.name)
            )
            for opened in self.plan.suites
        }

    def asked_in(self, rung: int) -> tuple[OpenedSuite, ...]:
        """The suites as they are asked up to and including a rung (1-based): some of the choosing cases of each.

        All candidates are asked the same cases, in proportion over the gate's slices.
        """
        field = self.field
        share = rung_shares(len(field.candidates), sum(field.choosing.values()))[rung - 1]
        found = []
        for opened in self.plan.suites:
            rows = self._choosing_rows(opened)
            if not rows.size:
                continue
            # The order is that of the choosing part alone, so that each rung is a fair sample of it.
            tags = [tag for tag in strata(self.plan.policy) if tag in opened.suite.tags]
            part = opened.suite.cases.only(rows.tolist())
            order = stratified_order(part, tags, f"{self.run_id}/{opened.suite.name}")
            asked = np.zeros(len(opened.suite.cases), dtype=np.bool_)
            asked[rows[order[: math.ceil(share * rows.size)]]] = True
            found.append(part_of(opened, asked))
        return tuple(found)

    def _choosing_rows(self, opened: OpenedSuite) -> NDArray[np.int64]:
        """Where the cases that choose stand in their suite, shape (choosing,)."""
        places = (opened.suite.cases.row(case_id) for case_id in self.choosing[opened.suite.name])
        return np.array([row for row in places if row is not None], dtype=np.int64)

    def require_unchanged(self) -> None:
        """Raise ConfigurationError when gate or suites are not those that the selection began with."""
        changed = self.plan.changed_since(self.record)
        if changed:
            raise ConfigurationError(
                Problem(
                    where=self.run_id,
                    message=f"{' and '.join(changed)} changed since this selection began",
                    fix="put it back, or choose anew by the same command with --again",
                )
            )


@contextmanager
def open_selection(settings: Settings, run_id: str) -> Iterator[OpenSelection]:
    """Open a selection for the length of a block. Raises ConfigurationError when its files are no longer right."""
    with open_registry(settings) as registry:
        record = require_run(registry, run_id)
        yield OpenSelection(
            settings=settings,
            registry=registry,
            record=record,
            plan=load_plan(settings, record.target),
        )


def rung_step(rung: int) -> str:
    """Return the name of the step that a rung leaves."""
    return f"{_RUNG}{rung}"


def rungs_of(registry: Registry, run_id: str) -> tuple[RungResult, ...]:
    """Return what the rungs of a selection came to so far, the first one first."""
    return tuple(
        convert(mark.detail, RungResult)
        for mark in registry.steps(run_id)
        if mark.step.startswith(_RUNG) and mark.phase == "done"
    )
