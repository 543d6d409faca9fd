"""What a region says of a model, and what is known where it says nothing: deployment types, last days, fine-tuning.

Pure: from the account's list of models, the published tables and the target's own words to lines of the preflight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from flows.platforms.azure.fine_tune_offers import (
    Offers,
    fine_tune_offers,
    regions_that_fine_tune,
    stated_for,
)
from flows.platforms.azure.models import (
    Entry,
    find_entry,
    inference_ends,
    is_retired,
    listed_skus,
    own_sku_ends,
    own_word,
    sku_ends,
    training_ends,
)
from flows.platforms.base import Finding
from flows.platforms.findings import (
    NEWER_BASE,
    lifetime_finding,
    training_finding,
    unknown_lifetime,
)
from flows.platforms.model_lifetimes import LifetimeTable
from flows.platforms.model_names import base_parts, is_fine_tuned

__all__ = ["Region", "region_of", "untuned_on_developer_tier"]

_OTHER_BASE = "choose a base model that lives, or one of its fine-tunes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A model in a region. `models` is the account's list, `base` the model's base (itself when it is untuned).

    `location` is written without spaces, empty when it isn't known; `offered` are types that the target names by base.
    """

    model_id: str
    base: str
    location: str
    models: Sequence[Entry]
    lifetimes: LifetimeTable
    offered: Mapping[str, tuple[str, ...]]
    today: date

    @property
    def tuned(self) -> bool:
        """True for a fine-tune."""
        return is_fine_tuned(self.model_id)

    @property
    def own(self) -> Entry | None:
        """The model's own entry in the list."""
        return find_entry(self.models, self.model_id) if self.tuned else None

    @property
    def listed(self) -> Entry | None:
        """The entry of its base."""
        return find_entry(self.models, *base_parts(self.base))

    def offers(self) -> Offers:
        """Return the deployment types that the model has here."""
        if not self.tuned:
            ends = {sku: self._sku_ends(sku) for sku in listed_skus(self.listed)}
            skus = (sku for sku, end in ends.items() if end is None or end > self.today)
            return Offers(tuple(skus), source="the region's list")
        return fine_tune_offers(
            self.base,
            self.location,
            own=self.own,
            listed=self.listed,
            stated=stated_for(self.offered, self.base),
            today=self.today,
        )

    def sku_findings(self, slot: str, sku: str) -> tuple[Finding, ...]:
        """Report whether a slot's deployment type is offered, and until when where that has a day of its own."""
        name, offers = f"sku {slot}", self.offers()
        offered = f"offered here: {', '.join(offers.offered)}" if offers.offered else ""
        if not self.tuned and sku == "DeveloperTier":
            message, fix = untuned_on_developer_tier(self.model_id, slot)
            return (
                Finding(
                    name=name, level="fail", message=message, fix=f"{fix}; {offered}".rstrip("; ")
                ),
            )
        ends = self._sku_ends(sku)
        if ends is not None and ends <= self.today:
            message = f"{sku} of this model ended here on {ends}"
            return (Finding(name=name, level="fail", message=message, fix=offered or _OTHER_BASE),)
        if sku not in offers.offered:
            return (self._not_offered(name, sku, offers, offered),)
        found = Finding(name=name, level="ok", message=f"{sku} is offered here")
        if ends is None:
            return (found,)
        until = lifetime_finding(
            f"deployment type {sku}", ends, today=self.today, fix=offered, name=name
        )
        return (until,)

    def _not_offered(self, name: str, sku: str, offers: Offers, fix: str) -> Finding:
        if sku in offers.unknown or not offers.offered:
            message = f"the region does not say whether {sku} is offered"
            if self.tuned:
                message += f" for models fine-tuned on {base_parts(self.base)[0]}"
            return Finding(name=name, level="warn", message=message, fix=fix)
        by = f" (by {offers.source})" if self.tuned and self.own is None else ""
        message = f"{sku} is not offered for this model in this region{by}"
        return Finding(name=name, level="fail", message=message, fix=fix)

    def _sku_ends(self, sku: str) -> date | None:
        """The type's own day, where it comes before the model's own."""
        if self.tuned:
            return own_sku_ends(self.own, sku, self.listed)
        ends, whole = sku_ends(self.listed, sku), inference_ends(self.listed)
        return ends if ends is not None and (whole is None or ends < whole) else None

    def lifetime_findings(self) -> tuple[Finding, ...]:
        """Report until when the model can be deployed and asked, and until when a successor can be trained."""
        return self._of_fine_tune() if self.tuned else self._of_base()

    def _of_base(self) -> tuple[Finding, ...]:
        entry, what = self.listed, f"base model {self.base}"
        stated = self.lifetimes.stated(self.model_id).base_inference_ends
        published = self.lifetimes.published(self.model_id).base_inference_ends
        if is_retired(entry):
            message = f"the {what} is retired"
            return (Finding(name="lifetime", level="fail", message=message, fix=_OTHER_BASE),)
        ends = stated or inference_ends(entry) or published
        if ends is None:
            return (unknown_lifetime(what, "base_inference_ends"),)
        found = [lifetime_finding(what, ends, today=self.today, fix=_OTHER_BASE)]
        if entry is None and found[0].level != "fail":
            message = f"the region does not list {self.base}"
            found.append(
                Finding(name="availability", level="warn", message=message, fix=_OTHER_BASE)
            )
        if str((entry or {}).get("lifecycleStatus") or "").lower() == "deprecating":
            message = f"new deployments of {self.base} are blocked, except for who has one"
            found.append(
                Finding(
                    name="availability",
                    level="warn",
                    message=message,
                    fix="take a newer base model",
                )
            )
        return tuple(found)

    def _of_fine_tune(self) -> tuple[Finding, ...]:
        what = f"fine-tune of {self.base}"
        ends, training = self._fine_tunes_end(), self._training_ends()
        if self._own_is_retired():
            message = f"{self.model_id} is retired, by the region's list"
            found = [Finding(name="lifetime", level="fail", message=message, fix=NEWER_BASE)]
        elif ends is None:
            found = [unknown_lifetime(what, "fine_tunes_end")]
        else:
            found = [lifetime_finding(what, ends, today=self.today, fix=NEWER_BASE)]
        if training is not None:
            found.append(training_finding(self.base, training, today=self.today))
        return tuple(found)

    def _fine_tunes_end(self) -> date | None:
        stated = self.lifetimes.stated(self.model_id, self.base).fine_tunes_end
        told = own_word(inference_ends(self.own), inference_ends(self.listed)) if self.own else None
        published = self.lifetimes.published(self.model_id, self.base)
        if self.listed is None:  # what the own entry may have copied is only known from the table
            told = own_word(told, published.base_inference_ends)
        known = told or published.fine_tunes_end
        return stated or (known and max([known, *self._not_before()]))

    def _training_ends(self) -> date | None:
        """The later of what is published and listed: the list's day may be that for newcomers, who are let go first."""
        stated = self.lifetimes.stated(self.model_id, self.base).training_ends
        known = (
            self.lifetimes.published(self.model_id, self.base).training_ends,
            training_ends(self.listed),
        )
        return stated or max((day for day in known if day is not None), default=None)

    def _not_before(self) -> list[date]:
        """Days that fine-tunes outlive, whatever an older word says: their base's end, and that of training on it."""
        days = (inference_ends(self.listed), training_ends(self.listed))
        return [day for day in days if day is not None]

    def _own_is_retired(self) -> bool:
        """True when the fine-tune's entry says so and does not only repeat what is said of its base."""
        return is_retired(self.own) and self.listed is not None and not is_retired(self.listed)

    def fine_tuning_finding(self, trained_in: str | None) -> Finding | None:
        """Report whether models may be brought here from another region: it has to have fine-tuning, too.

        `trained_in` is the source account's region, None when it can't be seen. None for models of this region.
        """
        if not self.tuned or not self.location or trained_in == self.location:
            return None
        name, said = "fine-tuning", self._region_fine_tunes()
        if said or (said is None and self.location in regions_that_fine_tune()):
            return Finding(
                name=name,
                level="ok",
                message=f"{self.location} has fine-tuning, as models of another region need",
            )
        known = ", ".join(sorted(regions_that_fine_tune()))
        message = f"models of another region can be deployed where fine-tuning is offered only, and {self.location}"
        fix = f"deploy in a region with fine-tuning, such as {known}"
        if said is False and self.location not in regions_that_fine_tune():
            message += " does not offer it"
            return Finding(name=name, level="fail", message=message, fix=fix)
        return Finding(
            name=name, level="warn", message=f"{message} does not say that it does", fix=fix
        )

    def _region_fine_tunes(self) -> bool | None:
        """What the list says of training models here; None when it doesn't tell what they can do."""
        told = [  # models of long ago are listed everywhere with what they could do once
            able
            for one in self.models
            if isinstance(able := one.get("capabilities"), Mapping)
            and (one == self.listed or not is_retired(one))
        ]
        if any(str(able.get("fineTune") or "").lower() == "true" for able in told):
            return True
        return False if any(told) else None


def region_of(account: Mapping[str, object]) -> str:
    """Return an account's region as 'swedencentral', however it is written; empty when it isn't told."""
    return str(account.get("location") or "").replace(" ", "").lower()


def untuned_on_developer_tier(model_id: str, slot: str) -> tuple[str, str]:
    """Return message and fix for an untuned model where only fine-tunes can stand."""
    return (
        f"DeveloperTier takes fine-tuned models only, and {model_id} is not fine-tuned",
        f"give the slot another type in the target, such as 'slots: {{{slot}: {{sku: GlobalStandard}}}}'",
    )
