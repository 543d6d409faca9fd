"""The formulas of OpenAI's `multi` grader: + - * / ^, parentheses, numbers, names and eight functions.

A recursive-descent parser of our own, because `eval` on an imported file would run whatever stands in it. Unary minus
binds looser than ^, and ^ is right-associative: -2^2 is -4, 2^3^2 is 512.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Formula", "FormulaError", "parse"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[-+*/^(),]))"
)
_DEEPEST = 100

_FUNCTIONS: dict[str, tuple[int, int | None, Callable[..., float]]] = {
    "min": (1, None, min),
    "max": (1, None, max),
    "abs": (1, 1, abs),
    "floor": (1, 1, math.floor),
    "ceil": (1, 1, math.ceil),
    "exp": (1, 1, math.exp),
    "sqrt": (1, 1, math.sqrt),
    "log": (1, 1, math.log),
}

Evaluation = Callable[[Mapping[str, float]], float]


class FormulaError(ValueError):
    """A formula can't be read, or has no finite value for these numbers."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula. `names` are its variables, in order of appearance."""

    text: str
    names: tuple[str, ...]
    _evaluate: Evaluation

    def value(self, values: Mapping[str, float]) -> float:
        """Return the finite value. Raises FormulaError for a missing name, a division by 0, an overflow."""
        try:
            result = self._evaluate(values)
        except KeyError as error:
            raise FormulaError(f"'{self.text}' has no value for {error}") from None
        except (ArithmeticError, ValueError, TypeError) as error:
            raise FormulaError(f"'{self.text}' can't be computed: {error}") from None
        if isinstance(result, complex) or not math.isfinite(result):
            raise FormulaError(f"'{self.text}' has no finite value")
        return float(result)


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


def parse(text: str) -> Formula:
    """Read a formula. Raises FormulaError naming the column of what is wrong."""
    parser = _Parser(text)
    evaluate = parser.sum()
    if parser.now.kind != "end":
        parser.fail("the end")
    return Formula(text, tuple(dict.fromkeys(parser.names)), evaluate)


class _Parser:
    def __init__(self, text: str) -> None:
        self.names: list[str] = []
        self._text = text
        self._tokens = self._read(text)
        self._position = 0
        self._depth = 0

    @property
    def now(self) -> _Token:
        return self._tokens[self._position]

    def fail(self, wanted: str) -> None:
        found = self.now.text or "the end"
        raise FormulaError(f"expected {wanted} in column {self.now.place + 1}; found {found}")

    def sum(self) -> Evaluation:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FormulaError("the formula is nested too deeply")
        left = self._product()
        while self.now.text in ("+", "-"):
            left = _binary(self._take(), left, self._product())
        self._depth -= 1
        return left

    def _product(self) -> Evaluation:
        left = self._signed()
        while self.now.text in ("*", "/"):
            left = _binary(self._take(), left, self._signed())
        return left

    def _signed(self) -> Evaluation:
        negative = False
        while self.now.text in ("+", "-"):
            negative ^= self._take() == "-"
        inner = self._power()
        return (lambda values: -inner(values)) if negative else inner

    def _power(self) -> Evaluation:
        base = self._atom()
        if self.now.text != "^":
            return base
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FormulaError("the formula is nested too deeply")
        self._take()
        exponent = self._signed()
        self._depth -= 1
        return _binary("^", base, exponent)

    def _atom(self) -> Evaluation:
        token = self.now
        if token.kind == "number":
            number = float(self._take())
            return lambda _: number
        if token.kind == "name":
            name = self._take()
            if self.now.text == "(":
                return self._call(name)
            self.names.append(name)
            return lambda values: values[name]
        if token.text == "(":
            self._take()
            inner = self.sum()
            self._expect(")")
            return inner
        self.fail("a number, a name or '('")
        raise AssertionError

    def _call(self, name: str) -> Evaluation:
        if name not in _FUNCTIONS:
            known = ", ".join(sorted(_FUNCTIONS))
            raise FormulaError(f"unknown function '{name}' (valid: {known})")
        least, most, function = _FUNCTIONS[name]
        self._take()
        arguments = [self.sum()]
        while self.now.text == ",":
            self._take()
            arguments.append(self.sum())
        self._expect(")")
        if len(arguments) < least or (most is not None and len(arguments) > most):
            raise FormulaError(f"{name} takes {least} value; found {len(arguments)}")
        return lambda values: function(*(argument(values) for argument in arguments))

    def _take(self) -> str:
        text = self.now.text
        self._position += 1
        return text

    def _expect(self, sign: str) -> None:
        if self.now.text != sign:
            self.fail(f"'{sign}'")
        self._take()

    @staticmethod
    def _read(text: str) -> list[_Token]:
        tokens, position = [], 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                place = position + len(text[position:]) - len(text[position:].lstrip())
                raise FormulaError(f"unexpected {text[place]!r} in column {place + 1}")
            kind = match.lastgroup or ""
            tokens.append(_Token(kind, match[kind], match.start(kind)))
            position = match.end()
        return [*tokens, _Token("end", "", len(text))]


def _binary(sign: str, left: Evaluation, right: Evaluation) -> Evaluation:
    operations: dict[str, Evaluation] = {
        "+": lambda values: left(values) + right(values),
        "-": lambda values: left(values) - right(values),
        "*": lambda values: left(values) * right(values),
        "/": lambda values: left(values) / right(values),
        "^": lambda values: _raised(left(values), right(values)),
    }
    return operations[sign]


def _raised(base: float, exponent: float) -> float:
    # Floats only: a power of whole numbers could fill the memory.
    return math.pow(base, exponent)
