"""Labels of people: bound to an answer, read strictly, and trusted only as a random sample."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.checks.prediction_powered import random_ranks
from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.policy import load_policy
from evals.gate.validation import validate_policy
from evals.metrics.tabulation import tabulate
from evals.records import Response, Score
from evals.suites.human_labels import answer_digest, text_digest
from evals.suites.opened import OpenedSuite, open_suite

RUBRIC = {"type": "judge", "model": "gpt-4.1", "rubric": "Is it polite?"}
LABELS = {**RUBRIC, "labels": ["polite", "rude"], "passing": ["polite"]}
Write = Callable[..., OpenedSuite]


@pytest.fixture
def suite(tmp_path: Path) -> Write:
    """A suite of ten letters whose judge names a file of labels, holding these rows."""

    def write(
        rows: list[Mapping[str, Any]] | None, *, file: str = "labels.jsonl", **grader: Any
    ) -> OpenedSuite:
        folder = tmp_path / "letters"
        folder.mkdir(exist_ok=True)
        named = {} if rows is None else {"human_labels": file}
        definition = {
            "version": 1,
            "name": "letters",
            "prompt": [{"role": "user", "content": "{{ item.text }}"}],
            "graders": [{"name": "tone", **(grader or LABELS), **named}],
        }
        (folder / "suite.yaml").write_text(dump_yaml(definition), "utf-8")
        cases = [{"id": f"c{n}", "item": {"text": f"letter {n}"}} for n in range(10)]
        (folder / "cases.jsonl").write_text("\n".join(map(json.dumps, cases)), "utf-8")
        if rows is not None and file.endswith(".jsonl"):
            (folder / file).write_text("\n".join(map(json.dumps, rows)), "utf-8")
        elif rows:
            with (folder / file).open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        return open_suite(folder)

    return write


def said(case: str = "c1", answer: str = "Dear Ann", **more: Any) -> dict[str, Any]:
    return {"case_id": case, "answer": answer, **more}


def problems(suite: Write, rows: list[Mapping[str, Any]], **more: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        suite(rows, **more)
    return [str(problem) for problem in caught.value.problems]


def response(case: str, text: str, **more: Any) -> Response:
    return Response(case_id=case, model_id="m", outcome="answered", text=text, **more)


def test_labels_become_values_on_the_judges_scale(suite: Write) -> None:
    found = suite([said(label="polite"), said("c2", label="rude")]).people["tone"]
    assert [label.values for label in found.labels] == [{"tone": 1.0}, {"tone": 0.0}]
    scaled = suite([said(score=4)], **RUBRIC, pass_threshold=4).people["tone"]
    assert scaled.labels[0].values == {"tone": 0.75, "tone.passed": 1.0}
    assert suite([said(score=3.9)], **RUBRIC, pass_threshold=4).people["tone"].labels[0].values[
        "tone.passed"
    ] == pytest.approx(0.0)


def test_several_people_are_averaged_and_what_nobody_filled_in_waits(suite: Write) -> None:
    rows = [
        said(label="polite", who="ann"),
        said(label="rude", who="bo"),
        said("c2", label=None, who=""),
    ]
    found = suite(rows).people["tone"]
    assert found.by_answer() == {("c1", text_digest("Dear Ann")): {"tone": 0.5}}
    assert found.waiting == 1


def test_a_table_from_a_spreadsheet_is_read_too(suite: Write) -> None:
    digest = text_digest("=1+1")
    rows = [
        {"case_id": "c1", "answer": "'=1+1", "answer_digest": digest, "score": "5", "who": "ann"},
        {"case_id": "c2", "answer": "", "answer_digest": "", "score": "1", "who": "ann"},
        {"case_id": "c3", "answer": "a", "answer_digest": "", "score": "", "who": ""},
    ]
    found = suite(rows, file="labels.csv", **RUBRIC).people["tone"]
    assert [(one.answer, one.values["tone"]) for one in found.labels] == [
        (digest, 1.0),
        (text_digest(""), 0.0),
    ]
    assert found.waiting == 1


def test_everything_wrong_with_labels_is_said_at_once_with_its_line(suite: Write) -> None:
    rows = [
        said("c77", label="polite"),
        said(label="polit"),
        said("c2", label="polite"),
        said("c2", label="rude"),
        {"case_id": "c3", "label": "rude"},
        said("c4", label="rude", mood="bad"),
        said("c5", score=3),
    ]
    found = problems(suite, rows)
    lines = [text.partition("labels.jsonl:")[2] for text in found]
    assert lines[0].startswith("1: field 'case_id': the suite has no case 'c77'")
    assert "found 'polit' (did you mean 'polite'?)" in lines[1]
    assert "labelled by the same person on line 3" in lines[2]
    assert lines[3].startswith("5:") and "answer" in lines[3]
    assert lines[4].startswith("6:") and "mood" in lines[4]
    assert "expected a label, one of polite, rude" in lines[5]
    assert len(found) == 6


def test_a_missing_file_and_a_grader_that_is_no_judge_are_named(suite: Write) -> None:
    (missing,) = problems(suite, [], file="gone.csv")
    assert (
        "suite.yaml" in missing and "found no" in missing and "gatewright suite labels" in missing
    )
    (other,) = problems(suite, [], type="contains", text="Dear")
    assert "human labels go with judge, score_model and label_model" in other


def test_labels_change_nothing_of_what_is_asked_or_comparable(suite: Write) -> None:
    without = suite(None).fingerprint
    assert suite([said(label="polite")]).fingerprint == without


def test_a_label_holds_for_the_very_answer_and_counts_as_evidence(suite: Write) -> None:
    opened = suite([said(label="polite"), said("c2", "Hey", label="rude")])
    answers = [response("c1", "Dear Ann"), response("c2", "Hey!")]
    scores = [Score(case_id=one.case_id, grader="tone", version="1", value=1.0) for one in answers]
    found = tabulate(opened, answers, scores, model_id="m", price=None)
    assert found.people["tone"][1] == 1.0
    assert np.isnan(found.people["tone"][2])
    bare = tabulate(suite(None), answers, scores, model_id="m", price=None)
    assert bare.people == {}
    assert bare.evidence_digest != found.evidence_digest
    other = suite([said("c3", label="polite")])  # of an answer that was not given
    unmoved = tabulate(other, answers, scores, model_id="m", price=None)
    assert unmoved.evidence_digest == bare.evidence_digest


def test_a_case_counts_as_labelled_when_all_its_repeats_are(suite: Write) -> None:
    opened = suite([said(answer="a", label="polite"), said(answer="b", label="rude")])
    both = [response("c1", "a", repeat=0), response("c1", "b", repeat=1)]
    one = [response("c1", "a", repeat=0), response("c1", "else", repeat=1)]
    people = [
        tabulate(opened, answers, [], model_id="m", price=None).people["tone"][1]
        for answers in (both, one)
    ]
    assert people[0] == 0.5
    assert np.isnan(people[1])


def test_calls_of_tools_are_part_of_what_was_answered() -> None:
    calls = [{"function": {"name": "refund"}}]
    assert answer_digest(response("c1", "")) == text_digest("")
    assert answer_digest(response("c1", "", tool_calls=calls)) != text_digest("")


# --- deciding on them


def world(
    results: Any, seed: int, *, labelled: int, cases: int = 500, rate: float = 0.75
) -> Evidence:
    """People like `rate` of the answers; the judge likes a third of the others too. The first drawn are labelled."""
    rng = np.random.default_rng(seed)
    human = (rng.random(cases) < rate).astype(float)
    judged = np.maximum(human, rng.random(cases) < 0.35)
    found = results({"tone": judged})
    order = np.argsort(random_ranks(found.suite, "tone", found.case_ids))
    people = np.full(cases, np.nan)
    people[order[:labelled]] = human[order[:labelled]]
    given = results({"tone": judged}, people={"tone": people})
    return Evidence(candidate={"triage": given}, baseline=None)


@pytest.mark.slow
def test_with_labels_a_lenient_judge_promotes_nobody_worse_than_the_bar() -> None:
    with_labels = policy_of(
        {"metric": "tone", "kind": "at_least", "threshold": 0.75, "with_labels": True}
    )
    alone = policy_of({"metric": "tone", "kind": "at_least", "threshold": 0.75})
    passed, fooled, draws = 0, 0, 300
    for seed in range(draws):  # exactly at the bar: every pass is wrong
        evidence = world(results_of, seed, labelled=150)
        passed += judge(with_labels, evidence).outcome == "PASS"
        fooled += judge(alone, evidence).outcome == "PASS"
    assert fooled / draws > 0.9
    # 0.07 is promised; three standard errors of 300 draws beside it.
    assert passed / draws <= 0.07 + 3 * (0.07 * 0.93 / draws) ** 0.5


def test_the_method_and_the_number_of_labels_are_named() -> None:
    gate = policy_of({"metric": "tone", "kind": "at_least", "threshold": 0.6, "with_labels": True})
    (check,) = judge(gate, world(results_of, 1, labelled=150)).checks
    assert (check.outcome, check.method, check.n) == ("PASS", "ppi++, 150 human labels", 500)
    assert check.candidate is not None and check.estimate is not None
    assert check.candidate > check.estimate  # the judge alone says more


def test_too_few_labels_decide_nothing() -> None:
    gate = policy_of({"metric": "tone", "kind": "at_least", "threshold": 0.5, "with_labels": True})
    for labelled in (0, 1, 99):
        verdict = judge(gate, world(results_of, 1, labelled=labelled))
        assert verdict.outcome == "INCONCLUSIVE"
        assert f"only {labelled} drawn cases have human labels" in verdict.reasons[0]


def test_labels_picked_by_hand_are_no_sample() -> None:
    gate = policy_of({"metric": "tone", "kind": "at_least", "threshold": 0.5, "with_labels": True})
    drawn = world(results_of, 1, labelled=500).candidate["triage"]
    liked = np.where(drawn.people["tone"] == 1.0, 1.0, np.nan)  # only the good ones
    picked = replace(drawn, people={"tone": liked})
    verdict = judge(gate, Evidence(candidate={"triage": picked}, baseline=None))
    assert verdict.outcome == "INCONCLUSIVE"
    assert "drawn cases" in verdict.reasons[0]


def test_labels_alone_change_no_outcome_where_the_policy_does_not_ask_for_them() -> None:
    gate = policy_of({"metric": "tone", "kind": "at_least", "threshold": 0.7})
    found = [judge(gate, world(results_of, 4, labelled=count)).checks for count in (0, 120, 500)]
    assert found[0] == found[1] == found[2]


def test_two_models_are_compared_by_what_people_would_say_of_both() -> None:
    gate = policy_of({"metric": "tone", "kind": "max_drop", "threshold": 0.1, "with_labels": True})
    ours = world(results_of, 1, labelled=200, rate=0.8).candidate["triage"]
    theirs = replace(
        world(results_of, 2, labelled=200, rate=0.8).candidate["triage"], model_id="baseline-1"
    )
    evidence = Evidence(candidate={"triage": ours}, baseline={"triage": theirs})
    (check,) = judge(gate, evidence).checks
    assert check.method == "ppi++, 200 human labels"
    assert check.lower is not None and check.upper is not None
    assert -1 <= check.lower < check.upper <= 1
    unlabelled = replace(theirs, people={"tone": np.full(500, np.nan)})
    alone = Evidence(candidate={"triage": ours}, baseline={"triage": unlabelled})
    assert "only 0 drawn cases" in judge(gate, alone).reasons[0]


def test_a_gate_that_wants_labels_nobody_named_is_refused_before_anything_is_asked(
    suite: Write, gate_file: Any
) -> None:
    gate = load_policy(
        gate_file("checks:\n  - {metric: tone, at_least: 0.1, with_labels: true, mode: enforce}\n")
    )
    with pytest.raises(ConfigurationError, match="names no human labels for 'tone'"):
        validate_policy(gate, [suite(None)])


@pytest.mark.parametrize(
    ("check", "complaint"),
    [
        ("max_drop: 10%", "is compared by difference"),
        ("at_least: 0.1, decide_on: point", "a point estimate needs no human labels"),
    ],
)
def test_labels_do_not_go_with_everything(
    suite: Write, gate_file: Any, check: str, complaint: str
) -> None:
    gate = load_policy(gate_file(f"checks:\n  - {{metric: tone, {check}, with_labels: true}}\n"))
    with pytest.raises(ConfigurationError, match=complaint):
        validate_policy(gate, [suite([said(label="polite")])])
