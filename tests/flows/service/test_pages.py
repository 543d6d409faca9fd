"""The review pages as a browser gets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from support.selections import begin_selection, settle_selection

from evals.records import Endpoint
from flows.approvals.answers import answer_run
from flows.registry.records import NewPointer, RunRecord

HOSTILE = "<script>alert(1)</script>\u202egpj.exe"
PAGES = ("/", "/inbox", "/targets/triage", "/runs/triage-1")


@pytest.fixture
def told(service: Any, story: Any, registry: Any) -> Any:
    """A target with something live, a hold, and runs whose words come from models."""
    story.live("gpt-4.1-mini-2025-04-14.ft-0123-v1")
    story.judged("INCONCLUSIVE", model="gpt-4.1-mini-2025-04-14.ft-4567-v2", reason=HOSTILE)
    story.judged("FAIL", run_id="triage-2", model="model-3", state="refused")
    registry.hold("triage", actor="bo", reason="incident 4711")
    return service


def test_the_first_page_tells_what_is_live_since_when_and_who_decided(told: Any) -> None:
    page = told.get("/").text
    for said in ("v1 is live", "generation 1", "ana: adopted", "incident 4711", "v2 waits"):
        assert said in page


def against_its_gate(story: Any, registry: Any) -> None:
    """Have v2 go live although its check failed: two people said so."""
    story.judged("FAIL", model="model-2", state="refused", reason="0.42 is below 0.5")
    for person in ("bo", "cy"):
        answer_run(story.settings, "triage-1", "override", actor=person, reason="a label error")
    registry.set_run_state("triage-1", "promoting")
    endpoint = Endpoint(base_url="http://127.0.0.1:1/v1", model="model-2", model_id="model-2")
    registry.switch(
        NewPointer(
            target="triage",
            model_id="model-2",
            platform="embedded",
            endpoint=endpoint,
            run_id="triage-1",
        ),
        expected_generation=1,
        actor="gatewright",
        reason="FAIL, overridden",
    )
    registry.set_run_state("triage-1", "promoted")


@pytest.mark.parametrize("path", ["/", "/targets/triage"])
def test_what_is_live_against_its_gate_says_so_until_it_is_superseded(
    service: Any, story: Any, registry: Any, path: str
) -> None:
    story.live("model-1")
    against_its_gate(story, registry)
    page = service.get(path).text
    for said in ("against its gate", "Overridden by bo", "Overridden by cy", "a label error"):
        assert said in page
    assert "exact_match at_least 0.5</code> FAIL: 0.42 is below 0.5" in page
    story.live("model-3")
    assert "against its gate" not in service.get(path).text


def test_a_page_says_that_nothing_was_live_only_where_nothing_was(
    service: Any, story: Any, registry: Any
) -> None:
    story.live("model-1")
    story.judged("PASS", state="promoting")
    alone = story.verdict("PASS", "model-2", "0.8 is above 0.5")
    registry.save_verdict("triage-1", replace(alone, baseline_model=None), "production")
    new = RunRecord(run_id="triage-9", target="triage", kind="promotion", requested_by="ana")
    registry.start_run(new)
    page = service.get("/runs/triage-1").text
    assert "not compared with a baseline" in page
    assert "nothing was live" not in page
    page = service.get("/runs/triage-9").text
    assert "not pinned yet" in page
    assert "nothing was live" not in page


@pytest.mark.parametrize("path", ["/", "/targets/triage"])
def test_a_revoked_model_is_shown_with_the_way_back_and_the_hold(
    service: Any, story: Any, registry: Any, path: str
) -> None:
    story.live("model-1")
    story.live("model-2")
    registry.revoke("triage", "model-2", actor="gatewright", reason="regression: 0.6 below 0.8")
    page = service.get(path).text
    for said in ("Its evidence was revoked", "goes back to model-1", "regression: 0.6 below 0.8"):
        assert said in page
    assert "gatewright release triage" in page
    registry.reinstate("triage", "model-2", actor="ana", reason="a label error")
    assert "Its evidence was revoked" not in service.get(path).text


@pytest.mark.parametrize("path", ["/", "/targets/triage"])
def test_a_change_made_past_gatewright_is_shown_until_it_is_over(
    service: Any, story: Any, registry: Any, path: str
) -> None:
    story.live("model-1")
    registry.drift_found(
        "triage",
        actor="gatewright",
        reason=f"deployment prod serves {HOSTILE}",
        marks=["prod other_model model-9"],
        generation=1,
        model_id="model-1",
    )
    page = service.get(path).text
    assert "stands otherwise" in page
    assert "gatewright verify triage" in page
    assert "<script" not in page
    registry.drift_over("triage", actor="ana", reason="put back")
    assert "Something else stands" not in service.get(path).text


def test_the_first_page_begins_with_what_needs_attention(
    service: Any, story: Any, registry: Any, add_target: Any
) -> None:
    add_target("another")
    story.live("model-1")
    page = service.get("/").text
    assert "1 of 2 targets have a model live. No target needs attention." in page
    assert page.index("triage</a> <span") < page.index("another</a> <span")  # nothing live: last
    registry.hold("triage", actor="bo", reason="incident 4711")
    assert 'href="/targets/triage">triage</a> needs attention.' in service.get("/").text


def test_a_page_that_is_not_there_says_so_once(service: Any) -> None:
    answer = service.get("/nope")
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text and "Not Found" not in answer.text


def test_a_target_s_page_has_its_history(told: Any) -> None:
    page = told.get("/targets/triage").text
    for said in ("was adopted", "On hold", "refused", "http://127.0.0.1:1/v1"):
        assert said in page


def test_a_run_s_page_has_its_checks_and_what_they_are_bound_to(told: Any) -> None:
    page = told.get("/runs/triage-1").text
    for said in ("exact_match", "at least 0.50", "120 cases", "INCONCLUSIVE", "sha256:evidence-of"):
        assert said in page
    assert "is on hold. Release it first" in page


@pytest.mark.parametrize("path", PAGES)
def test_what_a_model_says_stays_text(told: Any, path: str) -> None:
    answer = told.get(path)
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "\u202e" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_lets_nothing_run_and_nothing_load(told: Any, path: str) -> None:
    headers = told.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for rule in ("form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"


def test_the_style_on_the_page_is_the_one_its_policy_names(told: Any) -> None:
    import base64
    import hashlib
    import re

    answer = told.get("/")
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    found = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{found}'" in answer.headers["content-security-policy"]


def test_a_report_is_served_shut_off_from_the_pages(
    told: Any, registry: Any, settings: Any
) -> None:
    folder = settings.run_folder("triage-1")
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<!DOCTYPE html><title>report</title>")
    registry.note_run("triage-1", report=str(folder / "report.html"))
    assert "/runs/triage-1/report" in told.get("/runs/triage-1").text
    answer = told.get("/runs/triage-1/report")
    assert "<title>report</title>" in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_the_report_with_the_cases_of_sealed_suites_is_served_to_approvers_alone(
    told: Any, registry: Any, settings: Any
) -> None:
    folder = settings.run_folder("triage-1")
    (folder / "unsealed").mkdir(parents=True)
    (folder / "report.html").write_text("figures")
    (folder / "unsealed" / "report.html").write_text("cases")
    registry.note_run("triage-1", report=str(folder / "report.html"))
    assert told.get("/runs/triage-1/report").text == "figures"
    with (settings.targets / "triage.yaml").open("a") as file:
        file.write(f"approvers: [{settings.actor}]\n")
    assert told.get("/runs/triage-1/report").text == "cases"
    for stranger in ({}, {"x-forwarded-for": "10.0.0.1"}):
        shown = httpx.get(f"{told.url}/runs/triage-1/report", headers=stranger, timeout=60)
        assert "cases" not in shown.text


def test_a_file_outside_of_the_runs_is_never_served(
    told: Any, registry: Any, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "private.html").write_text("private")
    for path in (tmp_path / "private.html", settings.runs / ".." / ".." / "private.html"):
        registry.note_run("triage-1", report=str(path))
        assert told.get("/runs/triage-1/report").status_code == 404


def test_a_selection_s_page_shows_its_field_and_who_was_chosen(service: Any, registry: Any) -> None:
    selection = begin_selection(registry, "model-1", HOSTILE, "model-3")
    settle_selection(registry, selection, 2)
    page = service.get(f"/runs/{selection}").text
    for said in ("The field of 3 candidates", "model-3 was chosen", "dropped after rung 1"):
        assert said in page
    assert "<script>" not in page
    assert "There is no verdict" not in page


def test_what_there_is_not_is_said_on_a_page(told: Any) -> None:
    for path in ("/targets/none", "/runs/none", "/none", "/runs/triage-2/report"):
        answer = told.get(path)
        assert answer.status_code == 404
        assert "Go back" in answer.text
    assert told.get("/v1/none").json()["error"]["code"] == "not_found"


def test_a_target_file_that_broke_is_said_on_the_run_s_page(told: Any, settings: Any) -> None:
    (settings.targets / "triage.yaml").write_text("version: 1\nname: triage\n")
    answer = told.get("/runs/triage-1")
    assert answer.status_code == 200
    assert "go live as things are" in answer.text


def test_an_empty_installation_says_what_to_do(service: Any) -> None:
    assert "No runs yet" in service.get("/").text
    assert "Nothing has arrived yet" in service.get("/inbox").text
