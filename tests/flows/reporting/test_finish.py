"""A run whose process was killed between its end and its clean-up is finished by whoever comes next."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.verdicts import stored_verdict

from flows.commands.carry_out import _evaluate
from flows.evaluation import steps
from flows.evaluation.request import request_run, resolve
from flows.release import go_live


@pytest.fixture
def killed(account):
    """Leave a run as a process that was killed does: on lease, with nobody to renew it."""

    def leave(run_id):
        with account.registry() as registry:
            registry.take_lease(run_id, "router", "elsewhere", dead=frozenset(), alone=True)
            with registry.database.write() as writer:
                writer.connection.exec_driver_sql("UPDATE leases SET beat = beat - 21")

    return leave


def slots(account):
    return [name for name in account.standing() if name.endswith("-dev")]


def is_whole(account, run_id):
    with account.registry() as registry:
        assert registry.lease(run_id) is None
        report = registry.run(run_id).report
    return report is not None and Path(report).exists() and slots(account) == []


@pytest.mark.parametrize("command", ["resume", "sweep"])
def test_killed_after_it_was_promoted(account, models, killed, command):
    run_id = account.begin(models.first.model_id)
    asyncio.run(account.evaluate(run_id))
    asyncio.run(go_live.go_live(account.settings, run_id))
    killed(run_id)
    assert len(slots(account)) == 1
    answer = account.command(*(("resume", run_id, "--json") if command == "resume" else ("sweep",)))
    assert answer.code == 0, answer.err
    assert is_whole(account, run_id)
    if command == "resume":
        assert answer.json["report"].endswith("report.html")


def test_killed_after_it_failed(account, models, killed):
    run_id = account.begin(models.first.model_id)
    asyncio.run(resolve(account.settings, run_id))
    asyncio.run(steps.deploy_candidate(account.settings, run_id))
    with account.registry() as registry:
        registry.set_run_state(run_id, "failed", "the platform went away")
    killed(run_id)
    assert run_id not in account.command("sweep", "triage").out, "a sweep of another target"
    swept = account.command("sweep", "router")
    assert swept.code == 0 and f"{run_id}: finished" in swept.out
    assert is_whole(account, run_id)


def test_a_killed_evaluation_goes_on_with_resume_and_with_the_same_command(
    account, models, killed, emulator
):
    def begin(again):
        named, settings = account.named(models.first.model_id), account.settings
        asked = {"kind": "evaluation", "actor": "ana", "again": again, "fresh": True}
        run, _ = request_run(settings, "router", named, **asked)
        asyncio.run(resolve(settings, run.run_id))
        asyncio.run(steps.deploy_candidate(settings, run.run_id))
        asyncio.run(steps.ask_round(settings, run.run_id, 1))
        killed(run.run_id)
        return run.run_id

    named = ("router", "--model", models.first.model_id)
    for command in (("evaluate", *named, "--resume"), ("resume",)):
        run_id = begin(" ".join(command))
        before = len(emulator.log)
        answer = account.command(*command, *([run_id] if command == ("resume",) else []), "--json")
        assert answer.json["run_id"] == run_id, answer.err
        assert is_whole(account, run_id)
        asked = [one for one in emulator.log[before:] if one.path.endswith("/chat/completions")]
        assert len(asked) <= 2, (
            "what was answered is not asked again; that the slot answers is looked at"
        )
    other = account.command("evaluate", *named, "--resume", "--no-early-stop")
    assert other.code == 3
    assert f"goes on with {run_id}, which was begun with --fresh (leave" in other.err


def test_what_another_process_judged_while_it_was_waited_for_is_not_begun_again(account):
    run_id = account.begin("model-1", kind="evaluation")
    with account.registry() as registry:
        registry.save_verdict(run_id, stored_verdict("model-1", None))
        registry.set_run_state(run_id, "judged")
        before = registry.run(run_id)
    asyncio.run(_evaluate(account.settings, run_id, print))
    with account.registry() as registry:
        assert registry.run(run_id) == before, "nothing is begun"
        assert registry.lease(run_id) is None
