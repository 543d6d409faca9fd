"""A run's folder becomes five tables whose columns and dtypes are documented, and gives its verdict again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evals
from evals.evaluation.evaluation import Evaluation
from evals.evaluation.rejudge import stored_evidence
from evals.gate.judge import judge, take_look
from evals.gate.look_store import LookStore
from evals.gate.looks import LookHistory
from evals.gate.policy import load_policy
from evals.records import Price, encode
from evals.stored_runs import tables

ROOT = Path(evals.__file__).parents[1]
RUN_ID = "support-triage-5853a16be7"
GATE = """
version: 1
name: support-triage
first_release: refuse
checks:
  - {metric: exact_match, at_least: 0.5}
  - {metric: exact_match, max_drop: 0.20}
"""


@pytest.fixture
async def folder(tmp_path: Path, folder_suite: Any, server: Any, monkeypatch: Any) -> Path:
    """The folder of a judged run, in a home as the command line lays it out; the candidate errs in every tenth case."""
    monkeypatch.chdir(tmp_path)
    gates = tmp_path / "evals" / "gates"
    gates.mkdir(parents=True)
    (gates / "support-triage.yaml").write_text(GATE)
    (tmp_path / "datasets").mkdir()
    opened = folder_suite(400, "support-triage", graders=[{"name": "exact_match", "type": "exact"}])
    opened.suite.folder.rename(tmp_path / "datasets" / "support-triage")
    server.answer = lambda model, text: "no" if model == "ours" and text.endswith("7") else "yes"
    run = tmp_path / ".gatewright" / "runs" / RUN_ID
    run.mkdir(parents=True)
    plan = {"repeats": {"support-triage": 1}, "looks": 2, "strata": []}
    (run / "deal.json").write_text(json.dumps(plan))
    await carry_out(run, (opened,), server, load_policy(gates / "support-triage.yaml"))
    return run


async def carry_out(folder: Path, suites: Any, server: Any, policy: Any) -> None:
    """Ask, grade, look and judge as the flows do, with two looks."""
    sides = {"candidate": server.side("ours"), "baseline": server.side("theirs")}
    models = {role: (side.model_id, side.price) for role, side in sides.items()}
    past: tuple[Any, ...] = ()
    for look in (1, 2):
        evaluation = Evaluation(
            run_id=folder.name,
            folder=folder,
            suites=suites,
            roles=("candidate", "baseline"),
            looks=2,
            needs=LookStore(folder).needs(),
        )
        await evaluation.ask(look, sides)
        await evaluation.grade()
        evidence = stored_evidence(evaluation.results(look, models), release=True)
        event = take_look(policy, evidence, LookHistory(look=look, rounds=2, past=past))
        LookStore(folder).append(event)
        past = (*past, event)
        if event.stop:
            break
    verdict = judge(policy, evidence, LookHistory(look=look, rounds=2, past=past))
    (folder / "verdict.json").write_bytes(encode(verdict))


def test_a_run_becomes_tables_with_a_row_for_each_case_answer_score_and_check(folder: Path):
    run = evals.load_run(folder)
    asked = 2 * run.verdict.checks[1].n
    assert (run.run_id, run.verdict.outcome) == (RUN_ID, "PASS")
    assert len(run.cases) == 400
    assert len(run.answers) == len(run.scores) == asked
    assert not run.answers.duplicated(["role", "suite", "case_id", "repeat"]).any()
    assert list(run.checks.outcome) == ["PASS", "PASS"]
    assert run.looks.look.max() == LookStore(folder).events()[-1].look
    assert run.scores.value.isin([0.0, 1.0]).all()


def test_what_the_tables_say_is_what_was_answered(folder: Path):
    run = evals.load_run(folder)
    wrong = run.scores[(run.scores.role == "candidate") & (run.scores.value == 0)]
    shown = wrong.merge(run.cases, on=["suite", "case_id"]).merge(
        run.answers, on=["role", "suite", "case_id", "repeat"]
    )
    assert len(shown) == len(wrong) > 0
    assert shown.prompt.str.endswith("7").all()
    assert set(shown.text) == {"no"}
    assert set(shown.expected) == {"yes"}
    assert set(shown.model_id) == {"ours-id"}
    assert set(run.cases["tag.plan"]) == {"free", "enterprise"}
    assert shown.prompt_tokens.eq(9).all()


def test_every_column_and_its_dtype_stand_in_the_documentation(folder: Path):
    run = evals.load_run(folder)
    for name in ("cases", "answers", "scores", "checks", "looks"):
        told = getattr(type(run), name).__doc__
        if name == "looks":
            told += type(run).checks.__doc__
        for column, dtype in getattr(run, name).dtypes.items():
            called = "tag.<name>" if column.startswith("tag.") else column
            assert f"`{called}`" in told, (name, column)
            if str(dtype) not in ("string", "category"):
                assert str(dtype) in told, (name, column)


def test_an_empty_table_has_the_dtypes_of_a_full_one(folder: Path):
    run = evals.load_run(folder)
    (folder / "verdict.json").unlink()
    unjudged = evals.load_run(folder)
    assert unjudged.verdict is None
    assert len(unjudged.checks) == 0
    kinds = run.checks.dtypes.astype(str)
    assert unjudged.checks.dtypes.astype(str).equals(kinds)


def test_tables_are_the_same_whatever_the_size_of_a_block(folder: Path, monkeypatch: Any):
    whole = evals.load_run(folder)
    monkeypatch.setattr(tables, "_BLOCK", 150)
    parts = evals.load_run(folder)
    for name in ("cases", "answers", "scores", "checks", "looks"):
        pd.testing.assert_frame_equal(getattr(parts, name), getattr(whole, name))


def test_the_runs_own_gate_gives_its_own_verdict(folder: Path):
    run = evals.load_run(folder)
    assert evals.judge("evals/gates/support-triage.yaml", run) == run.verdict


def test_another_gate_judges_the_same_answers(folder: Path, tmp_path: Path):
    strict = tmp_path / "strict.yaml"
    strict.write_text(GATE.replace("0.5}", "0.99}"))
    assert evals.judge(strict, evals.load_run(folder)).outcome == "FAIL"


def test_cost_is_judged_with_prices_alone(folder: Path, tmp_path: Path):
    costly = tmp_path / "costly.yaml"
    costly.write_text(GATE + "  - {metric: cost_usd_per_1k, at_most: 1}\n")
    run = evals.load_run(folder)
    price = Price(input=1.0, output=2.0)
    known = evals.judge(costly, run, prices={"candidate": price, "baseline": price})
    unknown = evals.judge(costly, run)
    assert unknown.checks[-1].candidate is None
    assert unknown.outcome != "PASS"
    assert known.checks[-1].candidate == pytest.approx(1000 * (9 * 1.0 + 1 * 2.0) / 1e6)


def test_a_folder_that_is_no_run_is_one_clear_error(folder: Path, tmp_path: Path):
    with pytest.raises(evals.ConfigurationError, match=r"found no deal\.json in it"):
        evals.load_run(tmp_path)
    with pytest.raises(evals.ConfigurationError, match=f"did you mean '{RUN_ID}'"):
        evals.load_run(folder.with_name(f"{RUN_ID}x"))


def test_a_suite_that_is_missing_or_was_changed_is_named(folder: Path, tmp_path: Path):
    with pytest.raises(evals.ConfigurationError, match="expected a suite's folder"):
        evals.load_run(folder, suites=tmp_path / "elsewhere")
    cases = tmp_path / "datasets" / "support-triage" / "cases.jsonl"
    cases.write_text(cases.read_text().replace('"yes"', '"no"', 1))
    with pytest.raises(evals.ConfigurationError, match="was changed since the candidate's answers"):
        evals.load_run(folder)


def test_reading_changes_nothing_in_the_folder(folder: Path):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run = evals.load_run(folder)
    assert len(run.cases) + len(run.answers) + len(run.scores) + len(run.looks) > 0
    evals.judge("evals/gates/support-triage.yaml", run)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_blocks_of_the_notebook_page_run(folder: Path):
    page = (ROOT / "docs" / "notebook.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/notebook.md", "exec"), found)
    assert found["verdict"] == found["run"].verdict
    assert set(found["shown"].text) == {"no"}
    assert len(found["decided"]) == 2
    assert found["by_plan"].loc[("free", "baseline"), "mean"] == 1.0
    assert found["failed"].empty
    assert (found["latency"][0.95] > 0).all()


def test_every_public_name_is_there_and_loads_only_when_it_is_used():
    code = (
        "import sys, evals; before = set(sys.modules); names = [getattr(evals, n) for n in evals.__all__];"
        "print('pandas' in before, 'pandas' in sys.modules, len(names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "True", str(len(evals.__all__))], done.stderr
    with pytest.raises(AttributeError, match="no attribute 'load_runs'"):
        evals.load_runs  # noqa: B018
