"""What a region's list, the published tables and a target's own words come to, on a day that stands still."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from evals.errors import ConfigurationError
from flows.platforms.azure.options import read_options
from flows.platforms.azure.region.capacities import capacity_finding
from flows.platforms.azure.region.cross_region import fine_tuning_finding
from flows.platforms.azure.region.deployment_types import offers_of, sku_finding
from flows.platforms.azure.region.known_base import base_finding
from flows.platforms.azure.region.lifetimes import lifetime_findings
from flows.platforms.azure.region.model_here import ModelHere
from flows.platforms.base import Finding
from flows.platforms.model_lifetimes import LifetimeTable, ModelDates, tables

TODAY = date(2026, 11, 28)
HEX = "5d1e" * 8
O4, MINI, GPT_4O = "o4-mini-2025-04-16", "gpt-4.1-mini-2025-04-14", "gpt-4o-2024-08-06"
HERE = {"subscription": "s", "resource_group": "g", "account": "a"}


def entry(base: str, ends: str | None = None, *skus: str, **more: Any) -> dict[str, Any]:
    """An entry of the region's list, as the service writes it."""
    return {
        "format": "OpenAI",
        "name": base[:-11],
        "version": base[-10:],
        "lifecycleStatus": "GenerallyAvailable",
        "deprecation": {"inference": f"{ends}T00:00:00Z"} if ends else None,
        "skus": [{"name": sku} for sku in skus],
        **more,
    }


def own_entry(base: str, ends: str | None = None, *skus: str, **more: Any) -> dict[str, Any]:
    return {**entry(base, ends, *skus, **more), "name": f"{base}.ft-{HEX}", "version": "1"}


def region(
    model: str,
    *models: dict[str, Any],
    location: str = "swedencentral",
    base: str | None = None,
    lifetimes: dict[str, dict[str, str]] | None = None,
    offered: dict[str, list[str]] | None = None,
    today: date = TODAY,
) -> ModelHere:
    options = read_options({**HERE, "lifetimes": lifetimes or {}, "offered": offered or {}})
    return ModelHere(
        model_id=model,
        base=base or model.partition(".ft-")[0],
        location=location,
        models=models,
        lifetimes=LifetimeTable("azure_openai", options.lifetimes),
        offered=options.offered,
        today=today,
    )


def lines(*found: Finding) -> dict[str, str]:
    return {one.name: f"{one.level}: {one.message}" for one in found}


def tuned(base: str) -> str:
    return f"{base}.ft-{HEX}"


# ---- lifetimes


@pytest.mark.parametrize(
    ("base", "until"), [(O4, "2027-10-16"), (MINI, "2027-10-14"), (GPT_4O, "2027-10-01")]
)
def test_fine_tunes_live_until_a_day_of_their_own(base, until) -> None:
    retired = entry(base, "2026-10-01", lifecycleStatus="Deprecated")
    for listed in ([retired], []):
        found = lines(*lifetime_findings(region(tuned(base), *listed)))
        assert found["lifetime"] == f"ok: the fine-tune of {base} lives until {until}"
        assert found["successor"].startswith(
            f"ok: a successor can be trained on {base} until 2027-04"
        )


def test_the_day_of_the_fine_tunes_is_warned_of_and_comes() -> None:
    listed = entry(O4, "2026-10-16", lifecycleStatus="Deprecated")
    warned = lifetime_findings(region(tuned(O4), listed, today=date(2027, 8, 1)))
    assert lines(*warned)["lifetime"].startswith(
        "warn: the fine-tune of o4-mini-2025-04-16 ends on"
    )
    gone = lifetime_findings(region(tuned(O4), listed, today=date(2027, 10, 16)))
    assert [one.level for one in gone] == ["fail", "warn"]
    assert {one.fix for one in gone} == {"train the successor on a newer base model"}


def test_training_that_ends_is_a_warning_and_no_more() -> None:
    soon = lifetime_findings(region(tuned(MINI), today=date(2027, 3, 1)))
    assert lines(*soon)["successor"].startswith("warn: a successor can be trained on")
    over = lifetime_findings(region(tuned(MINI), today=date(2027, 4, 14)))
    assert [one.level for one in over] == ["ok", "warn"]


