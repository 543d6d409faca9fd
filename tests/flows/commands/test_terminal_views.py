"""`gatewright live`, `history` and `runs` on a terminal of 80 columns: nothing is cut, and nothing runs over the edge."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evals.records import Endpoint
from flows.commands.output import console, say
from flows.commands.views.history import changes_table
from flows.commands.views.live import live_data, live_renderable
from flows.commands.views.runs import run_list
from flows.registry.records import NewPointer, RunRecord
from flows.registry.regression_outcomes import RegressionOutcome
from flows.registry.store import Registry

TARGET = "support-triage"
IDS = [
    "gpt-4.1-mini-2025-04-14.ft-9b6f0c1d2e3f4a5b8c7d6e5f4a3b2c1d-v1",
    "gpt-4.1-mini-2025-04-14.ft-1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f-v2",
]
WHY = "wrong refunds since noon, in German and in Spanish, as ticket 4711 describes at some length"


def adopt(registry: Registry, model: str) -> None:
    endpoint = Endpoint(
        base_url="http://127.0.0.1:1/v1", model=model, model_id=model, slot="production"
    )
    registry.switch(
        NewPointer(target=TARGET, model_id=model, platform="embedded", endpoint=endpoint),
        expected_generation=registry.generation(TARGET),
        actor="ana",
        reason=WHY,
        kind="adopt",
    )


@pytest.fixture
def registry(tmp_path: Path) -> Any:
    with Registry.open(f"sqlite:///{tmp_path}/registry.db") as registry:
        for model in IDS:
            adopt(registry, model)
        registry.revoke(TARGET, IDS[1], actor="gatewright", reason=WHY)
        yield registry


def lines_of(view: Any, width: int = 80) -> list[str]:
    written = StringIO()
    Console(width=width, file=written, highlight=False).print(view)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def shown(registry: Registry) -> list[str]:
    return lines_of(changes_table(registry, TARGET, registry.history(TARGET)))


def test_history_fits_80_columns_and_cuts_nothing(registry: Any) -> None:
    lines = shown(registry)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    assert " ".join(" ".join(lines).split()).count(WHY) == 4


def test_history_starts_with_the_newest_and_says_generation_name_and_person(registry: Any) -> None:
    heads = [line.split() for line in shown(registry) if " by " in line]
    assert [head[-2:] for head in heads] == [["by", "gatewright"]] * 2 + [["by", "ana"]] * 2
    assert [(head[0], head[3:5]) for head in heads[2:]] == [
        ("#2", ["adopt", "v2"]),
        ("#1", ["adopt", "v1"]),
    ]


def test_models_that_share_a_name_are_told_apart_in_history(registry: Any) -> None:
    twin = "gpt-4.1-nano-2025-04-14.ft-77aa88bb99cc00dd11ee22ff33aa44bb-v2"
    adopt(registry, twin)
    said = "".join(line.strip() for line in shown(registry))
    assert twin in said
    assert IDS[1] in said
    assert IDS[0] not in said  # the only v1


def test_live_fits_80_columns_with_all_that_speaks_against_the_model(registry: Any) -> None:
    lines = lines_of(live_renderable(registry, TARGET, registry.live(TARGET)))
    assert max(map(len, lines)) <= 80
    labels = [line.split("  ")[1] for line in lines[1:] if line[2:3].strip()]
    assert labels == ["model", "answers at", "since", "by", "revoked", "way back", "on hold"]
    assert "gatewright rollback support-triage --reason" in "\n".join(lines)


def test_a_run_s_id_is_never_cut_in_the_list(registry: Any) -> None:
    long = "contract-summaries-for-legal-0a1b2c3d4e"
    for run_id in (long, "triage-1f0c9a77aa"):
        registry.start_run(
            RunRecord(
                run_id=run_id,
                target=TARGET,
                kind="promotion",
                requested_by="ana",
                candidate_model=IDS[1],
            )
        )
        registry.set_run_state(run_id, "inconclusive", WHY)
    lines = lines_of(run_list(registry.runs(TARGET), {}))
    assert [line.split()[0] for line in lines if "promotion" in line] == ["triage-1f0c9a77aa", long]
    assert " ".join(" ".join(lines).split()).count(WHY) == 2


def test_the_list_shows_the_outcome_of_regression_runs(registry: Any) -> None:
    words = {"steady": "steady", "cannot_tell": "can't tell", "": "judged"}
    for n, outcome in enumerate(words):
        run = {"run_id": f"r{n}", "target": TARGET}
        registry.start_run(RunRecord(**run, kind="regression", requested_by="ana"))
        registry.set_run_state(f"r{n}", "judged")
        if outcome:
            found = RegressionOutcome(**run, outcome=outcome, model_id=IDS[1], why="")
            registry.save_regression_outcome(found)
    outcomes = {run.run_id: registry.regression_outcome(run.run_id) for run in registry.runs()}
    listed = {line[:2]: line for line in lines_of(run_list(registry.runs(), {}, outcomes))}
    assert all(word in listed[f"r{n}"] for n, word in enumerate(words.values()))
    assert sum("judged" in line for line in listed.values()) == 1


def test_the_word_behind_what_is_live_is_found_however_much_happened_since(registry: Any) -> None:
    for _ in range(60):
        registry.hold(TARGET, actor="ben", reason="busy day")
        registry.release(TARGET, actor="ben", reason="over")
    data = live_data(registry, TARGET, registry.live(TARGET))
    assert data["by"] == {
        "actor": "ana",
        "how": "",
        "asked_by": "",
        "kind": "adopt",
        "reason": WHY,
        "at": registry.live(TARGET).since,
    }
    assert data["revoked"] is not None


def test_a_view_is_as_wide_as_columns_says_and_wide_in_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert console().width == 80
    monkeypatch.delenv("COLUMNS")
    assert console().width >= 160


def test_a_sentence_is_broken_in_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = "word " * 81
    say(sentence.strip())
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("COLUMNS", "80")
    say(sentence.strip())
    whole, *broken = capsys.readouterr().out.splitlines()
    assert len(whole) == 404
    assert len(broken) > 1
    assert max(map(len, broken)) <= 80
