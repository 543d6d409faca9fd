"""Before anything is asked, a gate is held against its suites: unknown names, wrong ways, slices of nothing, no hope."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError
from evals.gate.policy import load_policy
from evals.gate.validation import validate_policy
from evals.suites.opened import OpenedSuite, open_suite


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., OpenedSuite]:
    """A suite of so many cases, exactly matched and labelled, with plan and language tags."""

    def build(
        size: int = 400, *, name: str = "triage", clusters: int | None = None, largest: int = 0
    ) -> OpenedSuite:
        folder = tmp_path / name
        folder.mkdir()
        definition = {
            "version": 1,
            "name": name,
            "prompt": [{"role": "user", "content": "{{ item.text }}"}],
            "graders": [
                {"name": "exact", "type": "exact"},
                {"name": "intent", "type": "label", "labels": ["a", "b"]},
            ],
        } | ({"cluster_by": "customer"} if clusters else {})
        (folder / "suite.yaml").write_text(dump_yaml(definition), encoding="utf-8")
        rows = [
            {
                "id": f"c{number}",
                "item": {"text": "hello"},
                "expected": "ab"[number % 2],
                "tags": {"plan": "enterprise" if number < size // 10 else "free", "language": "de"},
            }
            | (
                {"customer": "k0" if number < largest else f"k{number % clusters}"}
                if clusters
                else {}
            )
            for number in range(size)
        ]
        (folder / "cases.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
        return open_suite(folder)

    return build


@pytest.fixture
def problems(gate_file: Any, suite: Any) -> Callable[..., list[str]]:
    """What is wrong with some checks (YAML, one a line) for some suites."""

    def find(*checks: str, suites: Any = None, **more: Any) -> list[str]:
        gate = load_policy(gate_file("checks:\n" + "".join(f"  - {check}\n" for check in checks)))
        try:
            validate_policy(gate, suites or [suite()], **more)
        except ConfigurationError as error:
            return [str(problem) for problem in error.problems]
        return []

    return find


def test_a_gate_that_fits_its_suite_has_no_problem(problems: Any) -> None:
    assert not problems(
        "{metric: exact, at_least: 0.8, max_drop: 0.02}",
        "{metric: intent.macro_f1, max_drop: 0.03}",
        "{metric: latency_p95_ms, at_most: 1800}",
        "{metric: cost_usd_per_1k, max_rise: 10%}",
        "{metric: exact, slices: [{each: plan, max_drop: 0.2}]}",
    )


def test_an_unknown_metric_is_named_with_line_field_and_nearest_name(problems: Any) -> None:
    found = problems("{metric: exact, at_least: 0.8}", "{metric: intent.macrof1, at_least: 0.8}")
    assert len(found) == 1
    assert "tried.yaml:6: field 'checks[1].metric'" in found[0]
    assert "did you mean 'intent.macro_f1'?" in found[0]


def test_an_unknown_suite_is_named_with_the_nearest(problems: Any) -> None:
    found = problems("{metric: exact, suite: traige, at_least: 0.8}")
    assert "did you mean 'triage'?" in found[0]


@pytest.mark.parametrize(
    ("slice_", "hint"),
    [
        ("{where: {plan: enterprize}, max_drop: 0.3}", "did you mean 'enterprise'?"),
        ("{where: {paln: enterprise}, max_drop: 0.3}", "did you mean 'plan'?"),
        ("{each: langauge, max_drop: 0.3}", "did you mean 'language'?"),
        ("{where: {plan: free, language: fr}, max_drop: 0.3}", "valid: de"),
    ],
)
def test_a_slice_that_matches_nothing_is_refused(problems: Any, slice_: str, hint: str) -> None:
    found = problems("{metric: exact, slices: [%s]}" % slice_)  # noqa: UP031 - braces of YAML
    assert len(found) == 1
    assert hint in found[0]


@pytest.mark.parametrize(
    ("check", "fix"),
    [
        ("{metric: exact, at_most: 0.8}", "use at_least"),
        ("{metric: exact, max_rise: 0.1}", "use max_drop"),
        ("{metric: refusal_rate, at_least: 0.1}", "use at_most"),
        ("{metric: latency_p95_ms, max_drop: 10%}", "use max_rise"),
        ("{metric: intent.macro_f1, max_drop: 10%}", "write the margin without %"),
        ("{metric: latency_p95_ms, max_rise: 100}", "write the margin with %"),
        ("{metric: cost_usd_per_1k, min_gain: 10%}", "write the margin without %"),
        ("{metric: exact, at_least: 80}", "expected a bar in [0, 1]; found 80 (write 0.8 for 80"),
        ("{metric: exact, max_drop: 5}", "write 0.05 for 5 points of 100"),
        ("{metric: exact, min_cases: 500, at_least: 0.5}", "min_cases asks for 500 cases (add"),
        ("{metric: exact, at_least: 1}", "no answers can be that good"),
        ("{metric: exact, max_drop: 1}", "a margin that wide forbids nothing"),
    ],
)
def test_a_condition_that_does_not_fit_its_metric_is_refused(
    problems: Any, check: str, fix: str
) -> None:
    found = problems(check)
    assert any(fix in text for text in found), found


@pytest.mark.parametrize(
    ("check", "least"),
    [
        ("{metric: exact, at_least: 0.995}", "598 cases"),
        ("{metric: exact, max_drop: 0.005}", "539 cases"),
        ("{metric: exact, min_gain: 0.99}", "539 cases"),
        ("{metric: exact, slices: [{where: {plan: enterprise}, max_drop: 0.05}]}", "52 cases"),
        ("{metric: exact, slices: [{each: plan, max_drop: 0.05}]}", "(plan=enterprise)"),
        ("{metric: exact, min_cases: 500, at_least: 0.5}", "500 cases"),
        ("{metric: intent.macro_f1, slices: [{where: {plan: enterprise}, max_drop: 0.2}]}", "100"),
    ],
)
def test_a_check_that_flawless_answers_could_not_pass_is_refused(
    problems: Any, check: str, least: str
) -> None:
    found = problems(check)
    assert len(found) == 1
    assert "can never pass" in found[0]
    assert least in found[0]


def test_what_does_not_decide_needs_no_hope(problems: Any) -> None:
    assert not problems(
        "{metric: exact, at_least: 0.5}",
        "{metric: exact, at_least: 0.999, mode: shadow}",
        "{metric: exact, at_least: 0.999, decide_on: point}",
        "{metric: exact, slices: [{each: plan, max_drop: 0.01, min_cases: 268, if_too_few: report}]}",
    )


@pytest.mark.parametrize("least", ["", "min_cases: 20, "])
def test_a_slice_that_decides_and_can_never_pass_is_refused_whatever_is_said_of_too_few(
    problems: Any, least: str
) -> None:
    slice_ = f"{{each: plan, max_drop: 0.01, {least}if_too_few: report}}"
    found = problems(f"{{metric: exact, slices: [{slice_}]}}")
    assert "can never pass: even flawless answers need 268 cases" in found[0]
    assert "min_cases: 268 and if_too_few: report" in found[0]


def test_clusters_count_and_not_their_cases(problems: Any, suite: Any) -> None:
    few = suite(400, name="few", clusters=40)
    found = problems("{metric: exact, max_drop: 0.05}", suites=[few])
    assert "40 clusters can never pass: even flawless answers need 54 clusters" in found[0]
    assert (
        "need 10 clusters"
        in problems("{metric: exact, at_least: 0.2}", suites=[suite(400, name="nine", clusters=9)])[
            0
        ]
    )


def test_clusters_of_unequal_size_count_as_what_they_are_worth(problems: Any, suite: Any) -> None:
    one = suite(400, name="one", clusters=80, largest=120)
    (found,) = problems("{metric: exact, max_drop: 0.05}", suites=[one])
    assert "effective clusters (of 80; the largest holds 30.7 % of the cases)" in found
    assert "can never pass: even flawless answers need 54 clusters" in found


def test_a_metric_of_two_suites_needs_the_name_of_one(problems: Any, suite: Any) -> None:
    both = [suite(200), suite(200, name="other")]
    assert "name one with suite:" in problems("{metric: exact, at_least: 0.5}", suites=both)[0]
    assert not problems("{metric: exact, suite: other, at_least: 0.5}", suites=both)
    assert not problems(
        "{metric: latency_p95_ms, at_most: 900}",
        "{metric: exact, suite: other, at_least: 0.5}",
        suites=both,
    )


def test_production_checks_are_held_against_the_cases_asked_there(problems: Any) -> None:
    checks = (
        "{metric: exact, at_least: 0.5}",
        "{metric: latency_p95_ms, at_most: 900, measure_on: production}",
    )
    assert "50 cases can never pass" in problems(*checks, production_cases=50)[0]