def test_a_successor_that_the_regions_list_ends_earlier_is_a_warning() -> None:
    listed = entry(MINI, deprecation={"fineTune": "2026-12-01T00:00:00Z"})
    found = lines(*lifetime_findings(region(tuned(MINI), listed)))
    assert found["successor"] == (
        f"warn: a successor can be trained on {MINI} until 2027-04-14 as published, until 2026-12-01 by the region's list"
    )


def test_an_untuned_model_ends_by_the_regions_list() -> None:
    past = lifetime_findings(region(MINI, entry(MINI, "2026-11-27")))
    assert lines(*past)["lifetime"] == f"fail: the base model {MINI} ended on 2026-11-27"
    assert "train" not in past[0].fix
    later = lifetime_findings(region(O4, entry(O4, "2027-04-16")))
    assert [one.level for one in later] == ["ok"], "the list goes before the table"
    unlisted = lifetime_findings(region(O4))
    assert [one.level for one in unlisted] == ["fail"], "the table alone knows"
    retired = region(MINI, entry(MINI, "2030-01-01", lifecycleStatus="Deprecated"))
    assert lifetime_findings(retired)[0].level == "fail"
    unnamed = "gpt-5-2025-08-07"
    unknown = lifetime_findings(region(unnamed, entry(unnamed)))
    assert [one.level for one in unknown] == ["warn"]
    assert "base_inference_ends" in unknown[0].fix


def test_what_is_blocked_for_newcomers_is_a_warning_for_untuned_models_only() -> None:
    listed = entry(MINI, "2027-04-14", lifecycleStatus="Deprecating")
    assert [one.level for one in lifetime_findings(region(MINI, listed))] == ["ok", "warn"]
    assert {one.level for one in lifetime_findings(region(tuned(MINI), listed))} == {"ok"}


def test_an_unknown_day_is_a_warning_until_the_target_states_it() -> None:
    base = "gpt-5-2025-08-07"
    for listed in ([], [entry(base, "2027-02-06")]):
        (found,) = lifetime_findings(region(tuned(base), *listed))
        assert (found.level, found.name) == ("warn", "lifetime")
        assert "'fine_tunes_end' under 'lifetimes'" in found.fix
    for key in (base, "gpt-5", tuned(base)):
        stated = {key: {"fine_tunes_end": "2028-02-06"}}
        (found,) = lifetime_findings(region(tuned(base), lifetimes=stated))
        assert found.level == "ok"


def test_the_targets_own_days_go_before_all_others() -> None:
    stated = {MINI: {"fine_tunes_end": "2026-11-01", "base_inference_ends": "2026-11-02"}}
    assert lifetime_findings(region(tuned(MINI), lifetimes=stated))[0].level == "fail"
    found = lifetime_findings(region(MINI, entry(MINI, "2027-04-14"), lifetimes=stated))
    assert "ended on 2026-11-02" in found[0].message


def test_a_fine_tunes_own_entry_counts_where_it_does_not_repeat_its_base() -> None:
    listed = entry(MINI, "2026-10-14", lifecycleStatus="Deprecated")
    copied = own_entry(MINI, "2026-10-14", lifecycleStatus="Deprecated")
    own = own_entry(MINI, "2026-11-20")
    gone = own_entry(MINI, lifecycleStatus="Deprecated")
    assert lifetime_findings(region(tuned(MINI), listed, copied))[0].level == "ok"
    assert lifetime_findings(region(tuned(MINI), listed, own))[0].level == "fail"
    found = lifetime_findings(region(tuned(MINI), entry(MINI, "2027-04-14"), gone))
    assert found[0].message == f"{tuned(MINI)} is retired, by the region's list"
    delisted = own_entry(MINI, "2027-04-14", lifecycleStatus="Deprecated")
    assert lifetime_findings(region(tuned(MINI), delisted))[0].level == "ok"


def test_a_fine_tune_that_the_list_has_as_retired_is_refused_or_warned_of() -> None:
    gone = {"lifecycleStatus": "Deprecated"}
    own, base = own_entry(MINI, "2027-10-14", **gone), entry(MINI, "2027-04-14")
    assert lines(*lifetime_findings(region(tuned(MINI), base, own)))["lifetime"].startswith("fail")
    ended = own_entry(MINI, "2026-11-01", **gone)
    over = entry(MINI, "2026-10-01", **gone)
    assert lines(*lifetime_findings(region(tuned(MINI), over, ended)))["lifetime"].startswith(
        "fail"
    )
    copied = region(tuned(MINI), over, own_entry(MINI, "2026-10-01", **gone))
    told = {one.name: one for one in lifetime_findings(copied)}
    assert told["availability"].level == "warn"
    assert "'fine_tunes_end'" in told["availability"].fix
    stated = region(
        tuned(MINI),
        over,
        own_entry(MINI, "2026-10-01", **gone),
        lifetimes={MINI: {"fine_tunes_end": "2027-10-14"}},
    )
    assert "availability" not in lines(*lifetime_findings(stated))


