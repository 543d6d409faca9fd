"""Graders of text: exact, contains, regex. What is expected stands in the case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import regex

from evals.config.schema_errors import shown
from evals.graders.base import CaseProblem, GraderBase, ParameterError, Parameters
from evals.graders.parsing import (
    NOTHING,
    answer_with,
    at,
    fault,
    json_equal,
    parse_answer,
    same_text,
)
from evals.records import Case, Response, Score

__all__ = ["ContainsGrader", "ExactGrader", "RegexGrader", "TextGrader", "TextOptions"]


class TextOptions(Parameters, frozen=True, kw_only=True):
    """`field`: judge this field of the answer's JSON instead of the whole text.

    `expected`: path below the case's `expected`; by default `field` if it is there, else all of it.
    """

    field: str | None = None
    expected: str | None = None


@dataclass(slots=True)
class TextGrader(GraderBase):
    """What these graders share: where the answer and the expected value come from, and the model's own faults."""

    Options = TextOptions

    def check(self, case: Case) -> Iterator[CaseProblem]:
        expected = self.expected(case)
        place = f"expected.{self.options.expected}" if self.options.expected else "expected"
        if expected is NOTHING or expected in (None, "", []):
            yield CaseProblem(field=place, message="expected the right answer; found none")
        else:
            problem = self.problem_with_expected(expected)
            if problem:
                yield CaseProblem(field=place, message=problem)

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        reason = fault(response)
        if reason is None:
            answer = self.answer(response)
            reason = (
                f"the answer has no field '{self.options.field}'"
                if answer is NOTHING
                else self.mismatch(answer, self.expected(case))
            )
        return (self.value(response, reason is None, reason or ""),)

    def reference(self, case: Case) -> str | None:
        """Return the expected value as an answer, the first of several."""
        expected = self.expected(case)
        if isinstance(expected, list):
            expected = expected[0] if expected else NOTHING
        return None if expected is NOTHING else answer_with(expected, self.options.field)

    def answer(self, response: Response) -> Any:
        """Return what is judged: the text, or the field of the answer's JSON."""
        if self.options.field is None:
            return response.text or ""
        return at(parse_answer(response.text), self.options.field)

    def expected(self, case: Case) -> Any:
        """Return what the case expects, or NOTHING."""
        if self.options.expected is not None:
            return at(case.expected, self.options.expected)
        if self.options.field is not None and isinstance(case.expected, dict):
            return at(case.expected, self.options.field)
        return NOTHING if case.expected is None else case.expected

    def problem_with_expected(self, expected: Any) -> str | None:
        """Return what is wrong with an expected value, None when nothing is."""
        return None

    def mismatch(self, answer: Any, expected: Any) -> str | None:
        """Return why the answer is wrong, None when it is right."""
        raise NotImplementedError


class ExactOptions(TextOptions, frozen=True, kw_only=True):
    """`strip` ignores surrounding space, `ignore_case` case. An expected list holds several right answers."""

    strip: bool = True
    ignore_case: bool = False


@dataclass(slots=True)
class ExactGrader(TextGrader):
    """1 when the answer is the expected one, or one of a list of expected ones."""

    Options = ExactOptions

    def mismatch(self, answer: Any, expected: Any) -> str | None:
        accepted = expected if isinstance(expected, list) else [expected]
        if any(self._alike(answer, item) for item in accepted):
            return None
        return f"expected {shown(expected)}; found {shown(answer)}"

    def _alike(self, answer: Any, expected: Any) -> bool:
        if not isinstance(answer, str):
            return json_equal(answer, expected)
        return self._form(answer) == self._form(same_text(expected))

    def _form(self, text: str) -> str:
        text = text.strip() if self.options.strip else text
        return text.casefold() if self.options.ignore_case else text


class ContainsOptions(TextOptions, frozen=True, kw_only=True):
    """`text`: what to look for instead of the case's `expected`. `mode`: all of a list, any of it, or none of it."""

    text: str | list[str] | None = None
    ignore_case: bool = False
    mode: Literal["all", "any", "none"] = "all"


@dataclass(slots=True)
class ContainsGrader(TextGrader):
    """1 when the answer contains the expected text, or all (any, none) of a list of texts."""

    Options = ContainsOptions

    def reference(self, case: Case) -> str | None:
        expected = self.expected(case)
        if self.options.mode == "none" or expected is NOTHING:
            return None
        whole = " ".join(expected) if isinstance(expected, list) else expected
        return answer_with(whole, self.options.field)

    def expected(self, case: Case) -> Any:
        own = self.options.text
        return own if own is not None else TextGrader.expected(self, case)

    def problem_with_expected(self, expected: Any) -> str | None:
        texts = expected if isinstance(expected, list) else [expected]
        if all(isinstance(text, str) and text for text in texts):
            return None
        return f"expected text or a list of texts; found {shown(expected)}"

    def mismatch(self, answer: Any, expected: Any) -> str | None:
        text = self._form(same_text(answer))
        texts = expected if isinstance(expected, list) else [expected]
        inside = [item for item in texts if self._form(item) in text]
        outside = [item for item in texts if item not in inside]
        if self.options.mode == "all" and outside:
            return f"doesn't contain {shown(outside)}"
        if self.options.mode == "any" and not inside:
            return f"contains none of {shown(texts)}"
        if self.options.mode == "none" and inside:
            return f"contains {shown(inside)}"
        return None

    def _form(self, text: str) -> str:
        return text.casefold() if self.options.ignore_case else text


MATCH_TIMEOUT_S = 1.0


class RegexOptions(TextOptions, frozen=True, kw_only=True):
    """`pattern`: instead of the case's `expected`. `match`: somewhere in the answer, or the full answer."""

    pattern: str | None = None
    match: Literal["search", "full"] = "search"
    ignore_case: bool = False


@dataclass(slots=True)
class RegexGrader(TextGrader):
    """1 when the answer matches a regular expression, as Python's `re` has them; unscored when matching takes `MATCH_TIMEOUT_S`.

    By the `regex` library, which can be told to stop: what a model says must not hold up a run.
    """

    Options = RegexOptions
    _flags: int = field(init=False)

    def __post_init__(self) -> None:
        self._flags = regex.VERSION0 | (regex.IGNORECASE if self.options.ignore_case else 0)
        if self.options.pattern is not None:
            problem = self.problem_with_expected(self.options.pattern)
            if problem:
                raise ParameterError(problem, "pattern")

    def reference(self, case: Case) -> str | None:
        return None  # a pattern does not tell what matches it

    def expected(self, case: Case) -> Any:
        own = self.options.pattern
        return own if own is not None else TextGrader.expected(self, case)

    def problem_with_expected(self, expected: Any) -> str | None:
        try:
            regex.compile(expected, self._flags)
        except (regex.error, TypeError, OverflowError, RecursionError) as error:
            return f"expected a regular expression; found {shown(expected)}: {error}"
        return None

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        try:
            return TextGrader.grade(self, case, response)
        except TimeoutError:
            why = f"matching {self.expected(case)} took longer than {MATCH_TIMEOUT_S:g} s: write it so that it can't backtrack"
            return self.unscored(case, response, why)

    def mismatch(self, answer: Any, expected: Any) -> str | None:
        pattern = regex.compile(expected, self._flags)
        text = same_text(answer)
        full = self.options.match == "full"
        match = pattern.fullmatch if full else pattern.search
        return None if match(text, timeout=MATCH_TIMEOUT_S) else f"doesn't match {expected}"
