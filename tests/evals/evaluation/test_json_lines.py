"""What people may read of a run's folder are JSON Lines, for any reader of them, after kills as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.json_lines import json_lines_below
from support.results import policy_of

from evals.evaluation import grading
from evals.evaluation.evaluation import Evaluation
from evals.gate.examiner import Evidence
from evals.gate.judge import take_look
from evals.gate.look_store import LookStore
from evals.gate.looks import LookHistory

CASES = 1000
TORN = b'{"at":1.5,"resp'


async def test_every_file_of_a_run_is_json_lines_even_after_kills(
    tmp_path: Path, folder_suite: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "SAVED_EVERY_S", 0.0)  # as often as a slow judge has it
    folder, looks = tmp_path / "run", LookStore(tmp_path / "run")
    gate = policy_of({"metric": "exact", "kind": "at_least", "threshold": 0.5}, early_stop=False)
    for look in (1, 2):
        for path in folder.rglob("*.jsonl"):  # a kill tears what was being written
            path.write_bytes(path.read_bytes() + TORN)
        run = Evaluation(
            run_id="run-1",
            folder=folder,
            suites=(folder_suite(CASES),),
            roles=("candidate",),
            looks=2,
        )
        await run.ask(look, {"candidate": server.side("ours")})
        await run.grade()
        found = run.results(look, {"candidate": ("ours-id", None)})
        history = LookHistory(look=look, rounds=2, past=looks.events())
        looks.append(
            take_look(gate, Evidence(candidate=found["candidate"], baseline=None), history)
        )

    read = json_lines_below(folder)
    (scores,) = (rows for name, rows in read.items() if name.startswith("candidate-triage-"))
    answers = [row for name in read if name.startswith("candidate.triage.") for row in read[name]]
    assert {row[0]["case_id"] for row in scores} == {f"c{number}" for number in range(CASES)}
    assert len(scores) == CASES <= len(answers)
    assert [row["look"] for row in read["looks.jsonl"]] == [1, 2]
    assert sum(row.get("ended", True) for row in read["account.jsonl"]) == 2
