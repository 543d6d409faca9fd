"""Graders of text: exact, contains, regex. What is expected stands in the case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import regex

from evals.config.schema_errors import shown
from evals.graders.base import CaseProblem, GraderBase, ParameterError, Parameters
from evals.graders.parsing import NOTHING, at, fault, json_equal, parse_answer, same_text
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
        wanted = self.wanted(case)
        place = f"expected.{self.options.expected}" if self.options.expected else "expected"
        if wanted is NOTHING or wanted in (None, "", []):
            yield CaseProblem(field=place, message="expected the right answer; found none")
        else:
            complaint = self.complaint_of_expected(wanted)
            if complaint:
                yield CaseProblem(field=place, message=complaint)

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        reason = fault(response)
        if reason is None:
            said = self.said(response)
            reason = (
                f"the answer has no field '{self.options.field}'"
                if said is NOTHING
                else self.complaint(said, self.wanted(case))
            )
        return (self.value(response, reason is None, reason or ""),)

    def said(self, response: Response) -> Any:
        """Return what is judged: the text, or the field of the answer's JSON."""
        if self.options.field is None:
            return response.text or ""
        return at(parse_answer(response.text), self.options.field)

    def wanted(self, case: Case) -> Any:
        """Return what the case expects, or NOTHING."""
        if self.options.expected is not None:
            return at(case.expected, self.options.expected)
        if self.options.field is not None and isinstance(case.expected, dict):
            return at(case.expected, self.options.field)
        return NOTHING if case.expected is None else case.expected

    def complaint_of_expected(self, wanted: Any) -> str | None:
        """Return what is wrong with an expected value, None when nothing is."""
        return None

    def complaint(self, said: Any, wanted: Any) -> str | None:
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

    def complaint(self, said: Any, wanted: Any) -> str | None:
        accepted = wanted if isinstance(wanted, list) else [wanted]
        if any(self._alike(said, item) for item in accepted):
            return None
        return f"expected {shown(wanted)}; found {shown(said)}"

    def _alike(self, said: Any, wanted: Any) -> bool:
        if not isinstance(said, str):
            return json_equal(said, wanted)
        return self._form(said) == self._form(same_text(wanted))

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

    def wanted(self, case: Case) -> Any:
        own = self.options.text
        return own if own is not None else TextGrader.wanted(self, case)

    def complaint_of_expected(self, wanted: Any) -> str | None:
        texts = wanted if isinstance(wanted, list) else [wanted]
        if all(isinstance(text, str) and text for text in texts):
            return None
        return f"expected text or a list of texts; found {shown(wanted)}"

    def complaint(self, said: Any, wanted: Any) -> str | None:
        text = self._form(same_text(said))
        texts = wanted if isinstance(wanted, list) else [wanted]
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


PATIENCE_S = 1.0


class RegexOptions(TextOptions, frozen=True, kw_only=True):
    """`pattern`: instead of the case's `expected`. `match`: somewhere in the answer, or the full answer."""

    pattern: str | None = None
    match: Literal["search", "full"] = "search"
    ignore_case: bool = False


@dataclass(slots=True)
class RegexGrader(TextGrader):
    """1 when the answer matches a regular expression, as Python's `re` has them; unscored when matching takes `PATIENCE_S`.

    By the `regex` library, which can be told to stop: what a model says must not hold up a run.
    """

    Options = RegexOptions
    _flags: int = field(init=False)

    def __post_init__(self) -> None:
        self._flags = regex.VERSION0 | (regex.IGNORECASE if self.options.ignore_case else 0)
        if self.options.pattern is not None:
            complaint = self.complaint_of_expected(self.options.pattern)
            if complaint:
                raise ParameterError(complaint, "pattern")

    def wanted(self, case: Case) -> Any:
        own = self.options.pattern
        return own if own is not None else TextGrader.wanted(self, case)

    def complaint_of_expected(self, wanted: Any) -> str | None:
        try:
            regex.compile(wanted, self._flags)
        except (regex.error, TypeError, OverflowError, RecursionError) as error:
            return f"expected a regular expression; found {shown(wanted)}: {error}"
        return None

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        try:
            return TextGrader.grade(self, case, response)
        except TimeoutError:
            why = f"matching {self.wanted(case)} took longer than {PATIENCE_S:g} s: write it so that it can't backtrack"
            return self.unscored(case, response, why)

    def complaint(self, said: Any, wanted: Any) -> str | None:
        pattern = regex.compile(wanted, self._flags)
        text = same_text(said)
        full = self.options.match == "full"
        match = pattern.fullmatch if full else pattern.search
        return None if match(text, timeout=PATIENCE_S) else f"doesn't match {wanted}"
