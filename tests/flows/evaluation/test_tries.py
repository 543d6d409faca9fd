"""Further tries of a candidate, on the embedded platform: counted, named, and never passing by themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.promoted import (
    GATE,
    SUITE,
    TARGET,
    TARGET_FILE,
    Original,
    Place,
    copy_of,
    fine_tune,
    sentences,
)

from evals.errors import ConfigurationError, RefusedError
from evals.gate.look_store import LookStore
from evals.gate.looks import LookEvent
from evals.records import Candidate, Verdict
from flows.approvals.answers import answer_run
from flows.evaluation import looks, steps
from flows.evaluation.request import earlier_try, request_run, resolve
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry
from flows.registry.records import RunRecord
from flows.release import go_live

pytestmark = pytest.mark.slow

EARLY = GATE.replace("early_stop: false\n", "")
SLOW = "  - {metric: latency_mean_ms, at_most: 0.001}\n"
STRICT = GATE.replace(
    "checks: [{metric: team.accuracy, at_least: 0.5, max_drop: 0.2}]\n",
    f"checks:\n  - {{metric: team.accuracy, at_least: 0.5, max_drop: 0.2}}\n{SLOW}",
)


@pytest.fixture(scope="module")
def fresh_jobs(original: Original) -> tuple[str, str]:
    """Two fine-tunes that were never tried."""
    with pytest.MonkeyPatch.context() as patch:
        Place(original.folder, original.runs, original.emulator, "").enter(patch)
        return asyncio.run(fine_tune("v3")), asyncio.run(fine_tune("v4"))


class Desk:
    """A person at an installation: asks for runs, edits files and answers."""

    def __init__(self, place: Place) -> None:
        self.place, self.settings = place, place.settings

    def begin(self, job: str, *, by: str = "ana", again: str = "", kind: Any = "promotion") -> str:
        """Record a run and name its candidate."""
        ref = TriggerRef(job_id=job)
        run, _ = request_run(self.settings, TARGET, ref, kind=kind, actor=by, again=again)
        asyncio.run(resolve(self.settings, run.run_id))
        return run.run_id

    def look(self, run_id: str, upto: int | None = None) -> None:
        """Ask and look, round by round, up to a round or until nothing is open."""

        async def ask() -> None:
            await steps.deploy_candidate(self.settings, run_id)
            for number in range(1, (upto or steps.rounds(self.settings, run_id)) + 1):
                await steps.ask_round(self.settings, run_id, number)
                if looks.judge_look(self.settings, run_id, number):
                    break

        asyncio.run(ask())

    def judge(self, job: str, **how: Any) -> tuple[str, Verdict]:
        """Take a run up to its verdict."""
        run_id = self.begin(job, **how)
        self.look(run_id)
        return run_id, steps.conclude(self.settings, run_id)

    def go_on(self, run_id: str) -> str:
        """Carry a judged promotion on as its flow does; returns the state it came to."""
        outcome = asyncio.run(go_live.go_live(self.settings, run_id))
        asyncio.run(steps.clean_up(self.settings, run_id))
        return outcome.state

    def answer(self, run_id: str, by: str, decision: Any = "approve") -> str:
        return answer_run(self.settings, run_id, decision, actor=by, reason="read the report")

    def run(self, run_id: str) -> RunRecord:
        with open_registry(self.settings) as registry:
            found = registry.run(run_id)
        assert found is not None
        return found


@pytest.fixture
def desk(original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    place = copy_of(original, tmp_path / "place")
    place.enter(monkeypatch)
    texts = enumerate(sentences(100, 40))  # enough of them for two looks
    cases = (
        {"id": f"c{n}", "item": {"text": text}, "expected": label} for n, (text, label) in texts
    )
    place.write_suite(TARGET, SUITE, cases)
    return Desk(place)


def shown(desk: Desk, run_id: str) -> str:
    """The report as the terminal has it, without its line breaks."""
    return " ".join(desk.place.command("report", run_id, "--format", "terminal").out.split())


def test_a_killed_run_counts_and_the_next_one_asks_a_person(
    desk: Desk, fresh_jobs: tuple[str, str]
) -> None:
    desk.place.write_gate(TARGET, EARLY)
    killed = desk.begin(fresh_jobs[0])
    desk.look(killed, upto=1)  # and then its process is gone
    with pytest.raises(RefusedError, match="was tried already"):
        run, _ = request_run(
            desk.settings,
            TARGET,
            TriggerRef(model_id=desk.run(killed).candidate_model),
            kind="promotion",
            actor="ana",
        )
        asyncio.run(resolve(desk.settings, run.run_id))
    model, other = (
        desk.run(killed).candidate_model,
        msgspec.structs.replace(desk.run(killed), run_id="another"),
    )
    for named in (
        Candidate(model_id=model.upper(), target=TARGET),
        Candidate(model_id="ftchkpt-" + "0a" * 16, target=TARGET, weights_of=model),
    ):
        with open_registry(desk.settings) as registry:
            earlier = earlier_try(registry, other, named)
        assert earlier is not None and earlier.run_id == killed, "whatever it is named by"
    second, verdict = desk.judge(fresh_jobs[0], again="x")
    assert verdict.outcome == "INCONCLUSIVE"
    assert all(check.outcome == "PASS" for check in verdict.checks)
    assert f"run {killed}, ended without a verdict" in verdict.reasons[0]
    assert verdict.tries is not None
    assert verdict.tries.number == 2
    pooled = {one.check: one for one in verdict.tries.pooled}["team.accuracy at_least 0.5"]
    assert pooled.runs == (killed, second)
    assert (pooled.lower or 0.0) > 0.5
    assert desk.go_on(second) == "waiting"
    with pytest.raises(RefusedError, match="ana asked for this promotion"):
        desk.answer(second, by="ana")
    assert "lets it go live, by somebody else than ana (GATEWRIGHT_ACTOR)" in shown(desk, second)
    desk.answer(second, by="ben")
    assert desk.go_on(second) == "live"
    told = shown(desk, second)
    assert "PROMOTED, approved by ben" in told
    assert "this is try 2" in told
    assert "ben said: read the report" in told
    assert "against the gate" not in told


def test_a_gate_that_was_widened_after_an_evaluation_needs_somebody_else(
    desk: Desk, fresh_jobs: tuple[str, str]
) -> None:
    lenient = STRICT + "approval: {not_requester: false}\n"
    desk.place.write_gate(TARGET, lenient)
    shown, verdict = desk.judge(fresh_jobs[0], kind="evaluation")
    assert verdict.outcome == "FAIL"
    desk.place.write_gate(TARGET, lenient.replace("0.001", "60000"))
    run_id, verdict = desk.judge(fresh_jobs[0])
    assert verdict.outcome == "INCONCLUSIVE"
    assert f"run {shown} of this candidate did not pass" in verdict.reasons[0]
    assert "checks[1].at_most: 0.001 -> 60000" in verdict.reasons[0]
    assert desk.go_on(run_id) == "waiting"
    with pytest.raises(RefusedError, match="somebody else's word"):
        desk.answer(run_id, by="ana")
    desk.answer(run_id, by="ben")
    assert desk.go_on(run_id) == "live"
    history = desk.place.command("history", TARGET).out
    assert shown in history
    assert "checks[1].at_most: 0.001 -> 60000 (looser)" in " ".join(history.split())


def test_a_family_that_is_made_larger_before_its_next_candidate_asks_a_person(
    desk: Desk, fresh_jobs: tuple[str, str]
) -> None:
    family = "family: {{candidates: {}, window: 30d, confidence: 0.85}}\n"
    desk.place.write_gate(TARGET, GATE + family.format(3))  # two were judged at 5 % each before
    _, third = desk.judge(fresh_jobs[0])
    assert third.outcome == "PASS"
    desk.place.write_gate(TARGET, GATE + family.format(4))
    _, fourth = desk.judge(fresh_jobs[1])
    assert fourth.outcome == "INCONCLUSIVE"
    assert [check.confidence for check in fourth.checks] == [pytest.approx(1 - 0.15 / 4)] * 2
    assert "add up to a chance of 18.8% of a wrong promotion" in fourth.reasons[0]


@pytest.mark.parametrize("edited", ["suite", "slot"])
def test_an_approval_is_refused_once_suite_or_target_were_edited(
    desk: Desk, fresh_jobs: tuple[str, str], edited: str
) -> None:
    desk.place.write_gate(TARGET, EARLY)
    desk.look(desk.begin(fresh_jobs[0]), upto=1)  # a first try that came to nothing
    run_id, verdict = desk.judge(fresh_jobs[0], again="x")
    assert verdict.outcome == "INCONCLUSIVE"
    assert desk.go_on(run_id) == "waiting"
    if edited == "suite":
        cases = desk.place.datasets / TARGET / "cases.jsonl"
        desk.place.change(cases, '"expected": "billing"', '"expected": "bug"')
        why = "suite teams was changed since the verdict"
    else:
        desk.place.write_target(
            TARGET, TARGET_FILE + "slots: {production: {sku: GlobalStandard, capacity: 7}}\n"
        )
        why = "the target's production slot was changed since the verdict"
    with pytest.raises(RefusedError, match=why):
        desk.answer(run_id, by="ben")
    assert desk.go_on(run_id) == "waiting"  # an edit decides nothing, and nothing goes live


def test_a_new_try_supersedes_the_one_that_waits(desk: Desk, fresh_jobs: tuple[str, str]) -> None:
    desk.place.write_gate(TARGET, EARLY)
    killed = desk.begin(fresh_jobs[0])
    desk.look(killed, upto=1)
    waiting, _ = desk.judge(fresh_jobs[0], again="x")
    assert desk.go_on(waiting) == "waiting"
    newer, verdict = desk.judge(fresh_jobs[0], again="y")
    assert verdict.tries is not None
    assert verdict.tries.number == 3
    assert (desk.run(waiting).state, desk.run(waiting).detail) == (
        "superseded",
        f"superseded by run {newer}",
    )
    with pytest.raises(RefusedError, match=f"superseded by run {newer}"):
        desk.answer(waiting, by="ben")
    assert desk.go_on(waiting) == "refused"
    assert desk.run(waiting).state == "superseded"
    assert f"superseded by run {newer}" in desk.place.command("runs", TARGET).out
    assert f"This run was superseded by run {newer}" in shown(desk, waiting)
    told = " ".join(desk.place.command("report", newer, "--format", "markdown").out.split())
    assert "Try 3 of this candidate on this target" in told.replace("\\", "")
    assert "2 tries together" not in told
    assert "3 tries together, team.accuracy at\\_least 0.5" in told
    with open_registry(desk.settings) as registry:
        assert registry.verify() == ()


def test_a_run_that_has_looked_keeps_its_suites(desk: Desk, fresh_jobs: tuple[str, str]) -> None:
    desk.place.write_gate(TARGET, EARLY)
    run_id = desk.begin(fresh_jobs[0])
    desk.look(run_id, upto=1)
    cases = desk.place.datasets / TARGET / "cases.jsonl"
    desk.place.change(cases, '"expected": "billing"', '"expected": "bug"')
    with pytest.raises(ConfigurationError, match="the suites were changed after this run"):
        steps.conclude(desk.settings, run_id)


def test_a_look_that_only_a_folder_knows_of_counts(desk: Desk, fresh_jobs: tuple[str, str]) -> None:
    desk.place.write_gate(TARGET, EARLY)
    killed = desk.begin(fresh_jobs[0])
    newest = LookEvent(
        look=1,
        rounds=2,
        policy_digest="sha256:then",
        evidence_digest="sha256:then",
        checks=(),
        needs=(),
        stop=False,
    )
    LookStore(desk.settings.run_folder(killed)).append(newest)
    desk.begin(fresh_jobs[0], again="x")
    with open_registry(desk.settings) as registry:
        (only,) = registry.tries_of(TARGET, desk.run(killed).candidate_model)
    assert [one.run.run_id for one in only.runs] == [killed]
