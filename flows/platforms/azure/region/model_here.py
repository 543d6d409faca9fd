"""A model in a region, and the entries of the region's list that tell of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from flows.platforms.azure.region.models import Entry, find_entry
from flows.platforms.model_lifetimes import LifetimeTable
from flows.platforms.model_names import base_parts, is_fine_tuned, job_of

__all__ = ["OTHER_BASE", "ModelHere", "region_of"]

OTHER_BASE = "choose a base model that lives, or one of its fine-tunes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHere:
    """A model in a region. `models` is the account's list, `base` the model's base (itself when it is untuned).

    `location` is written without spaces, empty when it isn't known; `offered` are types that the target names by base; `job_id` is the job that trained it.
    """

    model_id: str
    base: str
    location: str
    models: Sequence[Entry]
    lifetimes: LifetimeTable
    offered: Mapping[str, tuple[str, ...]]
    today: date
    job_id: str | None = None

    @property
    def tuned(self) -> bool:
        """True for a fine-tune."""
        return is_fine_tuned(self.model_id)

    @property
    def own(self) -> Entry | None:
        """A fine-tune's own entry in the list; a checkpoint has none but that of its job's model."""
        if not self.tuned:
            return None
        of_job = (
            one
            for one in self.models
            if self.job_id and job_of(str(one.get("name") or "")) == self.job_id
        )
        return find_entry(self.models, self.model_id) or next(of_job, None)

    @property
    def listed(self) -> Entry | None:
        """The entry of its base."""
        return find_entry(self.models, *base_parts(self.base))


def region_of(account: Mapping[str, object]) -> str:
    """Return an account's region as 'swedencentral', however it is written; empty when it isn't told."""
    return str(account.get("location") or "").replace(" ", "").lower()
