"""A freeze records the answers of the model that is recorded as live, and of no other; what is no part of it does not stop it."""

from __future__ import annotations

import os

import pytest
from support.letters import BASELINE, Letters, ModelHost
from support.promoted import TARGET, Place
from support.succession import CASES, Succession

from evals.errors import RefusedError
from flows.freezing.freeze import freeze, question_of
from flows.platforms.base import SlotSpec
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry

pytestmark = pytest.mark.slow


async def serve(place: Place, run_id: str) -> None:
    """Put the candidate of a run behind the live deployment, past the registry."""
    with open_registry(place.settings) as registry:
        live, run = registry.live(TARGET), registry.run(run_id)
    assert live is not None
    assert live.deployment is not None
    assert run is not None
    model = run.candidate_model or ""
    platform = open_platform("embedded", {}, os.environ)
    try:
        await platform.delete(live.deployment)
        slot = SlotSpec(slot="production", sku="GlobalStandard", capacity=100)
        deployed = await platform.deploy(live.deployment, model, slot, tags={})
        await platform.wait_ready(deployed)
    finally:
        await platform.aclose()


async def test_another_model_behind_the_live_deployment_is_not_frozen_as_the_live_one(
    place: Place,
) -> None:
    await serve(place, place.runs[0])
    with pytest.raises(RefusedError, match=r"serves .*v1, and .*v2 is recorded as live"):
        await freeze(question_of(place.settings, TARGET, repeats=1))
    with open_registry(place.settings) as registry:
        assert registry.frozen(TARGET) == ()
    await serve(place, place.runs[1])
    assert (await freeze(question_of(place.settings, TARGET, repeats=1))).new


async def test_answers_that_name_another_model_are_not_frozen_and_do_not_stay(
    line: Succession, host: ModelHost
) -> None:
    host.answers_as = BASELINE
    with pytest.raises(RefusedError, match=f"came from {BASELINE}"):
        await freeze(question_of(line.settings, "line", repeats=1))
    assert list((line.home / "freezing").iterdir()) == [], "none of them is taken by the next"
    host.answers_as = "gpt-4.1-mini-2025-04-14"
    done = await freeze(question_of(line.settings, "line", repeats=1))
    assert (done.new, done.on_record.baseline.answers) == (True, CASES)
    assert done.on_record.baseline.unverified == ""


async def test_a_platform_that_can_not_be_read_is_said_on_record(
    line: Succession, host: ModelHost
) -> None:
    host.list_down = True
    done = await freeze(question_of(line.settings, "line", repeats=1))
    assert "could not look up" in done.on_record.baseline.unverified
    shown = line.command("freeze", "line", "--list", "--json").json
    assert shown[0]["unverified"] == done.on_record.baseline.unverified


async def test_answers_whose_judge_is_out_of_reach_are_frozen_and_scored_later(
    letters: Letters, host: ModelHost
) -> None:
    letters.go_live()
    nowhere = (
        'judge: {model: gpt-4.1, openai: {base_url: "http://127.0.0.1:9/v1", key_variable: none}}'
    )
    letters.change(letters.target, "judge: {model: gpt-4.1}", nowhere)
    done = await freeze(question_of(letters.settings, "letters", repeats=1))
    baseline = done.on_record.baseline
    assert (baseline.answers, baseline.unscored, baseline.scored_by) == (40, 40, {})
    letters.change(letters.target, nowhere, "")
    question = question_of(letters.settings, "letters", repeats=2)
    assert "no judge of that name" in question.warnings[0]
    baseline = (await freeze(question)).on_record.baseline
    assert (baseline.answers, baseline.unscored, baseline.scored_by) == (80, 80, {})


@pytest.mark.parametrize("broken", ["gate", "no gate", "publisher"])
async def test_what_a_freeze_does_not_need_does_not_stop_it(line: Succession, broken: str) -> None:
    if broken == "gate":
        line.set_gate(checks=[{"metric": "exact", "at_least": 0.999}])
    elif broken == "no gate":
        (line.gates / "line.yaml").unlink()
    else:
        target = line.targets / "line.yaml"
        target.write_text(target.read_text() + "publish: [{litellm: {key_variable: NO_KEY}}]\n")
    question = question_of(line.settings, "line", repeats=1)
    assert question.warnings
    assert (await freeze(question)).new
