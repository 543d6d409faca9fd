"""Human labels of a run: drawn blind, filled in, counted when the run is judged, and never against an old verdict."""

from __future__ import annotations

import csv
import json

import pytest

from evals.errors import ConfigurationError
from flows.cli import run as command
from flows.evaluation.human_labels import draw
from flows.evaluation.open_run import open_run
from flows.evaluation.rejudge import rejudge
from flows.monitoring.verify import verify_run
from flows.reporting.gather import report_run

CASES = 120


@pytest.fixture
def big(letters):
    """Letters enough to be decided with labels; a judge that finds all of them polite."""
    rows = ({"id": f"c{n}", "item": {"about": f"matter {n}"}} for n in range(CASES))
    (letters.suite / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    letters.change(letters.suite / "suite.yaml", "passing: [polite]}", "passing: [polite]LABELS}")
    names(letters, "")
    return letters


def names(letters, labels: str) -> None:
    """Have the suite's judge name this file of labels, none for ""."""
    path = letters.suite / "suite.yaml"
    text = path.read_text()
    before, _, rest = text.partition("passing: [polite]")
    _, _, after = rest.partition("}")
    named = f", human_labels: {labels}" if labels else ""
    path.write_text(f"{before}passing: [polite]{named}}}{after}")


async def judged(letters) -> str:
    run = letters.request()
    await letters.prepare(run)
    await letters.judge(run)
    return run


def drawn(letters, run: str, count: int = CASES):
    with open_run(letters.settings, run) as opened:
        return draw(opened, "tone", count)


def labelled(rows, label: str = "polite", who: str = "ann"):
    return [{**row, "label": label, "who": who} for row in rows]


def write(letters, rows) -> None:
    (letters.suite / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names(letters, "labels.jsonl")


@pytest.mark.slow
async def test_a_sample_is_drawn_blind_and_always_the_same_one(big):
    big.go_live()
    run = await judged(big)
    found = drawn(big, run, 20)
    # Both models were asked, and their letters differ.
    assert len({row["case_id"] for row in found.rows}) == 20
    assert len(found.rows) == 40
    assert set(found.rows[0]) == {
        "case_id",
        "question",
        "answer",
        "answer_digest",
        "label",
        "who",
    }
    assert {row["answer"] for row in found.rows} == {"a letter", "a kind letter"}
    assert "polite letter" in found.rows[0]["question"]
    again = drawn(big, run, 30)
    assert again.rows[:40] == found.rows
    assert len({row["case_id"] for row in drawn(big, run, 119).rows}) == 119


async def test_what_is_labelled_already_is_not_asked_for_again(big):
    run = await judged(big)
    write(big, labelled(drawn(big, run, 15).rows))
    found = drawn(big, run, 20)
    assert (len(found.rows), found.known) == (5, 15)


@pytest.mark.slow
async def test_more_than_there_is_and_an_unknown_judge_are_refused(big):
    run = await judged(big)
    with pytest.raises(ConfigurationError, match="expected at most 120, the cases answered"):
        drawn(big, run, 121)
    with (
        pytest.raises(ConfigurationError, match="did you mean 'tone'"),
        open_run(big.settings, run) as opened,
    ):
        draw(opened, "tune", 10)


@pytest.mark.slow
async def test_labels_decide_when_the_run_is_judged_again_and_leave_its_verdict_alone(big):
    write(big, [])
    big.change(big.gate, "at_least: 0.5}", "at_least: 0.5, with_labels: true}")
    run = await judged(big)
    verdict = rejudge(big.settings, run)
    assert verdict.outcome == "INCONCLUSIVE"
    assert "only 0 drawn cases have human labels" in verdict.reasons[0]
    page = report_run(big.settings, run)
    assert "how far it agrees with people is not known" in page.read_text()

    rows = drawn(big, run).rows
    write(big, [*labelled(rows[:110]), *labelled(rows[110:], "rude")])
    now = rejudge(big.settings, run)
    (check,) = now.checks
    assert now.outcome == "PASS", now.reasons
    assert check.method.endswith("120 human labels")
    assert now.evidence_digest != verdict.evidence_digest
    # Judged without labels, it stays so: what people said later is no part of that evidence.
    found = {one.name: one for one in verify_run(big.settings, run)}
    assert found["evidence"].level == "ok", found
    report = report_run(big.settings, run)
    assert "91.7 % of 120 labelled answers" in report.read_text()
    assert "91.7 % of 120 labelled answers" in report.with_name("report.md").read_text()
    facts = json.loads(report.with_name("report.json").read_text())["facts"]["judges"]
    assert (facts[0]["n"], facts[0]["exact"]) == (120, pytest.approx(110 / 120))


@pytest.mark.slow
async def test_labels_of_a_run_are_part_of_its_evidence_and_kept_with_it(big):
    first = await judged(big)
    write(big, labelled(drawn(big, first).rows))
    big.change(big.gate, "at_least: 0.5}", "at_least: 0.5, with_labels: true}")
    second = big.request(again="with labels")
    await big.prepare(second)
    # The same words again: what people said of them holds.
    assert (await big.judge(second)).outcome == "PASS"
    write(big, labelled(drawn(big, first, 10).rows, "rude", "bo"))
    found = {one.name: one for one in verify_run(big.settings, second)}
    assert found["evidence"].level == "ok", found


@pytest.mark.slow
async def test_the_command_writes_a_table_that_can_be_filled_in(big, monkeypatch, capsys, tmp_path):
    run = await judged(big)
    for name in ("home", "targets", "gates", "datasets"):
        monkeypatch.setenv(f"GATEWRIGHT_{name.upper()}", str(getattr(big.settings, name)))
    out = tmp_path / "answers.csv"
    arguments = ["suite", "labels", run, "--grader", "tone", "--n", "12", "--to", str(out)]
    assert command([*arguments, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["cases"], shown["answers"]) == (12, 12)
    assert shown["expects"] == "a label, one of polite, rude"
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert command(arguments) == 3
    assert "doesn't exist yet" in capsys.readouterr().err

    with (big.suite / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": "polite", "who": "ann"} for row in rows)
    names(big, "labels.csv")
    assert drawn(big, run, 12).known == 12
