"""Kept answers: written once and whole, checked when they are read, compared where nothing changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.config.yaml_lines import dump_yaml
from evals.evaluation.kept_answers import (
    AnswersToKeep,
    KeptAnswers,
    KeptAnswersError,
    keep_answers,
    open_kept,
)
from evals.evaluation.kept_results import (
    AskedSuite,
    deployments_changed,
    grade_kept,
    kept_results,
    kept_scores,
    why_incomparable,
)
from evals.graders.model_client import JudgeAnswer, JudgeQuestion
from evals.records import Response
from evals.sampling.journal.entries import Entry
from evals.suites.opened import OpenedSuite, open_suite

CASES = 6
ORIGIN = {"target": "t", "model_id": "m-1", "run_id": "r-1", "kept_at": "2026-11-28T00:00:00Z"}


class Judge:
    """Finds every answer good, and counts."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, _question: JudgeQuestion) -> JudgeAnswer:
        self.asked += 1
        return JudgeAnswer(text=json.dumps({"steps": [], "result": "good"}))


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., OpenedSuite]:
    def write(
        expected: str = "yes", judge: Judge | None = None, rubric: str = "", only: int = CASES
    ) -> OpenedSuite:
        """A suite whose cases from `only` on expect something else."""
        folder = tmp_path / "suite"
        folder.mkdir(exist_ok=True)
        graders: list[dict[str, Any]] = [{"name": "exact", "type": "exact"}]
        if judge is not None:
            options = {"labels": ["good", "bad"], "passing": ["good"]}
            graders += [
                {"name": "j", "type": "judge", "model": "m", "rubric": rubric or "?"} | options
            ]
        prompt = [{"role": "user", "content": "{{ item.q }}"}]
        content = {"version": 1, "name": "s", "prompt": prompt, "graders": graders}
        (folder / "suite.yaml").write_text(dump_yaml(content))
        rows = (
            {"id": f"c{n}", "item": {"q": f"q{n}"}, "expected": expected if n < only else "other"}
            for n in range(CASES)
        )
        (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return open_suite(folder, judge)

    return write


def entries(right: int = 4, *, fingerprint: str | None = "fp_1") -> Iterator[Entry]:
    for number in range(CASES):
        text = "yes" if number < right else "no"
        response = Response(case_id=f"c{number}", model_id="m-1", outcome="answered", text=text)
        yield Entry(at=1.0, response=response, served_by="slot-1", fingerprint=fingerprint)


def keep(
    place: Path, opened: OpenedSuite, rows: Any = None, **more: Any
) -> tuple[KeptAnswers, str]:
    part = AnswersToKeep(
        opened=opened,
        entries=entries(),
        rows=np.ones(CASES, dtype=np.bool_) if rows is None else rows,
        repeats=1,
        asked_with={"temperature": 0.0},
        own_names=frozenset({"slot-1"}),
    )
    return keep_answers(place, ORIGIN | more, [part])


def asked(opened: OpenedSuite, **more: Any) -> AskedSuite:
    return AskedSuite(
        **({"opened": opened, "asked_with": {"temperature": 0.0}, "repeats": 1} | more)
    )


async def laid_out(kept: KeptAnswers, opened: OpenedSuite) -> Any:
    await grade_kept(kept, [asked(opened)])
    return kept_results(kept, [asked(opened)])["s"]


async def test_kept_answers_come_back_as_columns_of_todays_suite(
    tmp_path: Path, suite: Callable[..., OpenedSuite]
) -> None:
    kept, digest = keep(tmp_path / "kept", suite())
    found = await laid_out(open_kept(tmp_path / "kept", digest), suite())
    assert found.columns["exact"].tolist() == [1, 1, 1, 1, 0, 0]
    assert (found.model_id, found.planned.all()) == ("m-1", True)
    assert kept.record.suites[0].deployments == ("system fingerprint fp_1",)


def test_the_same_answers_are_kept_once(tmp_path: Path, suite: Callable[..., OpenedSuite]) -> None:
    found = [keep(tmp_path / "kept", suite())[1] for _ in range(2)]
    assert found[0] == found[1]
    assert len(list((tmp_path / "kept").iterdir())) == 1


async def test_only_cases_that_did_not_change_are_compared(
    tmp_path: Path, suite: Callable[..., OpenedSuite]
) -> None:
    kept, _ = keep(tmp_path / "kept", suite())
    found = await laid_out(kept, suite(only=2))
    assert found.planned.tolist() == [True, True, False, False, False, False]
    assert found.columns["exact"][:2].tolist() == [1, 1]
    assert np.isnan(found.columns["exact"][2:]).all()


async def test_answers_are_graded_by_todays_graders_and_a_judge_is_paid_once_for_a_version(
    tmp_path: Path, suite: Callable[..., OpenedSuite]
) -> None:
    judge = Judge()
    kept, _ = keep(tmp_path / "kept", suite())
    for only in (CASES, 3):  # other cases ask no judge again about those that stayed
        found = await laid_out(kept, suite(judge=judge, only=only))
        assert np.nansum(found.columns["j"]) == only
    assert judge.asked == CASES
    await laid_out(kept, suite(judge=judge, rubric="another"))
    assert judge.asked == 2 * CASES
    book = kept_scores(kept, suite(judge=judge, rubric="another"))
    assert book.path.parent == kept.folder / "scores"


def test_what_is_no_fair_sample_is_not_kept(
    tmp_path: Path, suite: Callable[..., OpenedSuite]
) -> None:
    kept, _ = keep(tmp_path / "kept", suite(), rows=np.arange(CASES) < 2)
    assert [line.response.case_id for line in kept.lines("s")] == ["c0", "c1"]


@pytest.mark.parametrize("how", ["shorter", "other", "gone"])
def test_damaged_answers_are_an_error_that_names_the_folder(
    tmp_path: Path, suite: Callable[..., OpenedSuite], how: str
) -> None:
    kept, _ = keep(tmp_path / "kept", suite())
    other, _ = keep(tmp_path / "other", suite(), rows=np.arange(CASES) < 3)
    path = kept.folder / "s.jsonl.zst"
    if how == "shorter":
        path.write_bytes(path.read_bytes()[:-9])
    elif how == "other":
        path.write_bytes((other.folder / "s.jsonl.zst").read_bytes())
    else:
        path.unlink()
    with pytest.raises(KeptAnswersError, match="bring the folder back from a backup") as caught:
        list(kept.lines("s"))
    assert str(kept.folder) in str(caught.value)


def test_a_record_that_was_altered_or_is_gone_is_an_error(
    tmp_path: Path, suite: Callable[..., OpenedSuite]
) -> None:
    kept, digest = keep(tmp_path / "kept", suite())
    record = kept.folder / "kept.json"
    record.write_text(record.read_text().replace('"m-1"', '"m-2"'))
    with pytest.raises(KeptAnswersError, match="the record was altered"):
        open_kept(tmp_path / "kept", digest)
    record.unlink()
    with pytest.raises(KeptAnswersError, match="are missing"):
        open_kept(tmp_path / "kept", digest)


def test_other_parameters_and_more_repeats_can_not_be_compared_and_fewer_can(
    tmp_path: Path, suite: Callable[..., OpenedSuite]
) -> None:
    (found,) = keep(tmp_path / "kept", suite())[0].record.suites
    assert why_incomparable(found, asked(suite())) is None
    warm = asked(suite(), asked_with={"temperature": 0.7, "system_prompt": "Be kind."})
    assert why_incomparable(found, warm) == (
        "suite s was asked with other parameters"
        " (system_prompt not set then, Be kind. now, temperature 0.0 then, 0.7 now)"
    )
    assert "asked 1 times a case, and 3 times now" in str(
        why_incomparable(found, asked(suite(), repeats=3))
    )


def test_another_deployment_is_told_by_its_fingerprint_or_else_by_its_model() -> None:
    old, new = ["model m-1", "system fingerprint fp_1"], ["model m-1", "system fingerprint fp_2"]
    assert deployments_changed(old, new) == "its system fingerprint is fp_2, and was fp_1"
    assert deployments_changed(["model m-1"], ["model m-2"]) == "its model is m-2, and was m-1"
    for same in (old, [*new, *old], ["model m-1"], []):
        assert deployments_changed(old, same) == ""
