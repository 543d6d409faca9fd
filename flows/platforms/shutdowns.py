"""When OpenAI shuts a model down: by its own `shutdown_date`, that of its base, or what is published.

A fine-tune is shut down with its base, and its own `shutdown_date` is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal

from evals.errors import PlatformError
from evals.records import Candidate
from flows.platforms.base import Finding, SpeaksOpenAI
from flows.platforms.findings import NEWER_BASE, lifetime_finding, training_finding
from flows.platforms.fine_tuning.candidates import known_model
from flows.platforms.last_days import LastDays
from flows.platforms.model_lifetimes import LifetimeTable, ModelDates
from flows.platforms.model_names import base_of, is_fine_tuned

__all__ = ["Shutdowns"]

_ELSEWHERE = "train the successor where fine-tuning goes on: OpenAI takes no jobs from 2027-01-06"
_BEHIND = f"{NEWER_BASE}, where jobs are still taken: OpenAI itself takes none from 2027-01-06"
"""What stands behind another server, which may be OpenAI all the same, can't be told."""


_OPENAI = LifetimeTable("openai")


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
        training, on = self._training_ends(model_id, base), base_of(model_id) or base
        if training is not None and is_fine_tuned(model_id):
            on = (on or "its base model") + ("" if self._vendor else " at OpenAI")
            found.append(training_finding(on, training, today=today, otherwise=instead))
        return found

    async def last_days(
        self, model: Mapping[str, Any] | None, model_id: str, base_model: str | None, *, ask: bool
    ) -> LastDays:
        """Return until when a model lives; `model` is its entry in the service's list, None where it has none.

        Without `ask` the dates are those of the tables, and nothing is said of whether the model is there.
        """
        tuned = is_fine_tuned(model_id)
        state: Literal["there", "gone", "unknown"] = "unknown"
        if ask:
            state = "there" if model is not None else "gone"
        return LastDays(
            model_id=model_id,
            base_model=base_of(model_id) or base_model or "",
            answers_until=await self._ends(model or {}, model_id, base_model, ask=ask),
            trains_until=self._training_ends(model_id, base_model) if tuned else None,
            state=state,
        )

    async def ended(self, model: Mapping[str, Any], model_id: str) -> date | None:
        """Return the day on which a model was shut down, None while it answers."""
        ends = await self._ends(model, model_id, None)
        return ends if ends is not None and ends <= _today() else None

    def instead(self, model_id: str) -> str:
        """Return what to do about a model that ends."""
        if not is_fine_tuned(model_id):
            return "choose a newer model"
        if self._vendor:
            return _ELSEWHERE
        return _BEHIND if model_id.startswith("ft:") else NEWER_BASE

    def _training_ends(self, model_id: str, base: str | None) -> date | None:
        """Also at another server, for a fine-tune that is named in OpenAI's way: a gateway may stand before OpenAI."""
        told = self._table.stated(model_id, base).training_ends
        named = self._vendor or model_id.startswith("ft:")
        return told or (_OPENAI.published(model_id, base).training_ends if named else None)

    async def _ends(
        self,
        model: Mapping[str, Any],
        model_id: str,
        base_model: str | None,
        *,
        ask: bool = True,
    ) -> date | None:
        stated = self._table.stated(model_id, base_model)
        published = self._table.published(model_id, base_model)
        if not is_fine_tuned(model_id):
            return stated.base_inference_ends or _shutdown(model) or published.base_inference_ends
        told = stated.fine_tunes_end or _shutdown(model)
        if told is None and ask:
            told = await self._base_ends(model_id, base_model)
        return told or published.fine_tunes_end

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
