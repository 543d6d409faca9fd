"""A suite's figures, its halves and its doubles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError
from evals.suites.curation import duplicates, split_cases, suite_stats, write_cases
from evals.suites.opened import OpenedSuite, open_suite


@pytest.fixture
def opened(tmp_path: Path) -> OpenedSuite:
    suite = {
        "version": 1,
        "name": "s",
        "prompt": [{"role": "user", "content": "{{ item.text }}"}],
        "graders": [{"name": "intent", "type": "label"}],
        "tags": ["language"],
        "cluster_by": "customer",
    }
    (tmp_path / "suite.yaml").write_text(dump_yaml(suite))
    rows = [
        {
            "id": f"c{n}",
            "item": {
                "text": f"Question number {n * 7919} about {'pay' if n % 4 else 'log in'}, {n}"
            },
            "expected": "a" if n % 4 else "b",
            "tags": {"language": "en" if n % 2 else "de"},
            "customer": f"k{n // 2}",
        }
        for n in range(40)
    ]
    rows.append({**rows[3], "id": "again", "customer": "k99", "expected": "b"})
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return open_suite(tmp_path)


def test_the_figures_of_a_suite(opened) -> None:
    stats = suite_stats(opened)
    assert (stats.cases, stats.clusters, stats.largest_cluster) == (41, 21, 2)
    assert stats.effective_clusters == pytest.approx(41**2 / (20 * 4 + 1))
    assert stats.tags == {"language": {"en": 21, "de": 20}}
    assert stats.labels == {"intent": {"a": 30, "b": 11}}


def test_a_double_is_found_and_said_to_contradict(opened) -> None:
    found = [double for double in duplicates(opened.suite) if double.similarity == 1.0]
    assert [(double.case_id, double.same_as, double.contradicts) for double in found] == [
        ("again", "c3", True)
    ]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("by", [(), ("language",)])
def test_a_cut_keeps_clusters_whole_and_every_case_once(opened, share, by) -> None:
    first, second = split_cases(opened.suite, share, seed=1, by=by)
    assert sorted([*first, *second]) == sorted(case.id for case in opened.suite.cases)
    assert abs(len(first) - share * 41) <= 2
    owner = {case.id: case.cluster for case in opened.suite.cases}
    assert not {owner[i] for i in first} & {owner[i] for i in second}
    assert split_cases(opened.suite, share, seed=1, by=by) == (first, second)
    assert split_cases(opened.suite, share, seed=2, by=by) != (first, second)


def test_a_share_outside_0_to_1_is_refused(opened) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_cases(opened.suite, 1.0)


def test_cases_are_copied_as_they_were_written(opened, tmp_path) -> None:
    target = tmp_path / "half.jsonl"
    assert write_cases(opened.suite, ("c3", "c1"), target) == 2
    source = (tmp_path / "cases.jsonl").read_text().splitlines()
    assert target.read_text().splitlines() == [source[1], source[3]]
    with pytest.raises(ConfigurationError, match="doesn't exist yet"):
        write_cases(opened.suite, ("c3",), target)
