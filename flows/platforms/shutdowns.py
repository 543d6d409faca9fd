"""When OpenAI shuts a model down: by its own `shutdown_date`, that of its base, or what is published.

A fine-tune is shut down with its base, and its own `shutdown_date` is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from evals.errors import PlatformError
from evals.records import Candidate
from flows.platforms.base import Finding, SpeaksOpenAI
from flows.platforms.findings import NEWER_BASE, lifetime_finding, training_finding
from flows.platforms.fine_tuning.candidates import known_model
from flows.platforms.model_lifetimes import LifetimeTable, ModelDates
from flows.platforms.model_names import base_of, is_fine_tuned

__all__ = ["Shutdowns"]

_ELSEWHERE = "train the successor where fine-tuning goes on: OpenAI takes no jobs from 2027-01-06"


class Shutdowns:
    """Last days at one server. What OpenAI has published binds no other that speaks its API: then `vendor` is False."""

    def __init__(
        self, platform: SpeaksOpenAI, stated: Mapping[str, ModelDates], *, vendor: bool
    ) -> None:
        self._platform, self._vendor = platform, vendor
        self._table = LifetimeTable("openai", stated, published=vendor)

    async def findings(self, model: Mapping[str, Any], candidate: Candidate) -> list[Finding]:
        """Report until when a model answers, and until when a successor of a fine-tune can be trained."""
        model_id, base, today = candidate.model_id, candidate.base_model, _today()
        ends, instead = await self._ends(model, model_id, base), self.instead(model_id)
        found = [lifetime_finding("model", ends, today=today, fix=instead)]
        training = (
            self._table.stated(model_id, base).training_ends
            or self._table.published(model_id, base).training_ends
        )
        if training is not None and is_fine_tuned(model_id):
            on = base_of(model_id) or base or "its base model"
            found.append(training_finding(on, training, today=today, otherwise=instead))
        return found

    async def ended(self, model: Mapping[str, Any], model_id: str) -> date | None:
        """Return the day on which a model was shut down, None while it answers."""
        ends = await self._ends(model, model_id, None)
        return ends if ends is not None and ends <= _today() else None

    def instead(self, model_id: str) -> str:
        """Return what to do about a model that ends."""
        if not is_fine_tuned(model_id):
            return "choose a newer model"
        return _ELSEWHERE if self._vendor else NEWER_BASE

    async def _ends(
        self, model: Mapping[str, Any], model_id: str, base_model: str | None
    ) -> date | None:
        stated = self._table.stated(model_id, base_model)
        published = self._table.published(model_id, base_model)
        if not is_fine_tuned(model_id):
            return stated.base_inference_ends or _shutdown(model) or published.base_inference_ends
        told = stated.fine_tunes_end or _shutdown(model)
        return told or await self._base_ends(model_id, base_model) or published.fine_tunes_end

    async def _base_ends(self, model_id: str, base_model: str | None) -> date | None:
        base = base_of(model_id) or base_model
        try:
            listed = await known_model(self._platform, base) if base else None
        except PlatformError:
            return None
        return _shutdown(listed or {})


def _shutdown(model: Mapping[str, Any]) -> date | None:
    told = model.get("shutdown_date")
    try:
        return date.fromisoformat(str(told)[:10]) if told else None
    except ValueError:
        return None


def _today() -> date:
    return datetime.now(UTC).date()
