"""A suite is read whole and refused whole: every problem at once, with its file, its line and its field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError
from evals.suites.opened import open_suite

SUITE = {
    "version": 1,
    "name": "triage",
    "prompt": [
        {"role": "system", "content": "Triage."},
        {"role": "user", "content": "{{ item.ticket }}"},
    ],
    "graders": [
        {"name": "exact_match", "type": "fields", "fields": ["urgency"]},
        {"name": "urgency", "type": "label", "field": "urgency", "labels": ["low", "high"]},
    ],
    "cluster_by": "customer",
    "tags": ["language"],
}


def case(number: int, **more: object) -> dict:
    return {
        "id": f"t-{number}",
        "item": {"ticket": f"ticket {number}"},
        "expected": {"urgency": "high"},
        "tags": {"language": "en"},
        "customer": f"c-{number % 2}",
        **more,
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made = Path("datasets/triage")
    made.mkdir(parents=True)
    return made


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    def put(cases: list[dict | str], **more: object) -> Path:
        suite = {key: value for key, value in (SUITE | more).items() if value is not None}
        (folder / "suite.yaml").write_text(dump_yaml(suite))
        lines = [line if isinstance(line, str) else json.dumps(line) for line in cases]
        (folder / "cases.jsonl").write_text("\n".join(lines) + "\n")
        return folder

    return put


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        open_suite(folder)
    assert caught.value.exit_code == 3
    return [str(problem) for problem in caught.value.problems]


def test_a_suite_has_rendered_messages_tags_and_clusters(write) -> None:
    suite = open_suite(write([case(1), case(2)])).suite
    first = suite.cases[0]
    assert [message.content for message in first.messages] == ["Triage.", "ticket 1"]
    assert (first.tags, first.cluster, first.expected) == (
        {"language": "en"},
        "c-1",
        {"urgency": "high"},
    )
    assert [suite.cases.line(name) for name in ("t-1", "t-2", "t-3")] == [1, 2, None]


def test_fixed_messages_are_shared_by_all_cases(write) -> None:
    suite = open_suite(write([case(1), case(2)])).suite
    assert suite.cases[0].messages[0] is suite.cases[1].messages[0]


def test_a_case_may_have_messages_of_its_own(write) -> None:
    turns = [
        {"role": "user", "content": "{{ as it is }}"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    suite = open_suite(write([case(1, messages=turns)])).suite
    assert [message.content for message in suite.cases[0].messages] == ["{{ as it is }}", "b", "c"]


def test_a_broken_line_7_is_the_one_problem(write) -> None:
    found = problems(write([*map(case, range(6)), '{"id": "t-7", "item": }', case(8)]))
    assert len(found) == 1
    assert found[0].startswith(
        "datasets/triage/cases.jsonl:7: expected a JSON object; found broken JSON: "
    )
    assert found[0].endswith("(column 23)")


def test_a_duplicate_id_names_both_lines(write) -> None:
    found = problems(write([case(1), case(2), case(1)]))
    assert found == [
        "datasets/triage/cases.jsonl:3: field 'id': expected every id once; 't-1' is on line 1 too"
    ]


def test_all_problems_come_at_once_in_the_order_of_the_file(write) -> None:
    found = problems(
        write(
            [
                case(1, expected={"urgency": "hgh"}),
                case(2, tags={"langage": "en"}),
                case(3, item={"tickt": "x"}),
                case(4, expectd=1),
                case(5, expected=None),
                case(6, customer=None),
            ]
        )
    )
    start = "datasets/triage/cases.jsonl:"
    assert [text.split(":")[1] for text in found] == ["1", "2", "3", "4", "5", "5", "6"]
    assert (
        found[0]
        == f"{start}1: field 'expected.urgency': case 't-1': expected one of the declared labels of grader 'urgency'; found 'hgh' (did you mean 'high'?)"
    )
    assert (
        found[1]
        == f"{start}2: field 'tags.language': expected a tag 'language'; found none (is it 'langage'?)"
    )
    assert "no 'ticket' in item" in found[2]
    assert "unknown key 'expectd' (did you mean 'expected'?)" in found[3]
    assert "expected an object; found none" in found[4]
    assert "expected what cluster_by names" in found[6]


def test_what_is_wrong_in_suite_yaml_hides_nothing_that_is_wrong_in_the_cases(write) -> None:
    labels = ["high", "low"]
    graders = [{"name": "a", "type": "exat"}, {"name": "b", "type": "label", "labels": labels}]
    prompt = [{"role": "user", "content": "{{ item.ticket"}]
    found = problems(write([case(1, expected="hig"), "{", case(1)], graders=graders, prompt=prompt))
    start = "datasets/triage/"
    assert [text.partition(": ")[0].removeprefix(start) for text in found] == [
        *("suite.yaml:5", "suite.yaml:7"),
        *("cases.jsonl:1", "cases.jsonl:2", "cases.jsonl:3"),
    ]


def test_what_no_case_can_give_is_the_prompts_mistake_and_said_once(write) -> None:
    prompt = [{"role": "user", "content": "{{ item.tickett }}"}]
    check = {"name": "says", "type": "string_check", "operation": "eq", "input": "x"}
    graders = [{**check, "reference": "{{ item.label }}"}, {"name": "e", "type": "exact"}]
    cases = [case(number, expected=None) for number in range(1, 61)]
    found = problems(write(cases, graders=graders, prompt=prompt))
    assert [text.partition(": ")[2] for text in found] == [
        "field 'prompt': of 60 cases none can fill it: '{{ item.tickett }}' has no value: no 'tickett' in item"
        " (did you mean 'ticket'?)",
        "field 'graders[0]': grader 'says': none of 60 cases will do, item.label: '{{ item.label }}' has no value: "
        "no 'label' in item (valid: ticket)",
        "field 'graders[1]': grader 'e': none of 60 cases will do, expected: expected the right answer; found none",
    ]
    assert all(text.startswith("datasets/triage/suite.yaml:") for text in found)


def test_an_empty_suite_is_refused(write) -> None:
    assert problems(write([])) == [
        "datasets/triage/cases.jsonl: expected at least one case; found none"
    ]


def test_a_missing_case_file_is_refused(write, folder) -> None:
    write([case(1)])
    (folder / "cases.jsonl").unlink()
    assert problems(folder) == [
        "datasets/triage/cases.jsonl: expected a readable file; found: no such file"
    ]


def test_a_case_schema_holds_for_the_whole_line(write, folder) -> None:
    schema = {
        "type": "object",
        "properties": {"item": {"properties": {"ticket": {"minLength": 5}}}},
    }
    (folder / "case.schema.json").write_text(json.dumps(schema))
    found = problems(write([case(1, item={"ticket": "x"})], case_schema="case.schema.json"))
    assert found == [
        "datasets/triage/cases.jsonl:1: field 'item.ticket': expected text of at least 5 characters; found \"x\""
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"graders": []}, "expected a list of at least 1 entries"),
        ({"promt": []}, "unknown key 'promt' (did you mean 'prompt'?)"),
        ({"name": "Über"}, "expected a name of at most 63 lower-case letters"),
        (
            {"graders": [{"name": "a", "type": "exat"}]},
            "unknown type 'exat' (did you mean 'exact'?)",
        ),
        (
            {"graders": [{"name": "a", "type": "exact", "ignorecase": True}]},
            "unknown key 'ignorecase' (did you mean 'ignore_case'?)",
        ),
        ({"graders": [{"name": "a", "type": "fields"}]}, "needs a key 'fields'; found none"),
        (
            {"graders": [{"name": "a", "type": "contains", "mode": "al"}]},
            "expected one of all, any, none; found 'al' (did you mean 'all'?)",
        ),
        (
            {"graders": [{"name": "a", "type": "exact"}, {"name": "a", "type": "label"}]},
            "expected every grader's name once",
        ),
        (
            {"graders": [{"name": "a", "type": "numeric", "abs_tol": "wide"}]},
            "expected `float`, got `str`",
        ),
        (
            {"prompt": [{"role": "user", "content": "{{ case.x }}"}]},
            "expected variables of item; found 'case.x'",
        ),
        ({"prompt": [{"role": "user", "content": "{{ item.x"}]}, "expected '}}' after '{{'"),
        ({"case_schema": "none.json"}, "no such file"),
        ({"training": "none.jsonl"}, "expected a file; found no datasets/triage/none.jsonl"),
        ({"version": 2}, "expected 1; found 2"),
    ],
)
def test_a_mistake_in_suite_yaml_is_said(write, change: dict, said: str) -> None:
    assert any(
        (said in text and "suite.yaml" in text) or "none.json" in text
        for text in problems(write([case(1)], **change))
    )
    assert any(said in text for text in problems(write([case(1)], **change)))


def test_an_unknown_folder_names_the_nearest(write) -> None:
    write([case(1)])
    assert problems(Path("datasets/triag")) == [
        "datasets/triag: expected a suite's folder; found none (did you mean 'triage'?)"
    ]


def test_two_graders_may_not_yield_the_same_name(write) -> None:
    graders = [
        {"name": "a", "type": "label", "field": "urgency"},
        {"name": "a.b", "type": "exact"},
        {"name": "exact_match", "type": "fields", "fields": ["urgency"]},
    ]
    assert "expected a name of at most 64 letters" in problems(write([case(1)], graders=graders))[0]


def test_the_fingerprint_stays_when_lines_move_and_changes_with_anything_that_counts(write) -> None:
    first = open_suite(write([case(1), case(2)])).fingerprint
    assert open_suite(write([case(2), case(1)])).fingerprint == first
    assert open_suite(write([case(1), case(2)], description="new words")).fingerprint == first
    assert open_suite(write([case(1, note="a remark"), case(2)])).fingerprint == first
    changed = [
        write([case(1), case(2, expected={"urgency": "low"})]),
    ]
    seen = {first} | {open_suite(folder).fingerprint for folder in changed}
    seen.add(
        open_suite(
            write([case(1), case(2)], prompt=[{"role": "user", "content": "{{ item.ticket }}?"}])
        ).fingerprint
    )
    graders = [{**SUITE["graders"][0], "normalise": True}, SUITE["graders"][1]]
    seen.add(open_suite(write([case(1), case(2)], graders=graders)).fingerprint)
    seen.add(
        open_suite(write([case(1), case(2)], response_format={"type": "json_object"})).fingerprint
    )
    assert len(seen) == 5


def test_a_response_format_may_name_a_schema_file(write, folder) -> None:
    (folder / "answer.json").write_text('{"type": "object"}')
    suite = open_suite(write([case(1)], response_format="answer.json")).suite
    assert suite.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "triage", "strict": True, "schema": {"type": "object"}},
    }


@pytest.mark.slow
def test_the_shipped_suites_open() -> None:
    root = Path(__file__).parents[3] / "datasets"
    for folder in sorted(path for path in root.iterdir() if (path / "suite.yaml").is_file()):
        assert open_suite(folder).suite.cases
