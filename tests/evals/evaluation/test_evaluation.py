"""A contest asks in rounds what is still needed, takes up where it was killed, and scores every answer once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.results import policy_of

from evals.evaluation.evaluation import Evaluation
from evals.evaluation.pairing import paired
from evals.evaluation.score_store import ScoreStore
from evals.gate.examiner import Evidence
from evals.gate.judge import judge, take_look
from evals.gate.look_store import LookStore
from evals.gate.looks import LookHistory, RemainingCases
from evals.records import Response, Score
from evals.sampling.budget import Budget
from evals.sampling.progress.snapshot import Snapshot

DROP = {"metric": "exact", "kind": "max_drop", "threshold": 0.2}
LEVEL = {"metric": "exact", "kind": "at_least", "threshold": 0.5}


@pytest.fixture
def evaluation(tmp_path: Path, folder_suite: Any) -> Any:
    """A contest over suites of these sizes, opened anew from its folder each time."""

    def open_(*sizes: int, **more: Any) -> Evaluation:
        names = ["triage", "other"][: len(sizes)]
        facts: dict[str, Any] = {
            "run_id": "run-1",
            "folder": tmp_path / "run",
            "suites": tuple(
                folder_suite(size, name) for name, size in zip(names, sizes, strict=True)
            ),
            "roles": ("candidate", "baseline"),
            "looks": 10,
            "strata": ("plan",),
            "needs": LookStore(tmp_path / "run").needs(),
        }
        return Evaluation(**(facts | more))

    return open_


@pytest.fixture
def carry_out(evaluation: Any, server: Any, tmp_path: Path) -> Any:
    """Make a run as the flows do: ask, grade, look, until a look says stop. Returns the verdict."""

    async def run(gate: Any, *sizes: int, upto: int = 99) -> Any:
        book = LookStore(tmp_path / "run")
        models = {"candidate": "ours", "baseline": "theirs"}
        sides = {role: server.side(model) for role, model in models.items()}
        facts = {role: (side.model_id, side.price) for role, side in sides.items()}
        look, rounds = 1, evaluation(*sizes).rounds
        for look in range(1, min(upto, rounds) + 1):
            now = evaluation(*sizes)
            await now.ask(look, sides)
            await now.grade()
            event = book.event(look)
            if event is None:
                results = now.results(look, facts)
                evidence = Evidence(candidate=results["candidate"], baseline=results["baseline"])
                past = tuple(one for one in book.events() if one.look < look)
                event = take_look(gate, evidence, LookHistory(look=look, rounds=rounds, past=past))
                book.append(event)
            if event.stop:
                break
        results = evaluation(*sizes).results(look, facts)
        evidence = Evidence(candidate=results["candidate"], baseline=results["baseline"])
        return judge(gate, evidence, LookHistory(look=look, rounds=rounds, past=book.events()))

    return run


async def test_a_run_stops_when_every_check_is_decided(carry_out: Any, server: Any) -> None:
    found = await carry_out(policy_of(DROP, LEVEL), 600)
    assert found.outcome == "PASS"
    assert len(server.asked) == 2 * 60
    assert "asking ended after look 1 of 10: every deciding check is decided" in found.reasons[-1]
    assert "decided at look 1 of 10, 60 of 600 cases" in found.checks[0].reason


@pytest.mark.slow
async def test_the_baseline_is_not_asked_for_what_only_the_candidate_must_show(
    carry_out: Any, server: Any
) -> None:
    found = await carry_out(policy_of(DROP, {**LEVEL, "threshold": 0.99}), 600)
    asked = [model for model, _ in server.asked]
    assert (asked.count("ours"), asked.count("theirs")) == (420, 60)
    assert found.outcome == "PASS"
    assert [check.n for check in found.checks] == [60, 420]


@pytest.mark.slow
async def test_a_suite_is_not_asked_once_its_checks_are_decided(
    carry_out: Any, server: Any
) -> None:
    hard = {"metric": "other", "kind": "at_least", "threshold": 0.985}
    await carry_out(policy_of(DROP, hard), 600, 600)
    asked = [text.split()[0] for model, text in server.asked if model == "ours"]
    assert asked.count("triage") == 60
    assert asked.count("other") > 200


@pytest.mark.slow
async def test_only_the_slice_that_is_still_open_is_asked_further(
    carry_out: Any, evaluation: Any, server: Any
) -> None:
    gate = policy_of(
        {**LEVEL, "threshold": 0.8},
        {**LEVEL, "threshold": 0.96, "where": {"plan": "enterprise"}},
        {**LEVEL, "threshold": 0.9, "mode": "shadow"},
    )
    found = await carry_out(gate, 1000)
    numbers = [int(text.split()[-1]) for model, text in server.asked if model == "ours"]
    later = [number for number in numbers[200:] if number % 5]
    assert found.outcome == "PASS"
    assert not later
    whole, slice_, shadow = found.checks
    assert (whole.n, round(slice_.n, -1)) == (100, 120)
    assert (
        shadow.n == 100
    )  # judged on what was a fair sample of the suite, not on the slice asked after it
    done = evaluation(1000)
    opened = done.suites[0]
    assert done.fair_look(opened, 6, "candidate", {}) == 1


@pytest.mark.slow
async def test_a_resumed_run_makes_the_same_looks_and_asks_nothing_twice(
    carry_out: Any, server: Any, tmp_path: Path
) -> None:
    server.answer = lambda model, text: "no" if model == "ours" and text.endswith("7") else "yes"
    gate = policy_of({**DROP, "threshold": 0.12}, futility=False)
    await carry_out(gate, 600, upto=3)
    before = LookStore(tmp_path / "run").path.read_bytes()
    torn = before + b'{"look": 4, "rou'
    LookStore(tmp_path / "run").path.write_bytes(torn)
    first = await carry_out(gate, 600)
    assert len(server.asked) == len(set(server.asked))
    assert LookStore(tmp_path / "run").path.read_bytes().startswith(before)
    looks = [event.look for event in LookStore(tmp_path / "run").events()]
    assert looks == list(range(1, looks[-1] + 1))
    again = await carry_out(gate, 600)
    assert again == first


async def test_a_worse_candidate_is_given_up_before_all_is_asked(
    carry_out: Any, server: Any
) -> None:
    server.answer = lambda model, text: "no" if model == "ours" and text[-1] in "37" else "yes"
    found = await carry_out(policy_of({**DROP, "threshold": 0.05}, LEVEL), 600)
    assert found.outcome in ("FAIL", "INCONCLUSIVE")
    assert len(server.asked) < 600
    assert "the verdict can't become PASS any more" in found.reasons[-1]


async def test_an_answer_that_came_on_the_second_try_is_scored(
    evaluation: Any, server: Any, tmp_path: Path
) -> None:
    sides = {"candidate": server.side("ours")}
    server.answer = lambda _model, text: None if text.endswith("case 3") else "yes"
    one = evaluation(40, roles=("candidate",), looks=1)
    await one.ask(1, sides)
    await one.grade()
    book = ScoreStore(tmp_path / "run", "candidate", one.suites[0])
    assert sum(score.unscored for score in book.scores()) == 1
    response = next(r for r in one.responses("candidate", "triage") if r.case_id == "c3")
    came = response.__class__(case_id="c3", model_id="ours-id", outcome="answered", text="yes")
    assert (book.has(response), book.has(came)) == (True, False)
    book.add([Score(case_id="c3", grader="exact", version="1", value=1.0)])
    book.save()
    again = ScoreStore(tmp_path / "run", "candidate", one.suites[0])
    assert sum(score.unscored for score in again.scores()) == 0


@pytest.mark.parametrize(
    ("missing", "scored_for_good", "scored_when_it_never_came"),
    [
        ({"unscored_because": "no_answer"}, False, True),
        ({"unscored_because": "judge_unreachable"}, False, False),
        ({"unscored_because": "ungradable"}, True, True),
        # As scores were stored before the code existed.
        ({"reason": "no answer came (timed_out): slow"}, False, True),
        ({"reason": "judge j gave no answer; asked again when the run goes on"}, False, False),
        ({"reason": "the verdict can't be read: no answer came"}, True, True),
    ],
)
def test_a_missing_score_is_made_anew_where_its_cause_may_be_gone(
    folder_suite: Any,
    tmp_path: Path,
    missing: dict[str, str],
    scored_for_good: bool,
    scored_when_it_never_came: bool,
) -> None:
    opened = folder_suite(3)
    path = ScoreStore(tmp_path, "candidate", opened).path
    path.parent.mkdir(parents=True)
    score = {"case_id": "c1", "grader": "exact", "version": "1", **missing}
    path.write_bytes(msgspec.json.encode([score]) + b"\n")
    store = ScoreStore(tmp_path, "candidate", opened)
    came = Response(case_id="c1", model_id="m", outcome="answered", text="yes")
    lost = msgspec.structs.replace(came, outcome="timed_out", text=None)
    assert (store.has(came), store.has(lost)) == (scored_for_good, scored_when_it_never_came)
    assert [score.unscored for score in store.scores()] == [True]


async def test_grading_that_was_killed_goes_on_and_scores_nothing_twice(
    evaluation: Any, server: Any, tmp_path: Path
) -> None:
    one = evaluation(200, roles=("candidate",), looks=1)
    await one.ask(1, {"candidate": server.side("ours")})
    await one.grade()
    (opened,) = one.suites
    path = ScoreStore(tmp_path / "run", "candidate", opened).path
    whole = path.read_bytes()
    torn = whole[: whole.index(b"c150") + 3]
    path.write_bytes(torn)
    again = evaluation(200, roles=("candidate",), looks=1)
    await again.grade()
    assert path.read_bytes().startswith(torn[: torn.rindex(b"\n") + 1])
    scored = [score.case_id for score in again.scores("candidate", opened)]
    assert sorted(scored) == sorted(opened.suite.cases.ids)
    await again.grade()
    assert sum(1 for _ in again.scores("candidate", opened)) == 200


def test_answers_are_paired_in_whatever_order_they_came(folder_suite: Any) -> None:
    opened = folder_suite(6)

    def answers(role: str, _suite: str) -> list[Response]:
        places = [(4, 0), (1, 1), (1, 0), (5, 0), (9, 0)]
        if role == "baseline":
            places = [(1, 0), (2, 0), (1, 1), (4, 0), (9, 0)]
        return [
            Response(
                case_id=f"c{number}",
                repeat=repeat,
                model_id="m",
                outcome="answered",
                text=f"{role} {number} {repeat}",
            )
            for number, repeat in places
        ]

    found = [
        (case.id, ours.text, theirs.text) for case, ours, theirs in paired(opened.suite, answers)
    ]
    assert found == [
        (f"c{number}", f"candidate {number} {repeat}", f"baseline {number} {repeat}")
        for number, repeat in ((4, 0), (1, 1), (1, 0))
    ]


async def test_progress_and_budget_see_all_suites_and_rounds_of_a_run(
    evaluation: Any, server: Any, folder_suite: Any
) -> None:
    seen: list[Snapshot] = []

    class Recorder:
        def update(self, snapshot: Snapshot) -> None:
            seen.append(snapshot)

    suites = (folder_suite(60), folder_suite(60, "other", sampling={"seed": 1}, repeats=2))
    side = {"candidate": server.side("ours")}
    for look in (1, 2):
        one = evaluation(suites=suites, roles=("candidate",))
        await one.ask(look, side, progress=Recorder(), budget=Budget(tokens=10**9))
    ends = [shot for shot in seen if shot.finished]
    assert [shot.roles["candidate"].done for shot in ends] == [30, 90, 120, 180]
    assert {shot.roles["candidate"].planned for shot in ends} == {180}
    spent = [shot.spent_tokens for shot in ends]
    assert spent == sorted(spent)
    assert spent[2] == spent[1] * 4 / 3
    starved = evaluation(suites=suites, roles=("candidate",), repeats={"triage": 2})
    (stopped,) = await starved.ask(2, side, budget=Budget(tokens=spent[-1]))
    assert (stopped.stopped, stopped.roles["candidate"].requests) == ("budget", 0)


async def test_each_suite_is_asked_as_often_as_it_says(
    evaluation: Any, server: Any, folder_suite: Any
) -> None:
    suites = (folder_suite(10, repeats=3), folder_suite(20, "other"))
    sides = {"candidate": server.side("ours")}
    one = evaluation(suites=suites, roles=("candidate",), looks=1)
    (asked,) = await one.ask(1, sides)
    await one.grade()
    assert asked.roles["candidate"].requests == len(server.asked) == 10 * 3 + 20
    found = one.results(1, {"candidate": ("ours-id", None)})["candidate"]
    counts = {name: (on.counts["planned"], on.counts["scored"]) for name, on in found.items()}
    assert counts == {"triage": (30, 30), "other": (20, 20)}
    more = evaluation(suites=suites, roles=("candidate",), looks=1, repeats={"other": 2})
    await more.ask(1, sides)
    seen = Counter(text.split()[0] for _, text in server.asked)
    assert seen == {"triage": 30, "other": 40}


def test_small_suites_have_one_look_and_all_suites_the_same_rounds(evaluation: Any) -> None:
    assert evaluation(50).rounds == 1
    assert evaluation(60).rounds == 2
    assert evaluation(600, 50).sizes["other"] == (5, 10, 15, 20, 25, 30, 35, 40, 45, 50)
    assert evaluation(600, looks=1).rounds == 1


def test_what_is_asked_follows_the_needs_of_each_round(evaluation: Any) -> None:
    needs = {
        2: (RemainingCases(role="candidate", suite="triage", where={"plan": "enterprise"}),),
        3: (),
    }
    one = evaluation(600, needs=needs)
    opened = one.suites[0]
    asked = {
        role: [list(one.cases(opened, look, role)) for look in (1, 2, 3, 4)] for role in one.roles
    }
    assert [len(found) for found in asked["baseline"]] == [60, 60, 60, 120]
    first, second, third, fourth = asked["candidate"]
    assert second[:60] == first
    assert len(second) > 65
    assert {case.tags["plan"] for case in second[60:]} == {"enterprise"}
    assert (len(third) - len(second), len(fourth) - len(third)) == (0, 60)
    assert [one.fair_look(opened, 4, role, {}) for role in one.roles] == [1, 1]
    assert one.fair_look(opened, 4, "candidate", {"plan": "enterprise"}) == 2
