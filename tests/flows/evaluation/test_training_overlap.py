"""Before money is spent, a run's cases are held against what its candidate was trained on; the gate says what follows."""

from __future__ import annotations

import json
import shutil

import pytest
from support.letters import question_about

from evals.errors import ConfigurationError
from flows.evaluation import steps
from flows.evaluation.open_run import open_run
from flows.evaluation.request import resolve
from flows.reporting.gather import gather, report_run


def example(question: str) -> dict:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": "a kind letter"},
        ]
    }


@pytest.fixture
def trained(host):
    """The candidate saw case c7 as it is, c9 with another ending, and nothing else of the suite."""
    host.training = [
        example("Sing a song."),
        example(question_about(7).upper()),
        example(question_about(9).replace("polite", "very polite")),
    ]


async def test_cases_the_candidate_was_trained_on_are_refused_by_name(letters, host, trained):
    run = letters.request(by_job=True)
    with pytest.raises(ConfigurationError) as refused:
        await letters.prepare(run)
    (problem,) = refused.value.problems
    assert problem.line == 8
    assert "'c7' asks what line 2 of training file file-1 asks" in problem.message
    assert "train without it" in problem.fix
    assert not host.asked


async def test_near_matches_are_refused_where_the_gate_says_so(letters, host, trained):
    letters.change(letters.gate, "early_stop", "training_overlap: {near: refuse}\nearly_stop")
    with pytest.raises(ConfigurationError) as refused:
        await letters.prepare(letters.request(by_job=True))
    messages = [problem.message for problem in refused.value.problems]
    assert len(messages) == 2
    assert "'c9' asks nearly what (similarity 0." in messages[1]


@pytest.mark.slow
async def test_what_is_only_reported_is_a_warning_and_a_note_in_the_report(letters, host, trained):
    letters.change(letters.gate, "early_stop", "training_overlap: {exact: report}\nearly_stop")
    run = letters.request(by_job=True)
    await resolve(letters.settings, run)
    found = await steps.preflight(letters.settings, run)
    (leak,) = [finding for finding in found if finding.name == "training overlap"]
    assert leak.level == "warn"
    assert "1 of 40 cases of letters stand in training file file-1 (c7)" in leak.message
    assert "1 of 40 cases of letters nearly stand in training file file-1 (c9)" in leak.message
    await steps.deploy_candidate(letters.settings, run)
    await letters.judge(run)
    with open_run(letters.settings, run) as opened:
        assert gather(opened).notes == (leak.message,)
    assert "nearly stand in training file file-1" in report_run(letters.settings, run).read_text()


async def test_the_training_file_is_fetched_once_for_a_run(letters, host, trained):
    letters.change(letters.gate, "early_stop", "training_overlap: {exact: report}\nearly_stop")
    run = letters.request(by_job=True)
    await resolve(letters.settings, run)
    for_the_digest = host.fetched
    await steps.preflight(letters.settings, run)
    await steps.preflight(letters.settings, run)
    assert host.fetched == for_the_digest + 1


async def test_a_clean_training_file_is_said_to_be_clean(letters, host):
    host.training = [example("Sing a song.")]
    run = letters.request(by_job=True)
    await resolve(letters.settings, run)
    found = await steps.preflight(letters.settings, run)
    (leak,) = [finding for finding in found if finding.name == "training overlap"]
    assert (leak.level, leak.message) == (
        "ok",
        "none of 40 cases of letters stands in training file file-1",
    )


async def test_the_suites_own_file_stands_in_for_one_the_platform_has_no_more(letters, host):
    (letters.suite / "train.jsonl").write_text(json.dumps(example(question_about(3))) + "\n")
    suite = letters.suite / "suite.yaml"
    suite.write_text(suite.read_text() + "training: train.jsonl\n")
    with pytest.raises(ConfigurationError, match=r"'c3' asks what line 1 of .*train\.jsonl asks"):
        await letters.prepare(letters.request(by_job=True))
    assert not host.asked


async def test_a_run_that_could_not_be_compared_says_so(letters, host):
    run = letters.request()
    await resolve(letters.settings, run)
    found = await steps.preflight(letters.settings, run)
    (unknown,) = [finding for finding in found if finding.name == "training file"]
    assert unknown.level == "warn"
    assert "no training file is known" in unknown.message
    with open_run(letters.settings, run) as opened:
        assert gather(opened).notes[-1] == unknown.message, "what is known goes first"


async def test_a_file_that_is_no_training_file_is_a_warning(letters, host, trained):
    run = letters.request(by_job=True)
    await resolve(letters.settings, run)
    kept = letters.settings.run_folder(run) / "training.jsonl"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"\x00\x01 no JSON\n")
    found = await steps.preflight(letters.settings, run)
    assert any("the training file can't be compared" in finding.message for finding in found)
    shutil.rmtree(kept.parent)
