"""Fail closed: whatever is missing, empty, not a number, stale or meant for something else never goes live."""

from __future__ import annotations

import math

import msgspec
import pytest
from support import file_platform
from support.verdicts import stored_check, stored_verdict

from evals.errors import RefusedError, RegistryError
from evals.records import Candidate
from flows.registry.records import Binding

TARGET = "triage"


@pytest.fixture
async def v1_live(world):
    await world.promote("r1", "v1")
    return world


async def refused(world, run_id="r2", model="v2", **other):
    """Promote, see it refused with v1 still live everywhere, and return why."""
    outcome = await world.promote(run_id, model, **other)
    assert outcome.state == "refused", outcome
    assert outcome.pointer.model_id == "v1"
    assert await world.read_by_applications() == {"v1"}
    assert list(world.platform.standing().values()) == ["v1"]
    assert world.registry.run(run_id) is None or world.registry.run(run_id).state == "refused"
    return outcome.detail


def approve(world, run_id, actor="ana", decision="approve", slot="developer"):
    bound = Binding.of(world.registry.verdict(run_id, slot))
    return world.registry.answer(
        run_id, decision, actor=actor, reason="looked at it", binding=bound, slot=slot
    )


# nothing, empty, not a number


async def test_no_verdict_is_no_pass(v1_live):
    v1_live.registry.start_run(
        file_platform.RunRecord(run_id="r2", target=TARGET, kind="promotion", requested_by="x")
    )
    assert "nothing was evaluated" in await refused(v1_live)


async def test_an_unknown_run_is_refused(v1_live):
    v1_live.judge("r2", "v2")
    outcome = await v1_live.promote("r2", "v2", act=v1_live.act("r9", "v2"))
    assert (outcome.state, outcome.pointer.model_id) == ("refused", "v1")
    assert "not in the registry" in outcome.detail


async def test_nothing_evaluated_is_no_pass(v1_live):
    v1_live.judge("r2", "v2", "PASS", checks=())
    assert "nothing was evaluated" in await refused(v1_live)


async def test_a_policy_that_is_empty_is_no_pass(v1_live):
    v1_live.judge("r2", "v2", "PASS", checks=(), policy_digest="")
    assert "the gate was changed" in await refused(v1_live)


async def test_empty_digests_do_not_agree_with_each_other(v1_live):
    v1_live.judge("r2", "v2", evidence_digest="")
    assert "another evidence" in await refused(v1_live)


async def test_only_checks_that_do_not_decide_are_no_pass(v1_live):
    v1_live.judge("r2", "v2", "PASS", checks=(stored_check(decides=False),))
    assert "nothing was evaluated" in await refused(v1_live)


@pytest.mark.parametrize("outcome", ["FAIL", "INCONCLUSIVE", "ERROR"])
async def test_a_pass_that_its_own_checks_do_not_bear_out_is_no_pass(v1_live, outcome):
    v1_live.judge("r2", "v2", "PASS", checks=(stored_check(), stored_check(outcome)))
    assert "its own checks do not" in await refused(v1_live)


