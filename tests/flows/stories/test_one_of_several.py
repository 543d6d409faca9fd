"""`gatewright promote --candidates` as a person types it, on a real Prefect server."""

from __future__ import annotations

import pytest
from support.topics import TARGET

pytestmark = [
    pytest.mark.slow,
    # Prefect's clients leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def promote(field, prefect_server):
    field.project.more["PREFECT_API_URL"] = prefect_server
    return lambda *named: field.project.command("promote", TARGET, *named)


def test_the_best_of_a_field_goes_live_and_the_same_command_finds_it(promote, field):
    assert promote("--job", field.jobs["live"].id).code == 0
    names = ",".join(field.named("abc"))
    answer = promote("--candidates", names)
    assert answer.code == 0, answer.err
    assert "c went live instead of live" in answer.out
    assert "The field of 3 candidates" in answer.out
    assert "choosing among the candidates, rung 1 of 2, 3 left" in answer.err
    assert field.live().model_id == field.model("c")
    assert field.slots() == []
    asked = field.questions()
    again = promote("--candidates", ",".join(reversed(field.named("abc"))), "--json")
    assert (again.code, again.json["state"]) == (0, "promoted")
    assert field.questions() == asked
    (selection,) = [
        line.split()[0]
        for line in field.project.command("runs").out.splitlines()
        if " selection " in line
    ]
    resumed = field.project.command("resume", selection)
    assert (resumed.code, "went live" in resumed.out) == (0, True)
    markdown = field.project.command("report", selection, "--format", "markdown").out
    assert "| **c** |" in markdown


def test_what_is_wrong_with_a_field_is_one_clear_error_each(promote, field):
    twice = promote("--job", field.jobs["a"].id, "--job", field.jobs["a"].id)
    alone = promote("--candidates", field.jobs["a"].id)
    both = promote("--candidates", "x,y", "--model", "z")
    unknown = promote("--candidates", f"{field.jobs['a'].id},ftjob-unknown")
    for answer, told in (
        (twice, "is named twice"),
        (alone, "at least two candidates"),
        (both, "no --model"),
        (unknown, "candidate ftjob-unknown"),
    ):
        assert answer.code == 3, answer.err
        assert told in answer.err
        assert "Traceback" not in answer.err