def test_a_base_that_nothing_knows_may_be_mistyped() -> None:
    mistyped = region("ftchkpt-" + HEX, entry(MINI), base="gpt-4.1-mni-2025-04-14")
    found = base_finding(mistyped)
    assert found is not None
    assert found.level == "warn"
    assert "gpt-4.1-mni-2025-04-14" in found.message
    assert found.fix == "did you mean 'gpt-4.1-mini'?"
    for known in (MINI, O4, "gpt-4.1-mini"):
        assert base_finding(region("ftchkpt-" + HEX, entry(MINI), base=known)) is None
    assert base_finding(region("ftchkpt-" + HEX, base="gpt-9-foo")) is None


def test_a_checkpoint_is_as_retired_as_its_jobs_model() -> None:
    own = own_entry(MINI, "2027-10-14", lifecycleStatus="Deprecated")
    of_job = region("ftchkpt-" + HEX, entry(MINI, "2027-04-14"), own, base=MINI)
    assert lines(*lifetime_findings(of_job))["lifetime"].startswith("ok")
    of_job = replace(of_job, job_id=f"ftjob-{HEX}")
    assert lines(*lifetime_findings(of_job))["lifetime"].startswith("fail")


@pytest.mark.parametrize(
    ("ends", "told", "level"),
    [
        ("2026-11-01", "lives until 2027-10-14", "warn"),
        ("2027-04-14", "lives until 2027-10-14", "-"),
        ("2028-01-01", "lives until 2028-01-01", "-"),
    ],
)
def test_an_own_day_that_may_be_that_of_a_base_not_listed_refuses_nothing(
    ends, told, level
) -> None:
    found = lines(*lifetime_findings(region(tuned(MINI), own_entry(MINI, ends))))
    assert found["lifetime"].startswith("ok") and found["lifetime"].endswith(told)
    assert found.get("availability", "-").startswith(level)


def test_a_model_that_is_only_there_to_be_trained_is_refused_untuned() -> None:
    able = {"fineTune": "true", "inference": "False"}
    listed = entry(MINI, "2027-04-14", "Standard", capabilities=able)
    found = lines(*lifetime_findings(region(MINI, listed)))
    assert found["availability"].startswith("fail: gpt-4.1-mini-2025-04-14 is listed as one that")
    assert "availability" not in lines(*lifetime_findings(region(tuned(MINI), listed)))


def test_a_base_that_lives_longer_than_the_table_says_takes_its_fine_tunes_along() -> None:
    listed = entry(MINI, "2030-07-15")
    found = lifetime_findings(region(tuned(MINI), listed, today=date(2029, 1, 1)))
    assert lines(*found)["lifetime"].endswith("lives until 2030-07-15")


@pytest.mark.parametrize("base", [tuned(MINI), MINI, "gpt-4.1-mini", "GPT-4.1-mini-2025-04-14"])
def test_the_base_of_a_checkpoint_is_the_jobs_however_it_is_named(base) -> None:
    table = LifetimeTable("azure_openai")
    assert table.published(f"ftchkpt-{HEX}", base).fine_tunes_end == date(2027, 10, 14)
    assert table.published(f"ftchkpt-{HEX}").fine_tunes_end is None


def test_a_base_that_nothing_dates_gets_the_earliest_of_its_versions() -> None:
    table = LifetimeTable("azure_openai")
    assert table.published("gpt-4o").base_inference_ends == date(2026, 12, 9)
    assert table.published(tuned("gpt-4o")).fine_tunes_end == date(2027, 10, 1)
    assert table.published("gpt-4o-2024-11-20").fine_tunes_end is None


