"""A service that loses answers: a last, slow round wins them back, killed or not; what stays lost is asked for later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.lossy_proxy import LossyProxy, lossy_proxy
from support.promoted import TARGET, Place
from support.waiting import PATIENCE_S, wait_until

from evals.gate.look_store import LookStore
from evals.gate.looks import LookEvent
from evals.sampling.accounting import read_usage
from flows.evaluation.lost_answers.retry import begin_retry
from flows.registry.opening import open_registry

pytestmark = pytest.mark.slow

LOST = ("number 100:", "number 103:", "number 107:")
"""How questions begin, two of each."""


@pytest.fixture
def proxy(place: Place) -> Iterator[LossyProxy]:
    """What stands between the target and the models; two attempts a question, and a slow round without long waits."""
    with lossy_proxy(place.emulator.url) as between:
        place.change(
            place.targets / f"{TARGET}.yaml",
            "gate: teams\n",
            "gate: teams\n"
            "sampling: {max_attempts: 2, lost_answers: {attempts: 3, wait: 0s}}\n"
            f"embedded: {{endpoint: '{between.url}'}}\n",
        )
        yield between


def loses_to_candidates(
    proxy: LossyProxy, *, attempts: int = 10**9
) -> Callable[[str, str, int], bool]:
    """Lose the answers of developer slots to some questions, for so many attempts each."""
    proxy.loses = lambda model, question, attempt: (
        model.endswith("-dev") and question.startswith(LOST) and attempt <= attempts
    )
    return proxy.loses


def candidate(place: Place) -> str:
    with open_registry(place.settings) as registry:
        return str(registry.run(place.runs[0]).candidate_model)


def journal(place: Place, run_id: str) -> Path:
    return place.home / "runs" / run_id / "journal"


def evaluate(place: Place) -> Any:
    done = place.command("evaluate", TARGET, "--model", candidate(place), "--json")
    assert done.out, done.err
    return done.json


def test_a_slow_round_wins_back_what_was_lost(place: Place, proxy: LossyProxy) -> None:
    loses_to_candidates(proxy, attempts=3)
    found = evaluate(place)
    assert found["verdict"]["outcome"] == "PASS"
    calls = read_usage(journal(place, found["run_id"]))
    assert [call.lost_round for call in calls] == [False, True, True]
    assert calls[-1].roles["candidate"].outcomes == {"answered": 2 * len(LOST)}
    assert proxy.lost == 3 * 2 * len(LOST)


def test_without_a_slow_round_it_stays_lost(place: Place, proxy: LossyProxy) -> None:
    place.change(place.targets / f"{TARGET}.yaml", "attempts: 3", "attempts: 0")
    loses_to_candidates(proxy, attempts=3)
    found = evaluate(place)
    assert found["verdict"]["outcome"] != "PASS"
    assert [call.lost_round for call in read_usage(journal(place, found["run_id"]))] == [False]


def test_killed_in_its_slow_round_a_run_goes_on(place: Place, proxy: LossyProxy) -> None:
    slow, killed, lost = threading.Event(), threading.Event(), loses_to_candidates(proxy)

    def loses(model: str, question: str, attempt: int) -> bool:
        if lost(model, question, attempt) and attempt > 2:  # which only a slow round comes to
            slow.set()
            killed.wait(PATIENCE_S)
        return lost(model, question, attempt)

    proxy.loses = loses
    child = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "evaluate", TARGET, "--model", candidate(place)],
        cwd=place.folder,
        env={**os.environ, **place.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: slow.is_set() or child.poll() is not None)
    assert child.poll() is None, "it ended before its slow round"
    assert any(is_in_slow_round(folder) for folder in (place.home / "runs").iterdir())
    child.send_signal(signal.SIGKILL)
    child.wait()
    killed.set()
    (run_id,) = [
        folder.name for folder in (place.home / "runs").iterdir() if folder.name not in place.runs
    ]
    proxy.heal()
    before = proxy.asked.copy()
    done = place.command("resume", run_id, "--json")
    assert done.json["verdict"]["outcome"] == "PASS"
    more = proxy.asked - before
    asked = {question for _, question in more if not question.startswith("ping")}
    assert asked, "something was lost"
    assert all(question.startswith(LOST) for question in asked), "nothing else was asked again"


def is_in_slow_round(folder: Path) -> bool:
    try:
        snapshot = json.loads((folder / "progress.json").read_text())
    except (OSError, ValueError):
        return False
    return "lost answers" in snapshot.get("note", "")


def begin_inconclusive(place: Place, proxy: LossyProxy) -> str:
    loses_to_candidates(proxy)
    found = evaluate(place)
    assert found["verdict"]["outcome"] == "INCONCLUSIVE"
    return str(found["run_id"])


def test_a_retry_asks_only_for_what_is_lost_and_judges_anew(
    place: Place, proxy: LossyProxy
) -> None:
    run_id = begin_inconclusive(place, proxy)
    assert (
        f"gatewright retry {run_id}" in place.command("report", run_id, "--format", "markdown").out
    )
    proxy.heal()
    before = proxy.asked.copy()
    done = place.command("retry", run_id, "--json")
    assert done.json["verdict"]["outcome"] == "PASS"
    more = proxy.asked - before
    asked = [question for _, question in more.elements() if question.startswith("number")]
    assert sorted(question[: len(LOST[0])] for question in asked) == sorted(2 * LOST)
    with open_registry(place.settings) as registry:
        assert [one.outcome for one in registry.retries(run_id)] == ["INCONCLUSIVE"]
        assert registry.verify() == ()
    assert "judged once more" in place.command("report", run_id, "--format", "markdown").out
    again = place.command("retry", run_id)
    assert again.code == 1
    assert "is PASS" in again.err


def test_a_retry_that_was_killed_goes_on(place: Place, proxy: LossyProxy) -> None:
    run_id = begin_inconclusive(place, proxy)
    begin_retry(place.settings, run_id, actor="ana")
    proxy.heal()
    assert place.command("resume", run_id, "--json").json["verdict"]["outcome"] == "PASS"


def test_a_retry_with_another_gate_or_suite_is_refused(place: Place, proxy: LossyProxy) -> None:
    run_id = begin_inconclusive(place, proxy)
    place.change(place.gates / f"{TARGET}.yaml", "max_drop: 0.2", "max_drop: 0.3")
    refused = place.command("retry", run_id)
    assert (refused.code, "the gate was changed since" in refused.err) == (1, True)
    place.change(place.gates / f"{TARGET}.yaml", "max_drop: 0.3", "max_drop: 0.2")
    place.change(place.datasets / TARGET / "cases.jsonl", "last week", "this week")
    refused = place.command("retry", run_id)
    assert (refused.code, "was changed since the verdict" in refused.err) == (1, True)
    with open_registry(place.settings) as registry:
        assert registry.retries(run_id) == ()


def test_a_retry_on_other_answers_than_were_judged_is_refused(
    place: Place, proxy: LossyProxy
) -> None:
    run_id = begin_inconclusive(place, proxy)
    proxy.heal()
    for path in journal(place, run_id).glob("candidate*"):
        path.unlink()
    refused = place.command("retry", run_id)
    assert refused.code == 1
    assert "is not what" in refused.err


def test_nothing_is_retried_that_lacks_no_answer(place: Place, proxy: LossyProxy) -> None:
    place.change(place.gates / f"{TARGET}.yaml", "at_least: 0.5", "at_least: 0.9")
    cases = place.datasets / TARGET / "cases.jsonl"
    place.change_line(cases, 1, lambda row: row.replace('"billing"', '"bug"'))
    found = evaluate(place)
    assert found["verdict"]["outcome"] == "INCONCLUSIVE"
    refused = place.command("retry", found["run_id"])
    assert refused.code == 1
    assert f"no answer of {found['run_id']} is missing; there is nothing" in refused.err
    with open_registry(place.settings) as registry:
        registry.set_run_state(found["run_id"], "waiting")
    assert "is missing; approve or reject it" in place.command("retry", found["run_id"]).err
    early = LookEvent(
        look=0,
        rounds=1,
        policy_digest="sha256:policy",
        evidence_digest="sha256:evidence",
        checks=(),
        needs=(),
        stop=True,
    )
    folder = place.home / "runs" / found["run_id"]
    for kept in folder.glob("looks*"):
        kept.unlink()
    LookStore(folder).append(early)
    ended = " ".join(place.command("retry", found["run_id"]).err.split())
    assert (
        f"gatewright evaluate {TARGET} --model {candidate(place)} --again --no-early-stop" in ended
    )
    assert "was promoted: nothing to retry" in place.command("retry", place.runs[0]).err
