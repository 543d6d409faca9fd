"""Until when a model answers, by its platform's word: an ability that a platform has by having the method.

Where nothing may be asked, the same method returns what is published and what the target states.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, Protocol, runtime_checkable

from evals.records import Record

__all__ = ["LastDays", "TellsLastDays"]


class LastDays(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The last days of one model; a day that is None is not known.

    `answers_until` is the day on which it stops answering; `trains_until`, of a fine-tune, the day from which no successor
    can be trained on its base. `state` is the service's own word: it knows the model (`there`), no longer knows it (`gone`),
    has it as retired, or does not say.
    """

    model_id: str
    base_model: str = ""
    answers_until: date | None = None
    trains_until: date | None = None
    state: Literal["there", "gone", "retired", "unknown"] = "unknown"


@runtime_checkable
class TellsLastDays(Protocol):
    """A platform that knows until when its models answer."""

    async def last_days(
        self, model_id: str, base_model: str | None = None, *, ask: bool = True
    ) -> LastDays:
        """Return a model's last days; without `ask` from the tables alone. Raises PlatformError when it can't be asked."""
        ...
