"""Which models have ended in the emulator's world: training on a base, the untuned base, and its fine-tunes, each by its day.

Published days are moved by as long after they were noted as the state folder was made: a world that is begun later looks
as it would on the day they were noted, so that nothing learnt on it goes stale.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from flows.emulator.control_plane.catalogue import AS_OF, BaseModel, LastDays
from flows.emulator.state.documents import Flavour
from flows.emulator.state.emulator_state import EmulatorState
from flows.emulator.switches import ModelDay

__all__ = ["base_has_ended", "fine_tunes_have_ended", "last_days", "training_has_ended"]


def last_days(state: EmulatorState, base: BaseModel, flavour: Flavour = "azure") -> LastDays:
    """Return the last days of a base model in this world: the switch's where it names any, else the published ones.

    What the switches call retired had ended when this world began, the base a day before its fine-tunes.
    """
    published = base.azure_ends if flavour == "azure" else base.openai_ends
    days: dict[ModelDay, str | None] = {
        "training_ends": _moved(state, published.training),
        "base_inference_ends": _moved(state, published.base),
        "fine_tunes_end": _moved(state, published.fine_tunes),
    }
    for key in ("*", base.name, base.full_name):
        days |= state.switches.model_dates.get(key, {})
    begun, before = (_before(state, days=count) for count in (0, 1))
    if base.name in state.switches.retired_models:
        days["base_inference_ends"] = min(days["base_inference_ends"] or before, before)
    if base.name in state.switches.retired_fine_tunes:
        days["fine_tunes_end"] = min(days["fine_tunes_end"] or begun, begun)
    return LastDays(days["training_ends"], days["base_inference_ends"], days["fine_tunes_end"])


def training_has_ended(state: EmulatorState, base: BaseModel, flavour: Flavour) -> bool:
    """Say whether no job on the base is taken any more."""
    return _over(state, last_days(state, base, flavour).training)


def base_has_ended(state: EmulatorState, base: BaseModel, flavour: Flavour = "azure") -> bool:
    """Say whether the untuned model neither answers nor can be deployed."""
    return _over(state, last_days(state, base, flavour).base)


def fine_tunes_have_ended(
    state: EmulatorState, base: BaseModel, flavour: Flavour = "azure"
) -> bool:
    """Say whether the models that were fine-tuned on a base are gone."""
    return _over(state, last_days(state, base, flavour).fine_tunes)


def _before(state: EmulatorState, *, days: int) -> str:
    made = datetime.fromtimestamp(state.first_moment, UTC).date()
    return (made - timedelta(days=days)).isoformat()


def _moved(state: EmulatorState, day: str | None) -> str | None:
    if day is None:
        return None
    made = datetime.fromtimestamp(state.first_moment, UTC).date()
    late = max(made - date.fromisoformat(AS_OF), timedelta())
    return (date.fromisoformat(day) + late).isoformat()


def _over(state: EmulatorState, day: str | None) -> bool:
    now = datetime.fromtimestamp(state.clock.now(), UTC).date()
    return day is not None and date.fromisoformat(day) <= now
