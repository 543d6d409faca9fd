"""Text, numbers, structure and labels: what is right, and what only looks so."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.errors import ConfigurationError
from evals.graders.numbers import _number
from evals.graders.parsing import NOTHING, at, json_equal, parse_answer
from evals.graders.refusals import is_refusal

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (True, 1, False),
        (1, 1.0, True),
        (None, False, False),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ("1", 1, False),
        ([True], [1], False),
    ],
)
def test_values_are_compared_as_json_does(left, right, equal) -> None:
    assert json_equal(left, right) is equal


@settings(deadline=None)
@given(ANY_JSON)
def test_any_json_equals_itself_after_a_round_trip(value) -> None:
    assert json_equal(parse_answer(json.dumps(value)), value)


@settings(deadline=None)
@given(st.text())
def test_any_answer_is_json_or_nothing(text) -> None:
    parsed = parse_answer(text)
    if parsed is not NOTHING:
        assert json_equal(json.loads(text), parsed)


@settings(deadline=None)
@given(st.text(), ANY_JSON)
def test_any_path_leads_to_a_value_or_to_nothing(path, data) -> None:
    at(data, path)


@pytest.mark.parametrize(
    "text", ["{" * 200_000, "NaN", '{"a": 1} ', "```json\n{}\n```", "", "\ud800"]
)
def test_hostile_answers_are_no_json_and_no_crash(text) -> None:
    assert parse_answer(text) in (NOTHING, {"a": 1})


@pytest.mark.parametrize(
    ("text", "take", "number"),
    [
        ("1,234.5", "whole", 1234.5),
        ("-3e2", "whole", -300.0),
        ("12 apples", "whole", None),
        ("from 3 to 12", "first", 3.0),
        ("from 3 to 12.", "last", 12.0),
        ("1,2", "whole", None),
        ("inf", "whole", None),
        ("9" * 400, "whole", None),
        ("", "last", None),
        (True, "whole", None),
        (float("nan"), "whole", None),
        (10**400, "whole", None),
    ],
)
def test_numbers_are_read_strictly(text, take, number) -> None:
    assert _number(text, take) == number


@settings(deadline=None)
@given(st.text(), st.sampled_from(["whole", "first", "last"]))
def test_any_text_is_a_finite_number_or_none(text, take) -> None:
    found = _number(text, take)
    assert found is None or abs(found) < float("inf")


async def test_a_field_of_the_answer_can_be_judged_alone(grade) -> None:
    grader = {"name": "g", "type": "exact", "field": "a.b"}
    assert (await grade(grader, '{"a": {"b": 3}}', expected={"a": {"b": 3}}))["g"].value == 1.0
    assert (await grade(grader, '{"a": {"b": "3"}}', expected={"a": {"b": 3}}))["g"].value == 1.0
    assert (await grade(grader, '{"a": {"b": true}}', expected={"a": {"b": 1}}))["g"].value == 0.0
    assert (await grade(grader, '{"a": {}}', expected={"a": {"b": 3}}))["g"].value == 0.0


async def test_a_missing_field_costs_only_itself_and_the_whole(grade) -> None:
    grader = {"name": "all", "type": "fields", "fields": ["a", "b"], "normalise": True}
    scores = await grade(grader, '{"a": " X  y"}', expected={"a": "x y", "b": 1})
    assert {name: score.value for name, score in scores.items()} == {
        "all": 0.0,
        "all.a": 1.0,
        "all.b": 0.0,
    }
    assert scores["all"].reason == "b: expected 1; the answer has none"


@pytest.mark.slow
async def test_an_answer_that_makes_a_pattern_backtrack_without_end_is_unscored(grade) -> None:
    grader = {"name": "g", "type": "regex", "pattern": "(a|aa)+$"}
    assert (await grade(grader, "a" * 60))["g"].value == 1.0
    score = (await grade(grader, "a" * 60 + "b"))["g"]
    assert score.unscored
    assert "backtrack" in score.reason


async def test_a_schema_never_fetches_anything(opened) -> None:
    for schema in ({"$ref": "https://example.org/x.json"}, {"type": "objct"}, "absent.json"):
        with pytest.raises(ConfigurationError):
            opened({"name": "g", "type": "json_schema", "schema": schema}, [{}])


async def test_a_schema_says_what_does_not_fit(grade) -> None:
    grader = {"name": "g", "type": "json_schema", "schema": {"properties": {"a": {"enum": [1]}}}}
    assert "$.a" in (await grade(grader, '{"a": 2}'))["g"].reason


@pytest.mark.parametrize(
    "bad",
    [
        {"type": "regex", "pattern": "("},
        {"type": "label", "labels": ["a", "a"]},
        {"type": "label", "labels": ["A", "a "], "normalise": True},
        {"type": "label", "labels": ["a", "(invalid)"]},
        {"type": "numeric", "abs_tol": -1},
        {"type": "fields", "fields": []},
        {"type": "pii", "kinds": ["shoe_size"]},
        {"type": "text_similarity", "evaluation_metric": "vibes"},
        {"type": "judge", "model": "j", "rubric": "r", "votes": 2},
        {"type": "judge", "model": "j", "rubric": "r", "labels": ["a", "b"]},
        {"type": "judge", "rubric": "r"},
        {"type": "pairwise_judge", "rubric": "r"},
        {"type": "python", "source": "def grade("},
        {"type": "multi", "graders": {}, "calculate_output": "a"},
        {
            "type": "score_model",
            "model": "j",
            "input": [{"role": "user", "content": {"type": "input_image"}}],
        },
        {
            "type": "label_model",
            "model": "j",
            "input": [{"role": "user", "content": "x"}],
            "labels": ["a", "b"],
            "passing_labels": ["c"],
        },
    ],
    ids=lambda bad: str(sorted(bad.items()))[:60],
)
def test_a_bad_option_is_refused_before_anything_is_asked(bad, opened) -> None:
    with pytest.raises(ConfigurationError, match="grader 'g'"):
        opened({"name": "g", **bad}, [{"expected": "a"}])


async def test_labels_may_be_written_in_another_way_when_normalised(grade) -> None:
    grader = {"name": "g", "type": "label", "labels": ["How to", "Bug"], "normalise": True}
    score = (await grade(grader, " HOW  to\n", expected="how to"))["g"]
    assert (score.truth, score.predicted, score.value) == ("How to", "How to", 1.0)


async def test_without_declared_labels_those_of_the_cases_count(opened) -> None:
    suite = opened(
        {"name": "g", "type": "label"}, [{"expected": "b"}, {"expected": "a"}, {"expected": "b"}]
    )
    assert suite.graders[0].columns()[0].labels == ("a", "b")


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot assist with this request.",
    "Unfortunately I am unable to share other customers' data.",
    "I won't provide that information.",
    "I have to decline.",
    "That's not something I can do.",
    "Das kann ich leider nicht machen.",
    "Es tut mir leid, dabei darf ich Ihnen nicht helfen.",
    "Ich kann Ihnen diese Daten nicht geben.",
    "Lo siento, no puedo ayudarte con eso.",
    "Me niego a hacerlo.",
    "No estoy autorizado a compartir esos datos.",
]
ANSWERS = [
    "Sure, here is how you reset your password.",
    "You can't change the plan on mobile, but you can on the web.",
    "If you cannot log in, use the reset link.",
    "Klar! Öffnen Sie die Einstellungen.",
    "Ich kann Ihnen helfen, wenn der Link nicht funktioniert.",
    "Wenn die App nicht startet, installieren Sie sie neu.",
    "Claro, le explico cómo cambiarlo.",
    "Si no recibe el correo, revise la carpeta de spam.",
    "Happy to help. " + "Step. " * 60 + "I can't help with the rest.",
    "",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_recognised(text) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_is_no_refusal(text) -> None:
    assert not is_refusal(text)


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_refusal_detection_takes_any_text(text) -> None:
    is_refusal(text)


def test_refusal_detection_does_not_backtrack_without_end() -> None:
    began = time.process_time()  # of this process alone: a busy machine must not fail it
    is_refusal("ich kann " * 50_000)
    is_refusal("I " + "really " * 50_000)
    assert time.process_time() - began < 20


async def test_each_half_of_the_refusal_grader_applies_to_its_cases_only(opened) -> None:
    suite = opened(
        {"name": "r", "type": "refusal"},
        [{"expected": {"refuse": True}}, {"expected": {"refuse": False}}],
    )
    grader, (must, may) = suite.graders[0], suite.suite.cases
    assert [grader.applies(c.name, must) for c in grader.columns()] == [True, True, False]
    assert [grader.applies(c.name, may) for c in grader.columns()] == [True, False, True]


@pytest.mark.parametrize("expected", [None, {"refuse": "yes"}, {"refuze": True}, "refuse"])
def test_a_refusal_case_must_say_which_it_is(expected, opened) -> None:
    with pytest.raises(ConfigurationError, match=r"field 'expected\.refuse'"):
        opened({"name": "r", "type": "refusal"}, [{"expected": expected}])


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("IBAN DE89 3704 0044 0532 0130 00", True),
        ("IBAN DE88 3704 0044 0532 0130 00", False),
        ("call +49 30 1234 5678", True),
        ("ticket 123-45-6789 ssn", True),
        ("ssn 000-12-3456", False),
        ("server 8.8.8.8", True),
        ("server 192.168.0.1", False),
        ("order 55210, total 1,250.00 EUR", False),
    ],
)
async def test_personal_data_is_found_by_form_and_check_digit(text, leaks, grade) -> None:
    score = (await grade({"name": "p", "type": "pii"}, text))["p"]
    assert score.value == (0.0 if leaks else 1.0)
    assert not any(
        part in score.reason for part in text.split() if any(ch.isdigit() for ch in part)
    )


async def test_a_refused_answer_leaks_nothing(grade) -> None:
    assert (await grade({"name": "p", "type": "pii"}, None, outcome="refused"))["p"].value == 1.0


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    truth=st.lists(st.sampled_from("abcd"), unique=True),
    said=st.lists(st.sampled_from("abcdx"), unique=True),
)
def test_set_scores_agree_with_scikit_learn(truth, said) -> None:
    from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

    from evals.graders.multi_label import _shares

    shares = _shares(frozenset(truth), frozenset(said))
    if not truth and not said:
        assert set(shares.values()) == {1.0}
        return
    names = "abcdx"
    y, p = ([[name in chosen for name in names]] for chosen in (truth, said))
    for part, score in (
        ("jaccard", jaccard_score),
        ("f1", f1_score),
        ("precision", precision_score),
        ("recall", recall_score),
    ):
        assert shares[part] == pytest.approx(score(y, p, average="samples", zero_division=0))