def test_every_table_says_where_it_is_from_and_keeps_its_order() -> None:
    for figures in tables():
        assert figures.source and figures.noted >= date(2026, 11, 28)
        for dates in figures.models.values():
            assert dates != ModelDates()
    for model in {model for figures in tables() for model in figures.models}:
        for platform in ("azure_openai", "openai"):
            dates = LifetimeTable(platform).published(model)
            if dates.training_ends and dates.fine_tunes_end:
                assert dates.training_ends <= dates.fine_tunes_end


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({MINI: {"fine_tune_ends": "2027-10-14"}}, "did you mean 'fine_tunes_end'?"),
        ({MINI: {"fine_tunes_end": "soon"}}, "expected a date such as 2027-10-14; found 'soon'"),
        ({MINI: {"fine_tunes_end": "20271014"}}, "expected a date such as 2027-10-14"),
        ({MINI: {"fine_tunes_end": datetime(2027, 10, 14)}}, "expected a date such as"),
        ({MINI: "2027-10-14"}, "found '2027-10-14'"),
        ("20271014", "expected dates by model"),
        ([], "Expected `object`, got `array`"),
        ([MINI], "expected dates by model"),
        (
            {MINI: {"training_ends": "2028-01-01", "fine_tunes_end": "2027-10-14"}},
            "after training_ends",
        ),
    ],
)
def test_lifetimes_that_make_no_sense_are_one_clear_error(stated, told) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_options({**HERE, "lifetimes": stated})
    (problem,) = refused.value.problems
    assert told in str(problem)
    assert problem.field is not None and problem.field.startswith("lifetimes")


# ---- deployment types


def sku(of: ModelHere, name: str) -> Finding:
    return sku_finding(of, "production", name, 100)


@pytest.mark.parametrize(
    ("base", "location", "offered"),
    [
        (O4, "eastus2", "Standard, GlobalStandard, DeveloperTier"),
        (MINI, "northcentralus", "Standard, GlobalStandard, DeveloperTier"),
        (MINI, "japaneast", "GlobalStandard, DeveloperTier"),
        (GPT_4O, "swedencentral", "Standard, GlobalStandard, ProvisionedManaged"),
        (GPT_4O, "northcentralus", "GlobalStandard, ProvisionedManaged"),
    ],
)
def test_the_table_says_what_fine_tunes_have_where_the_list_does_not(
    base, location, offered
) -> None:
    of = region(tuned(base), entry(base, None, "GlobalBatch"), location=location)
    assert offers_of(of).offered == tuple(offered.split(", "))
    assert sku(of, "GlobalStandard").level == "ok"
    refused = sku(region(tuned(MINI), location="japaneast"), "Standard")
    assert (refused.level, refused.fix) == ("fail", "offered here: GlobalStandard, DeveloperTier")
    assert "2026-02-11" in refused.message


def test_the_list_overrules_the_table_where_it_speaks_of_the_fine_tune() -> None:
    listed = entry(MINI, None, "Standard", "GlobalStandard")
    own = own_entry(MINI, None, "GlobalStandard", "DataZoneStandard")
    of = region(tuned(MINI), listed, own)
    assert offers_of(of).offered == ("GlobalStandard", "DataZoneStandard")
    assert sku(of, "Standard").level == "fail"
    assert sku(of, "DeveloperTier").level == "warn", "no list names it"
    copied = own_entry(MINI, None, "Standard", "GlobalStandard")
    assert sku(region(tuned(MINI), listed, copied), "DeveloperTier").level == "ok"
    of_4o = region(
        tuned(GPT_4O), entry(GPT_4O, None, "Standard"), own_entry(GPT_4O, None, "GlobalStandard")
    )
    assert sku(of_4o, "DeveloperTier").level == "fail", "the table does not name it either"


@pytest.mark.parametrize(
    ("limits", "capacity", "told"),
    [
        ({"minimum": 25, "maximum": 1000, "step": 25}, 7, "25 or more"),
        ({"minimum": 25, "maximum": 1000, "step": 25}, 1025, "1000 or less"),
        ({"minimum": 25, "maximum": 1000, "step": 25}, 60, "steps of 25"),
        ({"minimum": 25, "maximum": 1000, "step": 25}, 50, None),
        ({"minimum": 15, "step": 10}, 35, None),
        ({"maximum": 100, "allowedValues": [1, 5, 10]}, 50, "one of 1, 5, 10"),
        ({"maximum": 0, "minimum": None, "step": "x", "allowedValues": None}, 50, None),
        (None, 50, None),
    ],
)
def test_a_capacity_that_the_list_rules_out_is_refused_with_its_numbers(
    limits, capacity, told
) -> None:
    listed = entry(MINI)
    listed["skus"] = [{"name": "globalstandard", "capacity": limits}]
    found = capacity_finding(region(MINI, listed), "production", "GlobalStandard", capacity)
    assert (found.level if found else None) == ("fail" if told else None)
    assert found is None or f"takes {told} here; the slot asks for {capacity}" in found.message
    found = capacity_finding(region(tuned(MINI), listed), "production", "GlobalStandard", capacity)
    assert (found.level if found else None) == ("warn" if told else None), "of the base alone"


