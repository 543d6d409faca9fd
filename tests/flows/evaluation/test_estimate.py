"""What a run will take is said before it starts: cost, time against the slot's life, and hosting."""

from __future__ import annotations

import re

import pytest


@pytest.fixture
def line(account, models):
    def told(name: str, **changes):
        account.is_set_up(**changes)
        answer = account.doctor(models.second.model_id)
        (row,) = [row for row in answer.out.splitlines() if row.split()[1:2] == [name]]
        following = answer.out.splitlines()[answer.out.splitlines().index(row) + 1]
        return row.strip(), following.strip()

    return told


def sampling(account, **other):
    return {**account.target["sampling"], **other}


@pytest.mark.slow
def test_tokens_come_from_the_messages_first_and_from_the_last_run_afterwards(
    account, models, line
):
    guessed, _ = line("cost")
    assert "72 questions to 1 model(s)" in guessed
    assert "1,440 out" in guessed  # 20 tokens at most, 72 times
    account.promoted(models.first.model_id)
    measured, _ = line("cost")
    assert "144 questions to 2 model(s)" in measured
    out = int(re.search(r"([\d,]+) out", measured).group(1).replace(",", ""))
    assert 0 < out < 1000


def test_a_run_that_is_longer_than_a_developer_slot_lives_is_told(account, line):
    slots = account.target["slots"]
    small = {**slots, "developer": {"sku": "DeveloperTier", "capacity": 1}}
    row, fix = line("time", slots=small, sampling=sampling(account, repeats=30))
    assert row.startswith("!")
    assert "36 h" in row
    assert (
        "longer than the 24 h of a developer slot: it is deployed again and the run goes on" in row
    )
    assert fix == "→ raise 'slots.developer.capacity'"


def test_a_developer_slot_of_another_type_has_no_24_hours_and_costs_hosting(account, models):
    slots = {**account.target["slots"], "developer": {"sku": "GlobalStandard", "capacity": 100}}
    account.is_set_up(slots=slots)
    told = " ".join(account.doctor(models.second.model_id).out.split())
    assert "24 h" not in told
    assert "an hour for the developer slot (GlobalStandard), until the run deletes it" in told


def test_a_budget_below_what_is_expected_is_told_before_it_ends_the_run(account, line):
    row, fix = line("cost", sampling=sampling(account, budget_usd=0.001, repeats=50))
    assert row.startswith("!")
    assert "above the budget of $0.0010" in row
    assert "inconclusive" in fix


def test_hosting_is_told_with_what_keeping_the_one_before_adds(account, line):
    promotion = {**account.target["promotion"], "keep_previous": "10d"}
    row, _ = line("hosting", promotion=promotion)
    assert "$1,241 a month for the production deployment" in row
    assert "keeping the one before for 10 days: $408 a promotion" in row


def test_the_run_itself_keeps_the_same_lines(account, models):
    import asyncio
    import json

    from flows.evaluation import steps
    from flows.evaluation.request import resolve

    run_id = account.begin(models.first.model_id)
    asyncio.run(resolve(account.settings, run_id))
    asyncio.run(steps.preflight(account.settings, run_id))
    kept = json.loads((account.settings.run_folder(run_id) / "preflight.json").read_text())
    assert {"rights", "quota developer", "cost", "time", "hosting"} <= {one["name"] for one in kept}


def test_a_plan_says_the_same_time_as_the_preflight(account, line):
    slots = account.target["slots"]
    small = {**slots, "developer": {"sku": "DeveloperTier", "capacity": 2}}
    row, _ = line("time", slots=small)
    took = re.search(r"about ([\d.]+ \w+) at the slot's capacity", row).group(1)
    plan = account.command("plan", account.target["name"])
    assert f"about {took}." in " ".join(plan.out.split())


def test_a_budget_that_no_price_is_known_for_is_refused_before_anything_is_deployed(
    account, models, emulator
):
    import asyncio

    from evals.errors import ConfigurationError
    from flows.evaluation import steps
    from flows.evaluation.request import resolve

    emulator.set(unlisted_checkpoints=["*"])
    account.is_set_up(sampling=sampling(account, budget_usd=25))
    named = ("doctor", "router", "--no-ask", "--checkpoint", models.checkpoints[0].id)
    told = account.command(*named)
    (row,) = [line for line in told.out.splitlines() if line.split()[:2] == ["✗", "budget"]]
    assert told.code == 3
    assert "so the budget of $25.00 can't be kept" in row
    assert "→ give its base model by --base-model, or its price" in told.out
    base = "gpt-4.1-mini-2025-04-14"
    assert account.command(*named, "--base-model", base).code == 0

    run_id = account.begin(checkpoint=models.checkpoints[0].id)
    asyncio.run(resolve(account.settings, run_id))
    with pytest.raises(ConfigurationError, match="can't be kept"):
        asyncio.run(steps.preflight(account.settings, run_id))
