"""Candidates are compared with frozen answers: because a person says so, or because the live model answers no more."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from support.letters import ModelHost
from support.succession import Succession, model

from evals.errors import ConfigurationError, RefusedError
from evals.evaluation.kept_answers import KeptAnswersError
from evals.sampling.fatal_errors import EndpointGoneError
from flows.evaluation.kept.frozen import frozen_folder
from flows.evaluation.kept.recorded import recorded_in
from flows.evaluation.open_run import open_run
from flows.evaluation.plan import plan_target
from flows.evaluation.rejudge import rejudge
from flows.evaluation.steps import ask_round, conclude, judged_anew
from flows.freezing.archive import export
from flows.freezing.freeze import freeze, question_of
from flows.freezing.unpack import import_frozen
from flows.registry.frozen import FrozenBaseline
from flows.registry.opening import open_registry
from flows.registry.records import NewPointer
from flows.release.go_live import go_live
from flows.reporting.gather import report_run

pytestmark = pytest.mark.slow

V1 = model("v1")


def baseline(line: Succession) -> FrozenBaseline:
    with open_registry(line.settings) as registry:
        return registry.frozen("line")[-1].baseline


async def test_a_model_that_was_shut_down_is_replaced_by_one_that_holds_against_its_frozen_answers(
    frozen: Succession, host: ModelHost
) -> None:
    host.gone.add(V1)
    before = host.asked[V1]
    run_id, verdict = await frozen.judged("v2", wrong=4)
    assert host.asked[V1] == before
    assert (verdict.outcome, verdict.baseline_model) == ("PASS", V1)
    assert verdict.checks[1].baseline == pytest.approx(1 - 2 / 300)
    (said,) = [reason for reason in verdict.reasons if "frozen" in reason]
    assert "because the live model answers no more" in said
    assert "no going back to it" in said
    assert verdict.against == f"frozen:{baseline(frozen).frozen_id}"
    outcome = await go_live(frozen.settings, run_id)
    assert outcome.state == "live", outcome.detail
    with open_run(frozen.settings, run_id) as run:
        assert judged_anew(run).checks == verdict.checks
    assert rejudge(frozen.settings, run_id).outcome == "PASS"
    page = report_run(frozen.settings, run_id)
    for name in ("report.md", "report.html", "report.json", "report.junit.xml"):
        assert "answers no more" in page.with_name(name).read_text(), name


async def test_a_target_that_left_the_platform_of_its_live_model_takes_the_frozen_answers(
    frozen: Succession, host: ModelHost
) -> None:
    with open_registry(frozen.settings) as registry:
        live = registry.live("line")
        assert live is not None
        elsewhere = {"target": "line", "model_id": V1, "endpoint": live.endpoint}
        registry.switch(
            NewPointer(platform="azure_openai", **elsewhere),  # type: ignore[arg-type]
            expected_generation=1,
            actor="ana",
            reason="it was there before",
            kind="adopt",
        )
    before = host.asked[V1]
    _, verdict = await frozen.judged("v2", wrong=4)
    assert (verdict.outcome, host.asked[V1]) == ("PASS", before)
    assert any("answered on azure_openai" in reason for reason in verdict.reasons)


async def test_a_run_whose_baseline_goes_half_way_fails_and_names_the_way_on(
    frozen: Succession, host: ModelHost
) -> None:
    run_id = await frozen.requested("v2")
    host.gone.add(V1)
    with pytest.raises(EndpointGoneError, match="a new run takes them, begun with --again"):
        await ask_round(frozen.settings, run_id, 1)
    _, verdict = await frozen.judged("v2", wrong=4, again="once more")
    assert verdict.against


async def test_a_worse_one_is_refused(frozen: Succession, host: ModelHost) -> None:
    host.gone.add(V1)
    _, verdict = await frozen.judged("v2", wrong=60)
    assert (verdict.outcome, verdict.checks[1].outcome) == ("FAIL", "FAIL")


async def test_a_person_may_ask_for_it_while_the_model_still_answers(
    frozen: Succession, host: ModelHost
) -> None:
    before = host.asked[V1]
    run_id, verdict = await frozen.judged("v2", wrong=4, against="frozen")
    assert (host.asked[V1], verdict.outcome) == (before, "PASS")
    assert any("as was asked for" in reason for reason in verdict.reasons)
    with open_registry(frozen.settings) as registry:
        run = registry.run(run_id)
    assert run is not None
    assert run.trigger["against"] == f"frozen:{baseline(frozen).frozen_id}"
    assert (await go_live(frozen.settings, run_id)).state == "live"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_an_outage_and_a_refused_credential_are_no_end_of_a_model(
    frozen: Succession, host: ModelHost, status: int
) -> None:
    host.refusing[V1] = status
    run_id = await frozen.requested("v2")
    with open_run(frozen.settings, run_id) as run:
        assert (recorded_in(run.folder), run.record.baseline_model) == (None, V1)


async def test_a_404_of_a_model_that_the_list_still_has_is_no_end_either(
    frozen: Succession, host: ModelHost
) -> None:
    host.refusing[V1] = 404
    run_id = await frozen.requested("v2")
    with open_run(frozen.settings, run_id) as run:
        assert recorded_in(run.folder) is None


async def test_a_suite_that_changed_is_compared_on_the_cases_that_did_not(
    frozen: Succession,
) -> None:
    frozen.write_cases(changed=20)
    _, verdict = await frozen.judged("v2", wrong=4, against="frozen")
    assert (verdict.outcome, verdict.checks[1].n) == ("PASS", 280)
    frozen.write_cases(changed=250)
    _, verdict = await frozen.judged("v3", wrong=4, against="frozen")
    assert verdict.outcome == "INCONCLUSIVE"
    assert "only 50 cases are the same as when" in verdict.checks[1].reason


async def test_answers_asked_for_in_another_way_are_not_compared(frozen: Succession) -> None:
    frozen.change(frozen.targets / "line.yaml", "temperature: 0", "temperature: 1")
    run_id, verdict = await frozen.judged("v2", wrong=4, against="frozen")
    assert (verdict.outcome, verdict.first_release) == ("INCONCLUSIVE", False)
    assert "asked with other parameters (temperature 0 then, 1 now)" in verdict.checks[1].reason
    assert (await go_live(frozen.settings, run_id)).state == "waiting"


async def test_the_candidate_alone_may_be_asked_in_another_way(frozen: Succession) -> None:
    frozen.change(
        frozen.targets / "line.yaml",
        "max_attempts: 1",
        "max_attempts: 1, candidate: {temperature: 1}",
    )
    _, verdict = await frozen.judged("v2", wrong=4, against="frozen")
    assert verdict.outcome == "PASS"


async def test_latency_is_shown_and_decides_nothing_and_alone_it_is_no_pass(
    frozen: Succession,
) -> None:
    latency = {"metric": "latency_p95_ms", "max_rise": "50%"}
    frozen.set_gate(checks=[{"metric": "exact", "max_drop": 0.04}, latency])
    _, verdict = await frozen.judged("v2", wrong=4, against="frozen")
    assert [check.decides for check in verdict.checks] == [True, False]
    assert verdict.outcome == "PASS"
    frozen.set_gate(checks=[latency])
    _, verdict = await frozen.judged("v3", wrong=4, against="frozen")
    assert verdict.outcome not in ("PASS", "FAIL")


async def test_checks_on_the_production_deployment_take_the_frozen_answers_too(
    frozen: Succession, host: ModelHost
) -> None:
    here: dict[str, str] = {"measure_on": "production"}
    frozen.set_gate(
        checks=[
            {"metric": "exact", "max_drop": 0.04},
            {"metric": "exact", "max_drop": 0.1, **here},
            {"metric": "latency_p95_ms", "max_rise": "50%", **here},
        ]
    )
    frozen.change(
        frozen.targets / "line.yaml", "smoke_cases: 1", "smoke_cases: 1, production_cases: 250"
    )
    host.gone.add(V1)
    run_id, _ = await frozen.judged("v2", wrong=4)
    outcome = await go_live(frozen.settings, run_id)
    assert outcome.state == "live", outcome.detail
    with open_registry(frozen.settings) as registry:
        verdict = registry.verdict(run_id, "production")
    assert verdict is not None
    assert [(check.outcome, check.decides) for check in verdict.checks[:1]] == [("PASS", True)]
    assert not verdict.checks[1].decides


async def test_frozen_prompts_are_compared_once_a_suite_is_made_of_them(
    frozen: Succession,
) -> None:
    rows = [
        {
            "id": f"p{number}",
            "messages": [{"role": "user", "content": f"Is number {number} right?"}],
        }
        for number in range(300)
    ]
    prompts = frozen.folder / "production.jsonl"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    await freeze(question_of(frozen.settings, "line", repeats=1, prompts=prompts))
    grader = {"name": "yes", "type": "regex", "pattern": "yes", "match": "full"}
    suite = {"version": 1, "name": "production", "graders": [grader]}
    frozen.write_suite("production", suite, rows)
    frozen.change(frozen.targets / "line.yaml", "suites: [line]", "suites: [line, production]")
    frozen.set_gate(checks=[{"metric": "yes", "suite": "production", "max_drop": 0.04}])
    _, verdict = await frozen.judged("v2", wrong=4, against="frozen")
    (check,) = verdict.checks
    assert (check.outcome, check.n, check.baseline) == ("PASS", 300, pytest.approx(1 - 2 / 300))


def test_a_plan_counts_the_cases_that_are_as_they_were_frozen(frozen: Succession) -> None:
    frozen.write_cases(changed=20)
    found = plan_target(frozen.settings, "line", against="frozen")
    assert (found.suites, found.calls) == ({"line": 280}, 300)
    assert (found.usd or 0) > 0, "of all that the candidate is asked"
    assert found.against == f"frozen:{baseline(frozen).frozen_id}"
    frozen.write_cases(changed=300)
    with pytest.raises(ConfigurationError, match="no case of line is as it was frozen"):
        plan_target(frozen.settings, "line", against="frozen")


async def test_a_stored_run_is_judged_again_against_what_was_frozen_since(
    frozen: Succession, host: ModelHost
) -> None:
    run_id, verdict = await frozen.judged("v2", wrong=60)
    assert verdict.against == ""
    before = sum(host.asked.values())
    again = rejudge(frozen.settings, run_id, against="frozen")
    assert (again.outcome, again.against) == ("FAIL", f"frozen:{baseline(frozen).frozen_id}")
    with pytest.raises(ConfigurationError, match="--against"):
        rejudge(frozen.settings, run_id, against="frozen:other")
    assert sum(host.asked.values()) == before


async def test_missing_or_altered_answers_end_the_run_and_never_pass(frozen: Succession) -> None:
    answers = frozen_folder(frozen.settings, baseline(frozen)) / "line.jsonl.zst"
    run_id, _ = await frozen.judged("v2", wrong=4, against="frozen", kind="evaluation")
    whole = answers.read_bytes()
    answers.write_bytes(whole[:-1])
    with pytest.raises(KeptAnswersError, match="was altered"):
        rejudge(frozen.settings, run_id)
    with pytest.raises(KeptAnswersError, match="was altered"):
        await frozen.judged("v3", wrong=4, against="frozen")
    answers.unlink()
    with pytest.raises(KeptAnswersError, match="is missing"):
        await frozen.judged("v4", wrong=4, against="frozen")
    answers.write_bytes(whole)
    assert conclude(frozen.settings, run_id).outcome == "PASS"


async def test_another_models_frozen_answers_promote_nobody_and_may_be_looked_at(
    frozen: Succession,
) -> None:
    old = f"frozen:{baseline(frozen).frozen_id}"
    await frozen.promoted("v2", wrong=2)
    with pytest.raises(ConfigurationError, match=f"no answers of what is live, {model('v2')}"):
        await frozen.judged("v3", wrong=2, against="frozen")
    with pytest.raises(RefusedError, match="v2 is live"):
        await frozen.judged("v3", wrong=2, against=old)
    with pytest.raises(ConfigurationError, match="found 'frozen:nothing'"):
        await frozen.judged("v3", wrong=2, against="frozen:nothing")
    _, verdict = await frozen.judged("v3", wrong=2, against=old, kind="evaluation")
    assert (verdict.outcome, verdict.baseline_model) == ("PASS", V1)


async def test_in_a_new_registry_the_first_model_goes_live_against_what_was_carried_there(
    frozen: Succession, host: ModelHost, tmp_path: Path
) -> None:
    with open_registry(frozen.settings) as registry:
        (found,) = registry.frozen("line")
    export(frozen.settings, found, file := tmp_path / "baseline.tar.zst")
    shutil.rmtree(frozen.home)
    import_frozen(replace(frozen.settings), "line", file)
    run_id, verdict = await frozen.judged("v2", wrong=60, against="frozen")
    assert (verdict.outcome, verdict.first_release) == ("FAIL", False)
    run_id, verdict = await frozen.judged("v3", wrong=3, against="frozen")
    assert verdict.outcome == "PASS"
    outcome = await go_live(frozen.settings, run_id)
    assert (outcome.state, host.asked[V1]) == ("live", 0), outcome.detail


async def test_all_repeats_that_were_frozen_speak_for_the_model_asked_once_today(
    frozen: Succession, host: ModelHost
) -> None:
    turns: Counter[str] = Counter()

    def say(asked: str, text: str) -> str:
        turns[text] += 1
        return "yes" if asked != V1 or turns[text] % 3 else "no"

    host.say = say
    await freeze(question_of(frozen.settings, "line", repeats=3))
    _, verdict = await frozen.judged("v2", wrong=0, against="frozen")
    drop = verdict.checks[1]
    assert (drop.candidate, drop.baseline, drop.n) == (1, pytest.approx(2 / 3), 300)
    assert verdict.outcome == "PASS"
    frozen.change(frozen.targets / "line.yaml", "max_attempts: 1", "max_attempts: 1, repeats: 5")
    _, verdict = await frozen.judged("v3", wrong=0, against="frozen")
    assert "asked 3 times a case, and 5 times now" in verdict.checks[1].reason
    assert verdict.outcome == "INCONCLUSIVE"