@pytest.mark.slow
@pytest.mark.parametrize("side", ["candidate", "baseline", "estimate", "lower"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
async def test_a_verdict_with_a_number_that_is_none_can_not_be_stored(v1_live, side, value):
    with pytest.raises(RegistryError, match="non-finite"):
        v1_live.judge("r2", "v2", checks=(stored_check(**{side: value}),))
    assert v1_live.registry.verdict("r2") is None
    assert "nothing was evaluated" in await refused(v1_live)


@pytest.mark.parametrize("outcome", ["FAIL", "ERROR"])
async def test_a_verdict_that_is_no_pass_is_refused(v1_live, outcome):
    v1_live.judge("r2", "v2", outcome)
    assert f"is {outcome}" in await refused(v1_live)


# stale, or for something else


async def test_a_verdict_on_another_model_is_refused(v1_live):
    v1_live.judge("r2", "v3")
    assert "another candidate" in await refused(v1_live, act=v1_live.act("r2", "v2"))


async def test_a_verdict_on_other_evidence_is_refused(v1_live):
    v1_live.judge("r2", "v2")
    act = v1_live.act("r2", "v2", evidence_digest="sha256:newer")
    assert "another evidence" in await refused(v1_live, act=act)


async def test_a_verdict_by_another_policy_is_refused(v1_live):
    v1_live.judge("r2", "v2")
    act = v1_live.act("r2", "v2", policy_digest="sha256:stricter")
    assert "the gate was changed" in await refused(v1_live, act=act)


async def test_a_policy_file_changed_since_the_verdict_is_refused(v1_live):
    assert "the gate was changed" in await refused(v1_live, policy_digest_now=lambda: "sha256:new")


async def test_a_policy_changed_while_deploying_is_refused(v1_live):
    digests = iter(["sha256:policy", "sha256:new"])
    why = await refused(v1_live, policy_digest_now=lambda: next(digests))
    assert "the gate was changed" in why


async def test_a_gate_edit_decides_nothing_about_a_run_that_waits(v1_live):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    assert (await v1_live.promote("r2", "v2")).state == "waiting"
    approve(v1_live, "r2")
    edited = v1_live.act("r2", "v2", policy_digest="sha256:new")
    outcome = await v1_live.promote("r2", "v2", act=edited)
    assert (outcome.state, outcome.pointer.model_id) == ("waiting", "v1")
    assert "`gatewright promote triage --model v2 --again` judges it anew" in outcome.detail
    assert list(v1_live.platform.standing().values()) == ["v1"]
    assert (await v1_live.promote("r2", "v2")).state == "live"  # the edit was undone


async def test_a_baseline_that_moved_meanwhile_is_refused_before_money_is_spent(v1_live):
    v1_live.judge("r2", "v2")
    await v1_live.promote("r3", "v3")
    outcome = await v1_live.promote("r2", "v2")
    assert (outcome.state, outcome.pointer.model_id) == ("refused", "v3")
    assert "baseline moved" in outcome.detail
    assert len(v1_live.platform.log) == 2


async def test_a_baseline_that_moved_while_deploying_is_refused(v1_live):
    v1_live.judge("r2", "v2")

    async def meanwhile(connection):
        v1_live.smoke = always
        assert (await v1_live.promote("r3", "v3")).state == "live"
        return await always(connection)

    async def always(connection):
        return file_platform.SmokeResult(asked=1, passed=True)

    v1_live.smoke = meanwhile
    outcome = await v1_live.promote("r2", "v2")
    assert (outcome.state, outcome.pointer.model_id) == ("refused", "v3")
    assert await v1_live.read_by_applications() == {"v3"}
    assert set(v1_live.platform.standing().values()) == {"v1", "v3"}


async def test_a_baseline_that_went_and_came_back_is_stale_all_the_same(v1_live):
    v1_live.judge("r2", "v2")
    await v1_live.promote("r3", "v3")
    await parts_roll_back(v1_live, file_platform)
    v1_live.registry.release(TARGET, actor="ana", reason="over")
    outcome = await v1_live.promote("r2", "v2")
    assert (outcome.state, outcome.pointer.model_id) == ("refused", "v1")
    assert "baseline moved" in outcome.detail


async def parts_roll_back(world, parts):
    from flows.recovery.rollback import roll_back

    return await roll_back(
        TARGET,
        reason="complaints",
        actor="ana",
        platform=world.platform,
        registry=world.registry,
        publishers=world.publishers,
        slot=parts.SLOT,
    )


async def test_what_is_live_already_is_not_promoted_over_itself(v1_live):
    v1_live.judge("r2", "v1")
    outcome = await v1_live.promote("r2", "v1")
    assert outcome.state == "refused"
    assert "is live for triage already" in outcome.detail


# holds and revocations


async def test_a_held_target_is_refused_before_money_is_spent(v1_live):
    v1_live.registry.hold(TARGET, actor="ana", reason="incident 12")
    assert "held by ana" in await refused(v1_live)
    assert len(v1_live.platform.log) == 1


async def test_a_hold_set_while_deploying_is_respected(v1_live):
    async def hold(connection):
        v1_live.registry.hold(TARGET, actor="ana", reason="wait")
        return file_platform.SmokeResult(asked=1, passed=True)

    v1_live.smoke = hold
    assert "held by ana" in await refused(v1_live)


async def test_a_model_revoked_after_it_was_judged_is_refused(v1_live):
    v1_live.judge("r2", "v2")
    v1_live.registry.revoke(TARGET, "v2", actor="ana", reason="leaked data", hold=False)
    assert "revoked after it was judged" in await refused(v1_live)


CHECKPOINT, STEP = "ftchkpt-" + "0a" * 16, "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8


async def test_a_checkpoint_whose_model_was_revoked_after_it_was_judged_is_refused(v1_live):
    known = Candidate(model_id=CHECKPOINT, target=TARGET, weights_of=STEP)
    v1_live.judge("r2", CHECKPOINT, candidate=known)
    v1_live.registry.revoke(TARGET, STEP, actor="ana", reason="leaked data", hold=False)
    assert "revoked after it was judged" in await refused(v1_live, model=CHECKPOINT)


async def test_a_checkpoint_that_only_production_shows_as_a_revoked_model_is_refused(v1_live):
    v1_live.registry.revoke(TARGET, STEP, actor="ana", reason="leaked data", hold=False)
    inner = v1_live.platform.deploy

    async def deploy(*what, **how):
        return msgspec.structs.replace(await inner(*what, **how), shown_as=STEP)

    v1_live.platform.deploy = deploy
    assert "which may not be live: revoked by ana" in await refused(v1_live, model=CHECKPOINT)


async def test_a_model_revoked_before_can_pass_on_new_evidence(v1_live):
    v1_live.registry.revoke(TARGET, "v2", actor="ana", reason="old suite", hold=False)
    assert (await v1_live.promote("r2", "v2")).state == "live"


# people


async def test_inconclusive_waits_for_a_person_and_deploys_nothing(v1_live):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    outcome = await v1_live.promote("r2", "v2")
    assert (outcome.state, outcome.pointer.model_id) == ("waiting", "v1")
    assert len(v1_live.platform.log) == 1
    assert v1_live.registry.run("r2").state == "waiting"


async def test_an_approval_in_time_lets_it_go_live(v1_live):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    assert (await v1_live.promote("r2", "v2")).state == "waiting"
    approve(v1_live, "r2")
    assert (await v1_live.promote("r2", "v2")).state == "live"


async def test_inconclusive_is_a_refusal_where_the_gate_says_fail(v1_live):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    approve(v1_live, "r2")
    await refused(v1_live, act=v1_live.act("r2", "v2", on_inconclusive="fail"))


async def test_what_was_not_measured_takes_more_than_an_approval(v1_live):
    lost = stored_check("INCONCLUSIVE", measured=False)
    v1_live.judge("r2", "v2", "INCONCLUSIVE", checks=(lost,))
    with pytest.raises(RefusedError, match="too little was measured to approve"):
        approve(v1_live, "r2")
    await refused(v1_live)
    approve(v1_live, "r2", decision="override")
    approve(v1_live, "r2", actor="ben", decision="override")
    assert (await v1_live.promote("r2", "v2")).state == "live"


async def test_what_was_not_measured_and_may_not_be_overridden_stays_out(v1_live):
    lost = stored_check("INCONCLUSIVE", measured=False, overridable=False)
    v1_live.judge("r2", "v2", "INCONCLUSIVE", checks=(lost,))
    with pytest.raises(RefusedError, match="can't be overridden"):
        approve(v1_live, "r2", decision="override")
    assert "not overridable" in await refused(v1_live)


async def test_an_approval_that_came_too_late_is_a_rejection(v1_live, clock):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    clock.pass_(hours=25)
    approve(v1_live, "r2")
    assert "expiry is rejection" in await refused(v1_live)


async def test_the_requesters_own_approval_does_not_count(v1_live):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    approve(v1_live, "r2", actor="automation")
    assert (await v1_live.promote("r2", "v2")).state == "waiting"


async def test_one_person_approving_twice_is_one_approval(v1_live):
    v1_live.approval = file_platform.Approval(required=2)
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    approve(v1_live, "r2")
    approve(v1_live, "r2")
    assert (await v1_live.promote("r2", "v2")).state == "waiting"
    approve(v1_live, "r2", actor="ben")
    assert (await v1_live.promote("r2", "v2")).state == "live"


async def test_a_gate_that_asks_for_no_approval_still_needs_one(v1_live):
    v1_live.approval = file_platform.Approval(required=0)
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    assert (await v1_live.promote("r2", "v2")).state == "waiting"


async def test_a_rejection_is_final(v1_live):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    approve(v1_live, "r2", decision="reject")
    with pytest.raises(RefusedError, match="was rejected by ana"):
        approve(v1_live, "r2", actor="ben")
    assert "rejected by ana" in await refused(v1_live)


async def test_an_approval_for_other_evidence_is_not_taken(v1_live):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    other = Binding.of(stored_verdict("v2", "v0", "INCONCLUSIVE"))
    with pytest.raises(RefusedError, match="for other evidence"):
        v1_live.registry.answer("r2", "approve", actor="ana", reason="fine", binding=other)
    assert (await v1_live.promote("r2", "v2")).state == "waiting"


async def test_an_approval_of_another_run_does_not_help(v1_live):
    v1_live.judge("r2", "v2", "INCONCLUSIVE")
    v1_live.judge("r3", "v2", "INCONCLUSIVE")
    approve(v1_live, "r3")
    assert (await v1_live.promote("r2", "v2")).state == "waiting"


async def test_a_fail_can_not_be_approved(v1_live):
    v1_live.judge("r2", "v2", "FAIL")
    with pytest.raises(RefusedError, match="takes an override"):
        approve(v1_live, "r2")
    await refused(v1_live)


@pytest.mark.parametrize("decision", ["approve", "override"])
async def test_an_error_can_be_neither_approved_nor_overridden(v1_live, decision):
    v1_live.judge("r2", "v2", "ERROR")
    with pytest.raises(RefusedError):
        approve(v1_live, "r2", decision=decision)
    await refused(v1_live)


async def test_a_fail_goes_live_on_as_many_overrides_as_the_gate_asks(v1_live):
    v1_live.judge("r2", "v2", "FAIL")
    approve(v1_live, "r2", actor="ana", decision="override")
    assert (await v1_live.promote("r2", "v2")).state == "waiting"
    approve(v1_live, "r2", actor="ben", decision="override")
    assert (await v1_live.promote("r2", "v2")).state == "live"


async def test_an_override_expires(v1_live, clock):
    v1_live.judge("r2", "v2", "FAIL")
    approve(v1_live, "r2", actor="ana", decision="override")
    approve(v1_live, "r2", actor="ben", decision="override")
    clock.pass_(days=8)
    assert "is FAIL" in await refused(v1_live)


async def test_a_check_that_is_not_overridable_can_not_be_overridden(v1_live):
    checks = (stored_check(), stored_check("FAIL", overridable=False, check="json_valid"))
    v1_live.judge("r2", "v2", "FAIL", checks=checks)
    with pytest.raises(RefusedError, match="json_valid"):
        approve(v1_live, "r2", decision="override")
    await refused(v1_live)


# checks measured on the production deployment


def production_gate(world):
    dev = (stored_check(), stored_check("INCONCLUSIVE", decides=False, measure_on="production"))
    return world.judge("r2", "v2", "PASS", checks=dev)


@pytest.mark.slow
async def test_production_checks_that_nobody_measured_are_no_pass(v1_live):
    production_gate(v1_live)
    assert "nothing was measured" in await refused(v1_live)


async def test_production_checks_that_pass_let_it_go_live(v1_live):
    production_gate(v1_live)
    v1_live.production = stored_verdict("v2", None)
    assert (await v1_live.promote("r2", "v2")).state == "live"
    assert v1_live.registry.verdict("r2", "production") == v1_live.production


async def test_production_checks_that_fail_are_a_refusal(v1_live):
    production_gate(v1_live)
    v1_live.production = stored_verdict("v2", "v1", "FAIL")
    assert "production verdict is FAIL" in await refused(v1_live)


async def test_inconclusive_production_checks_wait_and_are_not_measured_again(v1_live):
    production_gate(v1_live)
    v1_live.production = stored_verdict("v2", "v1", "INCONCLUSIVE")
    assert (await v1_live.promote("r2", "v2")).state == "waiting"
    assert await v1_live.read_by_applications() == {"v1"}
    approve(v1_live, "r2", slot="production")
    assert (await v1_live.promote("r2", "v2")).state == "live"
    assert v1_live.measured == 2  # v1's own, and one for v2
    assert len(v1_live.platform.log) == 2


async def test_production_checks_that_could_not_be_made_fail_the_run_and_are_made_again(v1_live):
    production_gate(v1_live)
    v1_live.production = stored_verdict("v2", "v1", "ERROR")
    outcome = await v1_live.promote("r2", "v2")
    assert (outcome.state, outcome.pointer.model_id) == ("failed", "v1")
    v1_live.production = stored_verdict("v2", "v1")
    assert (await v1_live.promote("r2", "v2")).state == "live"


@pytest.mark.parametrize(
    ("model", "other"), [("v3", {}), ("v2", {"policy_digest": "sha256:laxer"})]
)
async def test_production_checks_of_something_else_are_refused(v1_live, model, other):
    production_gate(v1_live)
    v1_live.production = stored_verdict(model, "v1", **other)
    await refused(v1_live)


async def test_production_checks_that_break_leave_the_old_model(v1_live):
    production_gate(v1_live)
    v1_live.production = TimeoutError("no answer")
    outcome = await v1_live.promote("r2", "v2")
    assert (outcome.state, outcome.pointer.model_id) == ("failed", "v1")