def test_what_only_the_base_has_is_neither_yes_nor_no() -> None:
    listed = entry(MINI, None, "Standard", "DataZoneStandard")
    of = region(tuned(MINI), listed, location="westus3")
    for name in ("Standard", "DataZoneStandard"):
        assert sku(of, name).level == "warn"
        assert "for models fine-tuned on gpt-4.1-mini" in sku(of, name).message
    assert sku(of, "GlobalProvisionedManaged").level == "fail"
    assert sku(region(tuned(MINI), location=""), "Standard").level == "warn"


def test_a_target_may_know_more_of_its_region_than_the_table() -> None:
    offered = {"gpt-4o": ["DeveloperTier"]}
    assert sku(region(tuned(GPT_4O)), "DeveloperTier").level == "fail"
    assert sku(region(tuned(GPT_4O), offered=offered), "DeveloperTier").level == "ok"
    with pytest.raises(ConfigurationError, match="did you mean 'DeveloperTier'"):
        region(tuned(GPT_4O), offered={"gpt-4o": ["Developer"]})


def test_a_deployment_type_may_end_before_its_model() -> None:
    listed = entry(GPT_4O, "2027-12-01")
    listed["skus"] = [
        {"name": "Standard", "deprecationDate": "2026-03-31T00:00:00Z"},
        {"name": "DataZoneStandard", "deprecationDate": "2027-01-15T09:00:00+09:00"},
        {"name": "GlobalStandard", "deprecationDate": "2027-12-01T00:00:00Z"},
    ]
    of = region(GPT_4O, listed)
    assert sku(of, "Standard").message == "Standard of this model ended here on 2026-03-31"
    assert sku(of, "Standard").fix == "offered here: DataZoneStandard, GlobalStandard"
    assert sku(of, "DataZoneStandard").level == "warn"
    assert "2027-01-15" in sku(of, "DataZoneStandard").message
    assert sku(of, "GlobalStandard").message == "GlobalStandard is offered here"
    assert sku(region(tuned(GPT_4O), listed), "Standard").level == "ok", "that day is the base's"


def test_a_fine_tunes_own_deployment_type_may_end_too() -> None:
    listed, own = entry(MINI, "2027-04-14"), own_entry(MINI)
    listed["skus"] = [{"name": "Standard", "deprecationDate": "2026-10-14T00:00:00Z"}]
    own["skus"] = [
        {"name": "Standard", "deprecationDate": "2026-10-14T00:00:00Z"},
        {"name": "GlobalStandard", "deprecationDate": "2026-11-01T00:00:00Z"},
        {"name": "DeveloperTier"},
    ]
    of = region(tuned(MINI), listed, own)
    assert sku(of, "Standard").level == "ok", "copied from the base"
    assert sku(of, "GlobalStandard").level == "fail"


# ---- models of another region


def test_a_model_of_another_region_needs_fine_tuning_where_it_goes() -> None:
    able = entry(MINI, capabilities={"chatCompletion": "true", "fineTune": "true"})
    unable = entry(MINI, capabilities={"chatCompletion": "true"})

    def level(
        *models: dict[str, Any], location: str, trained_in: str | None = "swedencentral"
    ) -> str:
        found = fine_tuning_finding(region(tuned(MINI), *models, location=location), trained_in)
        return found.level if found else "-"

    assert level(able, location="westus") == "ok"
    assert level(unable, location="westus") == "fail"
    assert level(unable, location="eastus2") == "warn", "the table knows better, or has aged"
    assert level(location="eastus2") == "ok"
    assert level(location="westus") == "warn"
    assert level(unable, location="westus", trained_in="westus") == "-"
    assert level(unable, location="westus", trained_in=None) == "fail"
