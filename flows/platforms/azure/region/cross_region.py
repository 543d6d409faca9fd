"""Whether a model that was trained in another region can be brought here: only where fine-tuning is offered, too."""

from __future__ import annotations

from collections.abc import Mapping

from flows.platforms.azure.region.fine_tune_offers import regions_that_fine_tune
from flows.platforms.azure.region.model_here import ModelHere
from flows.platforms.azure.region.models import is_retired
from flows.platforms.base import Finding

__all__ = ["fine_tuning_finding"]


def fine_tuning_finding(model: ModelHere, trained_in: str | None) -> Finding | None:
    """Report whether models may be brought here from another region: it has to have fine-tuning, too.

    `trained_in` is the source account's region, None when it can't be seen. None for models of this region.
    """
    if not model.tuned or not model.location or trained_in == model.location:
        return None
    said, known = _region_fine_tunes(model), regions_that_fine_tune()
    need = "fine-tuning, which models of another region need"
    if said or (said is None and model.location in known):
        return Finding(name="fine-tuning", level="ok", message=f"{model.location} offers {need}")
    fix = f"deploy in a region with fine-tuning, such as {', '.join(sorted(known))}"
    if said is False and model.location not in known:
        message = f"{model.location} does not offer {need}"
        return Finding(name="fine-tuning", level="fail", message=message, fix=fix)
    message = f"{model.location} does not say whether it offers {need}"
    return Finding(name="fine-tuning", level="warn", message=message, fix=fix)


def _region_fine_tunes(model: ModelHere) -> bool | None:
    """What the list says of training models here; None when it doesn't tell what they can do."""
    told = [  # models of long ago are listed everywhere with what they could do once
        able
        for one in model.models
        if isinstance(able := one.get("capabilities"), Mapping)
        and (one == model.listed or not is_retired(one))
    ]
    if any(str(able.get("fineTune") or "").lower() == "true" for able in told):
        return True
    return False if any(told) else None
