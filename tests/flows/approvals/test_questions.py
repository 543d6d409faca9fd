"""What a waiting run still waits for, how a suspended flow run is found again, and that expiry is rejection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evals.gate.policy import load_policy
from evals.records import CheckResult, Endpoint, Verdict
from flows.approvals.answers import answer_run
from flows.approvals.expiry import close_expired
from flows.approvals.suspended_runs import (
    note_resumed,
    note_suspended,
    open_question,
    resume_unanswerable,
    suspended_as,
)
from flows.registry.records import NewPointer, RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

TARGET = "support-triage"


@pytest.fixture
def settings(project: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    home = Path(project.environment["GATEWRIGHT_HOME"])
    return Settings(
        home=home,
        registry_url=f"sqlite:///{home / 'registry.db'}",
        targets=project.targets,
        gates=project.gates,
        datasets=project.datasets,
        actor="ben",
    )


def at(settings: Settings, **ago: float) -> Registry:
    """The registry, with a clock that is so much behind."""
    return Registry.open(settings.registry_url, now=lambda: datetime.now(UTC) - timedelta(**ago))


def waiting(settings: Settings, run_id: str = "r1", model: str = "v1", **ago: float) -> None:
    """A run that was judged INCONCLUSIVE and waits for approval since then."""
    policy = load_policy(settings.gates / f"{TARGET}.yaml")
    check = CheckResult(
        check="exact_match max_drop 0.03",
        metric="exact_match",
        kind="max_drop",
        threshold=0.03,
        outcome="INCONCLUSIVE",
        reason="too few cases",
        decides=True,
        suite=None,
        slice={},
        n=30,
    )
    with at(settings, **ago) as registry:
        live = registry.live(TARGET)
        registry.start_run(
            RunRecord(
                run_id=run_id,
                target=TARGET,
                kind="promotion",
                requested_by="ana",
                candidate_model=model,
                baseline_model=live.model_id if live else None,
                baseline_generation=registry.generation(TARGET),
            )
        )
        registry.save_verdict(
            run_id,
            Verdict(
                outcome="INCONCLUSIVE",
                reasons=("too few cases",),
                checks=(check,),
                policy=policy.name,
                policy_digest=policy.digest,
                evidence_digest=f"sha256:{run_id * 10}",
                candidate_model=model,
                baseline_model=live.model_id if live else None,
            ),
        )
        registry.set_run_state(run_id, "waiting", "the developer verdict is INCONCLUSIVE")


def question(settings: Settings, run_id: str = "r1") -> Any:
    with Registry.open(settings.registry_url) as registry:
        return open_question(settings, registry, registry.run(run_id))


def test_a_waiting_run_waits_until_enough_people_have_answered(settings):
    waiting(settings)
    asked = question(settings)
    assert (asked.wanted, asked.required, asked.excluded) == ("approve", 1, ("ana",))
    answer_run(settings, "r1", "approve", actor="ben", reason="read it")
    assert question(settings) is None


@pytest.mark.parametrize("what", ["rejected", "gate changed", "baseline moved", "expired"])
def test_a_question_that_is_void_is_not_waited_for(settings, project, what):
    waiting(settings, **({"days": 2} if what == "expired" else {}))
    if what == "rejected":
        answer_run(settings, "r1", "reject", actor="ben", reason="no")
    elif what == "gate changed":
        project.change(project.gate, "at_least: 0.25", "at_least: 0.26")
    elif what == "baseline moved":
        endpoint = Endpoint(base_url="http://x", model="v0", model_id="v0", slot="production")
        with Registry.open(settings.registry_url) as registry:
            registry.switch(
                NewPointer(target=TARGET, model_id="v0", platform="embedded", endpoint=endpoint),
                expected_generation=0,
                actor="cleo",
                reason="runs already",
                kind="adopt",
            )
    assert question(settings) is None


def test_a_suspended_flow_run_is_found_until_it_goes_on(settings):
    waiting(settings)
    asked = question(settings)
    with Registry.open(settings.registry_url) as registry:
        key = note_suspended(registry, asked, "flow-1")
        assert note_suspended(registry, asked, "flow-1") == key, "begun again, it is the same wait"
        assert suspended_as(registry, "r1") == "flow-1"
        note_resumed(registry, "r1", "flow-1")
        assert suspended_as(registry, "r1") is None
        assert note_suspended(registry, asked, "flow-1") != key, "the next wait is another one"


def test_an_answer_to_one_question_has_not_the_key_of_another(settings):
    waiting(settings, "r1")
    waiting(settings, "r2", "v2")
    one, other = question(settings, "r1"), question(settings, "r2")
    with Registry.open(settings.registry_url) as registry:
        assert note_suspended(registry, one, "flow") != note_suspended(registry, other, "flow")


async def test_expiry_is_rejection(settings):
    waiting(settings, "old", days=2)
    waiting(settings, "new", "v2")
    assert await close_expired(settings) == ("old",)
    with Registry.open(settings.registry_url) as registry:
        assert registry.run("old").state == "refused"
        assert "expiry is rejection" in registry.run("old").detail
        assert registry.run("new").state == "waiting"
        assert registry.barred(TARGET, "v1") is None, "nobody said anything against the model"
    assert await close_expired(settings) == ()


async def test_one_that_was_approved_in_time_does_not_expire(settings):
    waiting(settings, "old", days=2)
    with at(settings, days=1.5) as registry:
        from flows.registry.records import Binding

        bound = Binding.of(registry.verdict("old"))
        registry.answer("old", "approve", actor="ben", reason="read it", binding=bound)
    assert await close_expired(settings) == ()


async def test_without_a_prefect_server_nobody_is_woken_and_nothing_breaks(settings):
    waiting(settings)
    asked = question(settings)
    with Registry.open(settings.registry_url) as registry:
        note_suspended(registry, asked, "flow-1")
    answer_run(settings, "r1", "reject", actor="ben", reason="no")
    assert await resume_unanswerable(settings, TARGET) == ()
