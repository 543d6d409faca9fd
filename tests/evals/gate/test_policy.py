"""A gate file is read whole, and everything wrong with it is said at once, with file, line, field and the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evals.errors import ConfigurationError
from evals.gate.policy import load_policy, parse_duration

ROOT = Path(__file__).resolve().parents[3]


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_policy(path)
    return [str(problem) for problem in caught.value.problems]


def test_the_gate_that_comes_with_the_project_is_read() -> None:
    gate = load_policy(ROOT / "evals" / "gates" / "support-triage.yaml")
    assert (gate.confidence, gate.min_scored, gate.early_stop, gate.futility) == (
        0.95,
        0.99,
        True,
        False,
    )
    assert gate.override.expires_after_s == 7 * 86400
    assert len({check.key for check in gate.checks}) == len(gate.checks)


def test_an_entry_with_several_conditions_is_a_check_for_each(gate_file: Any) -> None:
    gate = load_policy(
        gate_file(
            "checks:\n"
            "  - metric: exact_match\n"
            "    at_least: 0.8\n"
            "    max_drop: 2%\n"
            "    mode: shadow\n"
            "    slices:\n"
            "      - {where: {plan: free}, max_drop: 0.05, mode: enforce}\n"
            "      - {each: language, at_least: 0.7, min_cases: 40, if_too_few: report}\n"
        )
    )
    labels = [(check.label, check.mode, check.line) for check in gate.checks]
    assert labels == [
        ("exact_match at_least 0.8", "shadow", 6),
        ("exact_match max_drop 2%", "shadow", 7),
        ("exact_match max_drop 0.05 [plan=free]", "enforce", 10),
        ("exact_match at_least 0.7 [each language]", "shadow", 11),
    ]
    assert (gate.checks[1].threshold, gate.checks[1].percent) == (0.02, True)


def test_the_digest_covers_what_was_authored_and_no_comment(gate_file: Any) -> None:
    checks = "checks:\n  - {metric: a, at_least: 0.5}\n"
    plain = load_policy(gate_file(checks)).digest
    assert load_policy(gate_file(f"# a word\n{checks}")).digest == plain
    assert load_policy(gate_file(checks.replace("0.5", "0.6"))).digest != plain


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest_key(gate_file: Any) -> None:
    path = gate_file("checks:\n  - metric: exact_match\n    max_dorp: 0.02\n")
    found = problems(path)
    assert f"{path.name}:6" in found[0]
    assert "max_dorp" in found[0]
    assert "did you mean 'max_drop'?" in found[0]


@pytest.mark.parametrize(
    ("check", "fix"),
    [
        ("{metric: exact_match, at_least: 60%}", 'expected a number; found "60%" (write 0.6)'),
        ("{metric: exact_match, where: {plan: free}, at_least: 0.6}", "it goes into a slice"),
        ("{metric: exact_match, each: plan, max_drop: 0.1}", "slices: [{each: tag, max_drop:"),
        ("{metric: exact_match, zzz: 1}", "overridable and 3 more)"),
    ],
)
def test_what_people_write_first_is_refused_with_how_it_is_written_here(
    gate_file: Any, check: str, fix: str
) -> None:
    (found,) = problems(gate_file(f"checks:\n  - {check}\n"))
    assert fix in found


def test_all_problems_come_at_once(gate_file: Any) -> None:
    found = problems(
        gate_file(
            "checks:\n"
            "  - {metric: a}\n"
            "  - {metric: b, slices: [{max_drop: 0.1}]}\n"
            "  - {metric: c, slices: [{where: {plan: free}}]}\n"
        )
    )
    assert [text.partition(":")[2].partition(":")[0] for text in found] == ["5", "6", "7"]
    assert "expected at least one condition; found none" in found[0]
    assert "exactly one of 'where' and 'each'" in found[1]


@pytest.mark.parametrize(
    "checks",
    [
        "checks: []\n",
        "",
        "checks:\n  - {metric: a, at_least: .nan}\n",
        "checks:\n  - {metric: a, at_most: 1e999}\n",
        "checks:\n  - {metric: a, max_drop: -0.1}\n",
        "checks:\n  - {metric: a, max_drop: 2 %}\n",
        "checks:\n  - {metric: a, at_least: 0.5, mode: shadow}\n",
        "checks:\n  - {metric: a, at_least: 0.5, measure_on: production}\n",
        "confidence: 1\nchecks:\n  - {metric: a, at_least: 0.5}\n",
        "min_scored: 0\nchecks:\n  - {metric: a, at_least: 0.5}\n",
    ],
)
def test_a_gate_that_could_not_judge_is_refused(gate_file: Any, checks: str) -> None:
    assert problems(gate_file(checks))


def test_what_happens_at_a_first_release_must_be_said(gate_file: Any) -> None:
    path = gate_file("checks:\n  - {metric: a, at_least: 0.5}\n", head="version: 1\nname: tried\n")
    assert "first_release" in problems(path)[0]


@pytest.mark.parametrize(
    ("window", "wanted"),
    [
        ("90 days", 'a duration such as 90s, 15m, 24h or 90d; found "90 days"'),
        ("90", "a duration such as 90s, 15m, 24h or 90d; found 90"),
        ("1000000000d", 'a duration such as 90s, 15m, 24h or 90d; found "1000000000d"'),
        ("0d", 'a duration above 0, such as 90d; found "0d"'),
    ],
)
def test_a_window_that_is_none_is_refused_in_words(
    gate_file: Any, window: str, wanted: str
) -> None:
    checks = "checks:\n  - {metric: exact, max_drop: 0.05}\n"
    path = gate_file(f"{checks}family:\n  candidates: 3\n  window: {window}\n")
    assert problems(path) == [f"{path}:8: field 'family.window': expected {wanted}"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "tried.yaml:1: expected a key 'first_release'; found none (say one of CHOICES)"),
        (
            "first_release: approve",
            "tried.yaml:3: field 'first_release': expected one of CHOICES; found \"approve\"",
        ),
        (
            "first_release: needs-approval",
            "tried.yaml:3: field 'first_release': expected one of CHOICES; found \"needs-approval\""
            " (did you mean 'needs_approval'?)",
        ),
    ],
)
def test_what_a_first_release_may_be_is_said_once(gate_file: Any, line: str, told: str) -> None:
    checks = "checks:\n  - {metric: exact, max_drop: 0.05}\n"
    (found,) = problems(gate_file(checks, head=f"version: 1\nname: tried\n{line}\n"))
    wanted = told.replace("CHOICES", "needs_approval, absolute_checks, refuse")
    assert found.endswith(wanted)


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml")


def test_durations_are_read_in_seconds() -> None:
    assert [parse_duration(text) for text in ("90s", "15m", "24h", "14d")] == [
        90,
        900,
        86400,
        1209600,
    ]
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration("1w")


def test_a_family_makes_each_decision_stricter(gate_file: Any) -> None:
    checks = "checks:\n  - {metric: a, at_least: 0.5}\n"
    alone = load_policy(gate_file(checks))
    gate = load_policy(gate_file(f"{checks}family: {{window: 30d, candidates: 10}}\n"))
    assert alone.decision_confidence == alone.confidence == 0.95
    assert gate.family is not None
    assert (gate.family.window_s, gate.family.confidence) == (30 * 86400, 0.95)
    assert gate.decision_confidence == gate.confidence_of(gate.checks[0]) == pytest.approx(0.995)
    stricter = load_policy(
        gate_file(f"{checks}confidence: 0.99\nfamily: {{candidates: 2, confidence: 0.95}}\n")
    )
    assert stricter.decision_confidence == 0.99


def test_a_family_says_how_many_candidates_it_is_for(gate_file: Any) -> None:
    checks = "checks:\n  - {metric: a, at_least: 0.5}\n"
    (problem,) = problems(gate_file(f"{checks}family: {{window: 30d}}\n"))
    assert "candidates" in problem
    (problem,) = problems(gate_file(f"{checks}family: {{candidates: 0}}\n"))
    assert "family.candidates" in problem
