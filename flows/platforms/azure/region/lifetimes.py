"""Until when a model can be deployed and asked in a region, and until when a successor can be trained."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from flows.platforms.azure.region.model_here import OTHER_BASE, ModelHere
from flows.platforms.azure.region.models import (
    inference_ends,
    is_for_training_only,
    is_retired,
    own_word,
    training_ends,
)
from flows.platforms.base import Finding
from flows.platforms.findings import (
    NEWER_BASE,
    lifetime_finding,
    training_finding,
    unknown_lifetime,
)

__all__ = ["RegionalDays", "lifetime_findings", "regional_days"]

_STATE_IT = (
    "if it can't be deployed, train the successor on a newer base model; if it can, state its 'fine_tunes_end' under"
    " 'lifetimes' in the target"
)


def lifetime_findings(model: ModelHere) -> tuple[Finding, ...]:
    """Report on a fine-tune by the day of its own, on an untuned model by its; what isn't known is a warning."""
    return _of_fine_tune(model) if model.tuned else _of_base(model)


class RegionalDays(NamedTuple):
    """When a model stops answering here, from when no successor can be trained, and whether the list has it as retired."""

    answers_until: date | None
    trains_until: date | None
    retired: bool


def regional_days(model: ModelHere) -> RegionalDays:
    """Return a model's last days in a region, by the rules that `lifetime_findings` reports by."""
    if not model.tuned:
        return RegionalDays(_base_ends(model), None, is_retired(model.listed))
    return RegionalDays(_fine_tunes_end(model), _training_ends(model), _is_retired_itself(model))


def _base_ends(model: ModelHere) -> date | None:
    stated = model.lifetimes.stated(model.model_id).base_inference_ends
    published = model.lifetimes.published(model.model_id).base_inference_ends
    return stated or inference_ends(model.listed) or published


def _of_base(model: ModelHere) -> tuple[Finding, ...]:
    entry, what = model.listed, f"base model {model.base}"
    if is_retired(entry):
        message = f"the {what} is retired"
        return (Finding(name="lifetime", level="fail", message=message, fix=OTHER_BASE),)
    ends = _base_ends(model)
    if ends is None:
        found = [unknown_lifetime(what, "base_inference_ends")]
    else:
        found = [lifetime_finding(what, ends, today=model.today, fix=OTHER_BASE)]
    message = ""
    if is_for_training_only(entry):
        message = f"{model.base} is listed as one that does not answer untuned"
        found.append(Finding(name="availability", level="fail", message=message, fix=OTHER_BASE))
        return tuple(found)
    if entry is None and found[0].level != "fail":
        message = f"the region does not list {model.base}"
    elif str((entry or {}).get("lifecycleStatus") or "").lower() == "deprecating":
        message = f"new deployments of {model.base} are blocked, except for who has one"
    if message:
        found.append(Finding(name="availability", level="warn", message=message, fix=OTHER_BASE))
    return tuple(found)


def _of_fine_tune(model: ModelHere) -> tuple[Finding, ...]:
    what = f"fine-tune of {model.base}"
    ends, training = _fine_tunes_end(model), _training_ends(model)
    copied = _maybe_copied(model)
    if _is_retired_itself(model):
        message = f"{model.model_id} is retired, by the region's list"
        found = [Finding(name="lifetime", level="fail", message=message, fix=NEWER_BASE)]
    elif ends is None:
        found = [unknown_lifetime(what, "fine_tunes_end")]
    else:
        found = [lifetime_finding(what, ends, today=model.today, fix=NEWER_BASE)]
    if copied is not None:
        message = f"the region's list has {copied} for {model.model_id}: this may be the day of its base, which it lists no more"
        found.append(Finding(name="availability", level="warn", message=message, fix=_STATE_IT))
    elif found[0].level != "fail" and is_retired(model.own) and not _stated_end(model):
        message = (
            f"the region's list has {model.model_id} as retired: of itself, or only as its base is"
        )
        found.append(Finding(name="availability", level="warn", message=message, fix=_STATE_IT))
    if training is not None:
        found.append(_successor(model, training))
    return tuple(found)


def _fine_tunes_end(model: ModelHere) -> date | None:
    published = model.lifetimes.published(model.model_id, model.base).fine_tunes_end
    told = None if _maybe_copied(model) else _own_day(model)
    known = told or published
    return _stated_end(model) or (known and max([known, *_not_before(model)]))


def _stated_end(model: ModelHere) -> date | None:
    return model.lifetimes.stated(model.model_id, model.base).fine_tunes_end


def _own_day(model: ModelHere) -> date | None:
    """The day of a fine-tune's own entry, None where it repeats its base's; the table has that of one not listed any more."""
    if model.own is None:
        return None
    of_base = inference_ends(model.listed)
    if model.listed is None:
        of_base = model.lifetimes.published(model.model_id, model.base).base_inference_ends
    return own_word(inference_ends(model.own), of_base)


def _maybe_copied(model: ModelHere) -> date | None:
    """The day of its own entry that may have been its base's: one before the published day, of a base that is not listed."""
    own = _own_day(model) if model.listed is None and _stated_end(model) is None else None
    published = model.lifetimes.published(model.model_id, model.base).fine_tunes_end
    return own if own and (published is None or own < published) else None


def _training_ends(model: ModelHere) -> date | None:
    """The later of what is published and listed: the list's day may be that for newcomers, who are let go first."""
    stated = model.lifetimes.stated(model.model_id, model.base).training_ends
    known = (
        model.lifetimes.published(model.model_id, model.base).training_ends,
        training_ends(model.listed),
    )
    return stated or max((day for day in known if day is not None), default=None)


def _successor(model: ModelHere, training: date) -> Finding:
    """A warning where the region's list has an earlier day than the published one: no document says whom it binds."""
    listed = training_ends(model.listed)
    if (
        listed is None
        or listed >= training
        or model.lifetimes.stated(model.model_id, model.base).training_ends
    ):
        return training_finding(model.base, training, today=model.today)
    message = f"a successor can be trained on {model.base} until {training} as published, until {listed} by the region's list"
    fix = f"try a job, then state what holds as 'training_ends' under 'lifetimes'; or {NEWER_BASE}"
    return Finding(name="successor", level="warn", message=message, fix=fix)


def _not_before(model: ModelHere) -> list[date]:
    """Days that fine-tunes outlive, whatever an older word says: their base's end, and that of training on it."""
    days = (inference_ends(model.listed), training_ends(model.listed))
    return [day for day in days if day is not None]


def _is_retired_itself(model: ModelHere) -> bool:
    """True when a fine-tune's entry is retired and can't be a copy of its base's: that one lives, or had another day."""
    if model.listed is None or not is_retired(model.own):
        return False
    day = own_word(inference_ends(model.own), inference_ends(model.listed))
    return not is_retired(model.listed) or (day is not None and day <= model.today)
