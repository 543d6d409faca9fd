"""What people write is read with the line of every field, and what is wrong is said in one go."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.config.documents import (
    MOST_PROBLEMS,
    iter_jsonl,
    load_json,
    load_yaml,
    parse_json,
    parse_yaml,
    raise_problems,
    validate,
)
from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError, Problem

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def yaml_of(text: str):
    return parse_yaml(text, Path("gate.yaml"))


def test_every_field_knows_its_line() -> None:
    authored = yaml_of(
        "name: a\nchecks:\n  - metric: m\n    slices:\n      - where: {plan: free}\n"
    )
    assert authored.line("name") == 1
    assert authored.line("checks[0].slices[0].where") == 5
    assert authored.line("checks[0].slices[0].where.plan") == 5


def test_a_field_that_is_missing_has_the_line_of_what_encloses_it() -> None:
    authored = yaml_of("name: a\nchecks:\n  - metric: m\n")
    assert authored.line("checks[0].at_least") == 3
    assert authored.line("nothing.like.it") == 1


def test_yaml_is_read_by_version_1_2() -> None:
    data = yaml_of(
        "a: no\nb: 2026-01-01\nc: 1:30\nd: 1e3\ne: true\nf: .nan\ng: ~\nh: 0x10\ni: .5\n"
    ).data
    assert data == {
        "a": "no",
        "b": "2026-01-01",
        "c": "1:30",
        "d": 1000.0,
        "e": True,
        "f": ".nan",
        "g": None,
        "h": 16,
        "i": 0.5,
    }


def test_a_key_given_twice_names_both_lines() -> None:
    with pytest.raises(
        ConfigurationError, match=r"gate.yaml:3: field 'name': .*'name' is on line 1 too"
    ):
        yaml_of("name: a\nchecks: []\nname: b\n")


def test_aliases_and_merges_work_and_endless_ones_are_refused() -> None:
    assert yaml_of("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\n").data["more"] == {"x": 1, "y": 3}
    with pytest.raises(ConfigurationError, match="unfolds without end"):
        yaml_of("a: &a [*a]\n")
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(ConfigurationError, match="unfolds without end"):
        yaml_of(bomb)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "gate.yaml:1: expected YAML; found: "),
        ("- a\n- b\n", "expected a mapping of keys"),
        ("", "expected a mapping of keys"),
        ("a: !!python/object/apply:os.system [ls]\n", "expected"),
        ("a: !secret x\n", "expected plain data; found the tag !secret"),
    ],
)
def test_what_is_no_plain_yaml_mapping_is_refused(text: str, message: str) -> None:
    if "python/object" in text:
        assert yaml_of(text).data == {"a": ["ls"]}  # data, and nothing is run
        return
    with pytest.raises(ConfigurationError) as caught:
        yaml_of(text)
    assert message in str(caught.value)


def test_a_missing_file_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    for read in (load_yaml, load_json, lambda path: list(iter_jsonl(path))):
        with pytest.raises(ConfigurationError, match="no such file"):
            read(tmp_path / "absent.yaml")


def test_unknown_keys_name_the_nearest_and_all_errors_come_at_once() -> None:
    authored = yaml_of(
        "version: 1\nname: x\nfirst_release: refuse\nchecks:\n  - metrc: a\n    at_leest: 1\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        validate(authored, "gate")
    text = str(caught.value)
    assert (
        "gate.yaml:5: field 'checks[0].metrc': unknown key 'metrc' (did you mean 'metric'?)" in text
    )
    assert (
        "gate.yaml:6: field 'checks[0].at_leest': unknown key 'at_leest' (did you mean 'at_least'?)"
        in text
    )
    assert "expected a key 'metric'; found none (is it 'metrc'?)" in text


def test_alternatives_are_told_in_words() -> None:
    schema = {
        "properties": {
            "a": {"oneOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9]+%$"}]}
        }
    }
    with pytest.raises(
        ConfigurationError, match=r"expected text that matches \^\[0-9\]\+%\$; found \"ten\""
    ):
        validate(yaml_of("a: ten\n"), schema)
    with pytest.raises(ConfigurationError, match=r"expected a number or text; found \[\]"):
        validate(yaml_of("a: []\n"), schema)


def test_a_broken_line_7_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("{}\n" * 6 + '{"id": "x",, }\n' + "{}\n")
    problems: list[Problem] = []
    assert [line for line, _ in iter_jsonl(path, problems)] == [1, 2, 3, 4, 5, 6, 8]
    assert len(problems) == 1
    assert str(problems[0]).startswith(f"{path}:7: expected a JSON object; found broken JSON: ")
    assert str(problems[0]).endswith("(column 12)")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("[1]", "a list"),
        ("null", "null"),
        ("3", "a number"),
        ('"x"', "text"),
        ('{"a": NaN}', "NaN, which is no JSON"),
        ('{"a": 1e999}', ""),
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ('{"a": "\\ud800"}', ""),
        ("{" * 100_000, ""),
    ],
)
def test_a_line_that_is_no_plain_object_is_refused(tmp_path: Path, line: str, found: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ConfigurationError) as caught:
        list(iter_jsonl(path))
    assert f"{path}:1: expected a JSON object; found {found}" in str(caught.value)


def test_bytes_that_are_no_text_are_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b'{"a": "\xff\xfe"}\n')
    with pytest.raises(ConfigurationError, match="no UTF-8"):
        list(iter_jsonl(path))


def test_more_than_fifty_problems_are_counted() -> None:
    problems = [Problem(where="f", line=line, message="x") for line in range(80, 0, -1)]
    with pytest.raises(ConfigurationError) as caught:
        raise_problems(problems)
    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert caught.value.problems[0].line == 1
    assert str(caught.value.problems[-1]) == "f: … and 30 more problems"


@settings(deadline=None)
@given(JSON)
def test_any_json_is_read_back(value: object) -> None:
    import json

    assert parse_json(json.dumps(value)) == value


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_json_or_a_value_error(text: str) -> None:
    try:
        parse_json(text)
    except ValueError:
        return


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_yaml_or_a_configuration_error(text: str) -> None:
    try:
        yaml_of(text)
    except ConfigurationError:
        return


@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), JSON, min_size=1, max_size=4))
def test_what_is_dumped_is_read_back_the_same(data: dict) -> None:
    # Control characters other than tab and line feed aren't YAML; texts with them are quoted by escapes.
    assert yaml_of(dump_yaml(data)).data == data
