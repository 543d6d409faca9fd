"""What is mistyped on the command line is refused with exit code 3 and the nearest right word, by every command alike."""

from __future__ import annotations

import pytest
from support.project import CommandResult, Project

from flows.registry.records import RunRecord
from flows.registry.store import Registry

WHY = ("--reason", "x")
OF_A_TARGET = {
    "live": (),
    "history": (),
    "runs": (),
    "plan": (),
    "doctor": (),
    "sweep": (),
    "verify": (),
    "regress": (),
    "watch": ("--once",),
    "promote": ("--model", "m"),
    "evaluate": ("--model", "m"),
    "rollback": WHY,
    "hold": WHY,
    "release": WHY,
    "revoke": ("m", *WHY),
    "reinstate": ("m", *WHY),
}
OF_A_RUN = {
    "report": (),
    "resume": (),
    "gate": (),
    "approve": WHY,
    "reject": WHY,
    "override": WHY,
    "suite labels": ("--grader", "tone", "--to", "answers.csv"),
}


def refused(answer: CommandResult, nearest: str) -> None:
    assert answer.code == 3
    assert f"did you mean '{nearest}'?" in answer.err + answer.out
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("command", OF_A_TARGET)
def test_a_mistyped_target_is_answered_with_the_nearest_one(project: Project, command: str) -> None:
    refused(project.command(command, "suport-triage", *OF_A_TARGET[command]), "support-triage")


@pytest.mark.parametrize("command", OF_A_RUN)
def test_a_mistyped_run_is_answered_with_the_nearest_one(project: Project, command: str) -> None:
    project.home.mkdir()
    with Registry.open(project.settings.registry_url) as registry:
        run = RunRecord(
            run_id="triage-1f0c9a77aa", target="triage", kind="promotion", requested_by="ana"
        )
        registry.start_run(run)
    answer = project.command(*command.split(), "triage-1f0c9a77ab", *OF_A_RUN[command])
    refused(answer, "triage-1f0c9a77aa")


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        (("promot", "support-triage"), "Did you mean 'promote'?"),
        (("suite", "chek"), "Did you mean 'check'?"),
        (("live", "--jsn"), "--json"),
        (("watch", "--evry", "5m"), "--every"),
    ],
)
def test_a_mistyped_command_or_option_is_answered_with_the_nearest_one(
    project: Project, typed: tuple[str, ...], nearest: str
) -> None:
    answer = project.command(*typed)
    assert (answer.code, answer.out) == (3, "")
    assert nearest in answer.err
    assert "--help" in answer.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ("watch", "--once", "--every", "soon"),
            "--every: expected a duration such as 90s, 15m, 24h or 90d",
        ),
        (("plan", "support-triage", "--discordance", "2"), "expected a share in (0, 1]; found 2"),
        (("gate",), "expected a run, or --self-test; found neither"),
        (("serve", "--port", "0"), "--port"),
        (("verify", "support-triage", "--adopt", "--put-back", *WHY), "found both"),
        (("verify", "support-triage", "--adopt"), "expected --reason"),
        (("registry", "move", "--to", "mysql://db/registry"), "found 'mysql'"),
    ],
)
def test_a_value_that_can_not_be_meant_is_refused_before_anything_happens(
    project: Project, typed: tuple[str, ...], said: str
) -> None:
    answer = project.command(*typed)
    assert answer.code == 3
    assert said in answer.err
    assert not (project.home / "runs").exists()


def test_a_watcher_without_a_prefect_server_says_how_to_get_one(project: Project) -> None:
    answer = project.command("watch", "--once")
    assert answer.code == 3
    assert "prefect server start" in answer.err
    assert "export PREFECT_API_URL=" in answer.err
