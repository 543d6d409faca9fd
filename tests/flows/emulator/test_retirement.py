"""Models end in the emulator as the vendors have published it, each of their parts on a day of its own."""

from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError
from support.emulator import LIVING

from flows.emulator.control_plane.catalogue import AS_OF, BASE_MODELS
from flows.emulator.control_plane.retirement import last_days
from flows.emulator.server import Emulator
from flows.platforms.azure.region.fine_tune_offers import offer_table
from flows.platforms.model_lifetimes import LifetimeTable, tables

PAST = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()


def dated(**days: str) -> dict[str, Any]:
    return {"*": {**LIVING["*"], **days}}


BY_OPENAI = [base for base in BASE_MODELS if base.format == "OpenAI"]


@pytest.mark.parametrize("base", BY_OPENAI, ids=lambda base: base.full_name)
def test_the_catalogue_agrees_with_what_the_client_knows(base) -> None:
    for platform, own in (("azure_openai", base.azure_ends), ("openai", base.openai_ends)):
        known = LifetimeTable(platform).published(base.full_name)
        days = (known.training_ends, known.base_inference_ends, known.fine_tunes_end)
        if base.full_name != "gpt-4o-2024-11-20" or platform != "openai":  # takes no jobs anywhere
            assert astuple(own) == tuple(day and day.isoformat() for day in days)
    for location in ("eastus2", "northcentralus", "swedencentral", "japaneast"):
        offered = set(base.skus(location, fine_tuned=True))
        # of Microsoft's newer overview: for fine-tunes in the US zone alone
        assert ("DataZoneStandard" in offered) == location.endswith(("us", "us2"))
        assert offered - {"DataZoneStandard"} == {
            sku
            for sku, models in offer_table().types.items()
            if (places := models.get(base.name, ())) == "everywhere" or location in places
        }
    assert max(one.noted for one in tables()).isoformat() == AS_OF


def test_days_are_as_far_away_as_they_were_when_they_were_noted(tmp_path) -> None:
    base = next(one for one in BASE_MODELS if one.name == "o4-mini")
    with Emulator(tmp_path / "new") as emulator:
        made = datetime.fromtimestamp(emulator.state.first_moment, UTC).date()
        late = max(made - date.fromisoformat(AS_OF), timedelta())
        assert last_days(emulator.state, base).base == (date(2026, 10, 16) + late).isoformat()
        emulator.clock.advance(400 * 86400)
        assert last_days(emulator.state, base).base == (date(2026, 10, 16) + late).isoformat()


def test_a_retired_base_leaves_its_fine_tunes_answering(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    plane.put("base", "gpt-4.1-mini", "GlobalStandard")
    workshop.emulator.set(model_dates=dated(base_inference_ends=PAST))
    assert plane.put("cand", model).status_code == 201
    assert workshop.ask("cand").status_code == 200
    assert workshop.ask("base").status_code == 410
    refused = plane.put("other", "gpt-4.1-mini", "GlobalStandard")
    assert refused.json()["error"]["code"] == "DeploymentModelNotSupported"
    listed = {one["name"]: one for one in plane.call("GET", "/models").json()["value"]}
    assert listed["gpt-4.1-mini"]["lifecycleStatus"] == "Deprecated"
    assert listed["gpt-4.1-mini"]["deprecation"]["inference"].startswith(PAST)
    assert listed[model]["lifecycleStatus"] == "GenerallyAvailable"
    workshop.emulator.set(fine_tune_dates="base")
    copied = {one["name"]: one for one in plane.call("GET", "/models").json()["value"]}[model]
    assert copied["lifecycleStatus"] == "Deprecated"
    workshop.emulator.set(list_fine_tunes=False)
    assert model not in {one["name"] for one in plane.call("GET", "/models").json()["value"]}


def test_fine_tunes_have_a_day_of_their_own(workshop) -> None:
    plane, model = workshop.plane(), workshop.tuned()
    plane.put("cand", model)
    workshop.emulator.set(model_dates=dated(fine_tunes_end=PAST))
    assert workshop.ask("cand").status_code == 410
    assert plane.put("other", model).json()["error"]["code"] == "DeploymentModelNotSupported"


def test_no_job_is_taken_on_a_base_past_its_last_day_of_training(workshop) -> None:
    workshop.emulator.set(model_dates=dated(training_ends=PAST))
    with pytest.raises(BadRequestError, match="not available for fine-tuning"):
        workshop.start_job(workshop.client())


def test_openai_shuts_fine_tunes_down_with_their_base(workshop) -> None:
    client = workshop.client("/v1")
    model = workshop.fine_tune(client)
    ask = {"messages": [{"role": "user", "content": "x"}]}
    workshop.emulator.set(model_dates=dated(base_inference_ends=PAST, fine_tunes_end=PAST))
    for name in (model, "gpt-4.1-mini"):
        with pytest.raises(NotFoundError):
            client.chat.completions.create(model=name, **ask)
