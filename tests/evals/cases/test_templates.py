"""Templates are filled in one pass, and nothing missing is passed over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.cases.templates import TemplateError, render, render_tree, variables

ITEM = {
    "item": {
        "name": "Ada",
        "tags": ["a", {"b": "c"}],
        "n": 1.5,
        "yes": True,
        "none": None,
        "odd key": "x",
    }
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {{ item.name }}!", "Hi Ada!"),
        ("{{item.name}}{{item.name}}", "AdaAda"),
        ("{{ item.tags[0] }} {{ item.tags[1].b }}", "a c"),
        ("{{ item.n }} {{ item.yes }} {{ item.none }}", "1.5 true null"),
        ("{{ item.tags }}", '["a",{"b":"c"}]'),
        ('{{ item["odd key"] }}', "x"),
        ("{ not one } }}", "{ not one } }}"),
        ("", ""),
    ],
)
def test_a_template_is_filled(template: str, text: str) -> None:
    assert render(template, ITEM) == text


@pytest.mark.parametrize(
    "name", ["item.nam", "item.tags[7]", "item.name.x", "sample.output_text", "item.n[0]"]
)
def test_a_variable_without_a_value_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(f"a {{{{ {name} }}}}", ITEM)
    assert caught.value.variable == name
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ }}",
        "{{ item..x }}",
        "{{ item.x | upper }}",
        "{{ 1 + 1 }}",
        "{{ item.x",
        "{{ .x }}",
        "{{ item[x] }}",
    ],
)
def test_what_is_no_path_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        render(template, ITEM)


@settings(deadline=None)
@given(st.text())
def test_data_that_holds_braces_stays_data(text: str) -> None:
    hostile = text + "{{ item.name }}"
    assert render("<{{ item.x }}>", {"item": {"x": hostile}}) == f"<{hostile}>"


@settings(deadline=None)
@given(st.text())
def test_any_text_is_filled_or_refused(text: str) -> None:
    try:
        assert isinstance(render(text, ITEM), str)
    except TemplateError:
        return


def test_variables_are_listed_once() -> None:
    assert variables("{{ item.a }} {{item.b[0]}} {{ item.a }}") == ("item.a", "item.b[0]")


def test_texts_inside_lists_and_objects_are_filled() -> None:
    assert render_tree([{"text": "{{ item.name }}", "n": 1}], ITEM) == [{"text": "Ada", "n": 1}]
