"""`gatewright verify`: what was changed in the records, on disk, on the platform or in the published file is found."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import zstandard

from evals import __version__
from flows.platforms.base import Platform, SlotSpec
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry
from flows.settings import load_settings

TARGET = "teams"
SLOT = SlotSpec(slot="production", sku="GlobalStandard", capacity=1)


def found(place: Any, capsys: Any, *arguments: str, **environment: str) -> dict[str, Any]:
    """The findings by name of what they are about: (exit code, name -> [(level, message)])."""
    capsys.readouterr()
    code = place.run("verify", *arguments, "--json", **environment)
    said = json.loads(capsys.readouterr().out)
    return {"code": code, **{about: said[about] for about in said}}


def levels(findings: list[dict[str, str]]) -> dict[str, str]:
    return {one["name"]: one["level"] for one in findings}


def message(findings: list[dict[str, str]], name: str) -> str:
    return "; ".join(one["message"] for one in findings if one["name"] == name)


def live() -> Any:
    with open_registry(load_settings()) as registry:
        return registry.live(TARGET)


def on_the_platform(act: Callable[[Platform], Awaitable[Any]]) -> Any:
    async def do() -> Any:
        platform = open_platform("embedded", {}, os.environ)
        try:
            return await act(platform)
        finally:
            await platform.aclose()

    return asyncio.run(do())


@pytest.fixture
def portal(place: Any) -> Any:
    """Somebody put the first model under the name of the live deployment; put right after the test."""
    pointer = live()
    with open_registry(load_settings()) as registry:
        before = registry.previous(TARGET)

    def put(model: str) -> None:
        async def change(platform: Platform) -> None:
            await platform.delete(pointer.deployment)
            deployed = await platform.deploy(pointer.deployment, model, SLOT, tags={})
            await platform.wait_ready(deployed)

        on_the_platform(change)

    put(before.model_id)
    yield before.model_id
    put(pointer.model_id)


def test_where_nothing_was_touched_everything_holds(place, capsys):
    shown = found(place, capsys, TARGET)
    assert shown["code"] == 0
    assert levels(shown["registry"]) == {"chain": "ok"}
    assert levels(shown[TARGET]) == {"statement": "ok", "drift": "ok"}
    assert "its signature holds" in message(shown[TARGET], "statement")


def test_the_answers_on_disk_are_counted_and_judged_again(place, capsys):
    for run_id in place.runs:
        shown = found(place, capsys, run_id)
        assert shown["code"] == 0
        assert levels(shown[run_id]) == {"evidence": "ok", "verdict": "ok", "statement": "ok"}


def test_an_answer_changed_on_disk_is_found(place, capsys):
    folder = place.folder / "home" / "runs" / place.runs[1]
    (journal,) = folder.glob("journal/candidate.*.zst")
    lines = zstandard.ZstdDecompressor().stream_reader(journal.read_bytes()).read().decode()
    changed = lines.replace('"text":"bug"', '"text":"billing"', 1)
    assert changed != lines
    journal.write_bytes(zstandard.ZstdCompressor().compress(changed.encode()))
    for scores in folder.glob("scores/*"):
        scores.unlink()
    shown = found(place, capsys, place.runs[1])
    assert shown["code"] == 1
    assert levels(shown[place.runs[1]])["evidence"] == "fail"


def test_evidence_that_is_gone_is_said_and_proves_nothing(place, capsys):
    folder = place.folder / "home" / "runs" / place.runs[1] / "journal"
    for journal in folder.iterdir():
        journal.unlink()
    shown = found(place, capsys, place.runs[1])
    assert shown["code"] == 0
    assert "the answers are not in" in message(shown[place.runs[1]], "evidence")


def test_a_run_is_verified_by_what_judged_it_whatever_was_edited_or_deleted_since(place, capsys):
    holds = {"evidence": "ok", "verdict": "ok", "statement": "ok"}
    gate = place.folder / "gates" / "teams.yaml"
    suite = place.folder / "datasets" / TARGET / "suite.yaml"
    target = place.folder / "targets" / "teams.yaml"
    gate.write_text(gate.read_text().replace("at_least: 0.5, max_drop: 0.2", "at_least: 0.999"))
    suite.write_text(suite.read_text().replace("Which team", "What team"))
    target.write_text(target.read_text().replace("suites: [teams]", "suites: [others]"))
    assert levels(found(place, capsys, place.runs[1])[place.runs[1]]) == holds
    gate.unlink()
    target.unlink()
    for file in suite.parent.iterdir():
        file.unlink()
    shown = found(place, capsys, place.runs[1])
    assert (shown["code"], levels(shown[place.runs[1]])) == (0, holds)
    for form in ("path", "terminal", "markdown"):
        report = place.command("report", place.runs[1], "--format", form)
        assert report.code == 0, report.err


def test_a_suite_of_which_no_copy_was_kept_is_said_and_proves_nothing(place, capsys):
    shutil.rmtree(place.folder / "home" / "suites")
    suite = place.folder / "datasets" / TARGET / "suite.yaml"
    assert levels(found(place, capsys, place.runs[1])[place.runs[1]])["evidence"] == "ok"
    suite.write_text(suite.read_text().replace("Which team", "What team"))
    shown = found(place, capsys, place.runs[1])
    assert shown["code"] == 0
    assert "not kept as they were, are teams" in message(shown[place.runs[1]], "evidence")


def test_a_folder_of_another_version_is_refused_in_one_sentence_that_names_the_versions(place):
    folder = place.folder / "home" / "runs" / place.runs[1]
    deal = folder / "deal.json"
    before = deal.read_text()
    deal.write_text(before.replace('"repeats":{"teams":1}', '"repeats":1'))
    (mark := folder / "format.json").unlink()
    said = place.command("verify", place.runs[1])
    assert said.code == 4 and len(said.err.splitlines()) == 1 and "bug" not in said.err
    assert (
        "deal.json was written by Gatewright 0.1.0 or an unreleased version (format 1;" in said.err
    )
    assert f"this is Gatewright {__version__} (format 2), which can't read it" in said.err
    deal.write_text(before)
    mark.write_text('{"format": 9, "written_by": "7.1.0"}')
    said = place.command("report", place.runs[1], "--format", "terminal")
    assert said.code == 4 and len(said.err.splitlines()) == 1
    assert "was written by Gatewright 7.1.0 (format 9)" in said.err
    assert "reads formats up to 2: upgrade it" in said.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE pointers SET pointer = replace(pointer, '127.0.0.1', '127.0.0.9')", "was altered"),
        ("UPDATE verdicts SET record = replace(record, 'PASS', 'FAIL')", "was altered"),
        ("DELETE FROM statements", "was removed"),
    ],
)
def test_a_record_changed_past_the_registry_is_found(place, capsys, change, said):
    with sqlite3.connect(place.folder / "home" / "registry.db") as connection:
        connection.execute(change)
    shown = found(place, capsys, TARGET, "--offline")
    assert shown["code"] == 1
    assert said in message(shown["registry"], "chain")


def test_a_signature_by_somebody_else_is_found(place, capsys):
    import base64

    shown = found(
        place,
        capsys,
        TARGET,
        "--offline",
        GATEWRIGHT_VERIFY_KEY=base64.b64encode(b"x" * 32).decode(),
    )
    assert shown["code"] in (1, 3)
    assert "signature is not by" in message(shown[TARGET], "statement")


@pytest.mark.slow
def test_a_model_changed_in_the_portal_is_named_and_can_be_adopted(place, capsys, portal):
    shown = found(place, capsys, TARGET)
    assert shown["code"] == 1
    said = message(shown[TARGET], "drift")
    assert f"serves {portal}" in said
    assert f"{live().model_id} is recorded as live" in said
    assert place.run("verify", TARGET, "--adopt") == 3  # a reason is required
    adopted = found(place, capsys, TARGET, "--adopt", "--reason", "wanted so")
    assert adopted["code"] == 0
    assert live().model_id == portal
    assert json.loads(place.published.read_text())["model_id"] == portal
    assert "adopted on the word of ana" in message(adopted[TARGET], "statement")


@pytest.mark.slow
def test_a_model_changed_in_the_portal_can_be_put_back(place, capsys, portal):
    model = live().model_id
    shown = found(place, capsys, TARGET, "--put-back", "--reason", "nobody knew of it")
    assert shown["code"] == 0
    assert live().model_id == model
    assert live().generation == 3
    serving = on_the_platform(lambda platform: platform.get(live().deployment))
    assert serving.model_id == model
    assert "its signature holds" in message(shown[TARGET], "statement")
    on_the_platform(lambda platform: platform.delete(live().deployment))


def test_a_published_file_changed_by_hand_is_found_and_put_back(place, capsys):
    place.published.write_text(place.published.read_text().replace("teams", "tames", 1))
    assert found(place, capsys, TARGET)["code"] == 1
    assert found(place, capsys, TARGET, "--put-back", "--reason", "typo")["code"] == 0
    assert live().generation == 2


def test_a_platform_that_does_not_answer_is_no_agreement(place, capsys):
    shown = found(place, capsys, TARGET, GATEWRIGHT_EMBEDDED_URL="http://127.0.0.1:9")
    assert shown["code"] == 4
    assert levels(shown[TARGET])["drift"] == "fail"
    assert found(place, capsys, TARGET, "--offline")["code"] == 0


def test_a_name_that_is_neither_run_nor_target_is_corrected(place, capsys):
    assert place.run("verify", "team") == 3
    assert "did you mean 'teams'?" in capsys.readouterr().err


def test_without_a_name_every_target_is_verified(place, capsys):
    assert TARGET in found(place, capsys)
