"""The models that were live before, each with its kept answers on the rows of today's suites, or with why it can't be compared."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from evals.errors import ConfigurationError
from evals.evaluation.kept_answers import KeptAnswers, KeptAnswersError
from evals.evaluation.kept_results import AskedSuite, grade_kept, kept_results, why_incomparable
from evals.gate.earlier_models import Kept, why_not_comparable
from evals.gate.policy import GatePolicy
from evals.records import Role
from flows.evaluation.kept.keep import asked_today, keep_forgotten, open_reference
from flows.evaluation.open_run import OpenRun
from flows.registry.kept_answers import KeptReference

__all__ = [
    "EarlierModel",
    "earlier_model",
    "earlier_models",
    "graded_model",
    "graded_models",
    "laid_out",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EarlierModel:
    """One of them: its answers laid out, or None and the `problem` that its answers have for every gate alike.

    `unreadable`: they are missing or damaged, though on record; otherwise they were asked for in another way.
    """

    reference: KeptReference
    results: Kept | None
    problem: str = ""
    unreadable: bool = False

    def why_not(self, policy: GatePolicy) -> str:
        """Return why it can't be compared by a gate; empty when it can."""
        if self.results is None:
            return self.problem
        return why_not_comparable(policy, self.results) or ""


def earlier_models(run: OpenRun) -> list[EarlierModel]:
    """Return all of a target's, the oldest first, by the scores that there are of their answers."""
    _keep_what_can_be(run)
    return [earlier_model(run, one) for one in run.registry.kept_answers(run.target.name)]


async def graded_models(run: OpenRun) -> list[EarlierModel]:
    """Return the same, graded by today's graders. Judges may be asked meanwhile."""
    _keep_what_can_be(run)
    return [await graded_model(run, one) for one in run.registry.kept_answers(run.target.name)]


def earlier_model(run: OpenRun, reference: KeptReference, role: Role = "candidate") -> EarlierModel:
    """Return one earlier model, held against how `role` is asked today."""
    try:
        kept = open_reference(run.settings, reference)
        return laid_out(kept, reference, asked_today(run, role))
    except KeptAnswersError as error:
        return EarlierModel(reference, None, str(error), unreadable=True)


async def graded_model(run: OpenRun, reference: KeptReference) -> EarlierModel:
    """Have what can be compared of a model's answers graded, as far as it is not, and return the model."""
    try:
        kept = open_reference(run.settings, reference)
        await grade_kept(kept, asked_today(run, "candidate"))
    except KeptAnswersError as error:
        return EarlierModel(reference, None, str(error), unreadable=True)
    return earlier_model(run, reference)


def laid_out(
    kept: KeptAnswers, reference: KeptReference, asked: Sequence[AskedSuite]
) -> EarlierModel:
    """Return kept answers on the rows of today's suites, or why they can't be compared. Raises KeptAnswersError."""
    for one in asked:
        suite = kept.record.suite(one.opened.suite.name)
        why = why_incomparable(suite, one) if suite is not None else None
        if why is not None:
            return EarlierModel(reference, None, f"{reference.model_id}: {why}")
    return EarlierModel(reference, kept_results(kept, asked))


def _keep_what_can_be(run: OpenRun) -> None:
    """Keep the answers of earlier models whose promotion could not, or knew of no keeping; what can't be is logged."""
    try:
        keep_forgotten(run.settings, run)
    except (OSError, ConfigurationError) as error:
        _log.warning("answers of earlier models could not be kept: %s", error)
