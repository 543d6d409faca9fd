"""Reads the options a suite gives a grader, and says what is wrong with them."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from evals.cases.suite_file import GraderSpec
from evals.codec import convert
from evals.errors import Problem, closest, nearest
from evals.graders.base import ParameterError, Parameters

__all__ = ["problem_of", "read_parameters"]

P = TypeVar("P", bound=Parameters)


def read_parameters(spec: GraderSpec, kind: type[P]) -> tuple[P | None, list[ParameterError]]:
    """Read a grader's options, unknown and missing ones all at once."""
    fields = {item.encode_name: item for item in msgspec.structs.fields(kind)}
    errors = [
        ParameterError(f"unknown key '{key}'", key, nearest(key, ["name", "type", *fields]))
        for key in spec.params
        if key not in fields
    ]
    errors += [
        ParameterError(f"a grader of type '{spec.type}' needs a key '{name}'; found none")
        for name, item in fields.items()
        if item.required and name not in spec.params
    ]
    if errors:
        return None, errors
    try:
        return convert(dict(spec.params), kind), []
    except msgspec.ValidationError as error:
        return None, [_wrong_value(str(error), spec, kind)]


def _wrong_value(text: str, spec: GraderSpec, kind: type[Parameters]) -> ParameterError:
    """Say what a value should have been; for one of a fixed choice, the choice."""
    message, _, path = text.partition(" - at `$")
    name = path.strip("`.")
    choice = [word for word in _choice(get_type_hints(kind).get(name)) if isinstance(word, str)]
    if not choice:
        return ParameterError(message.lower().rstrip("."), name)
    found = spec.params.get(name)
    near = closest(found, choice) if isinstance(found, str) else None
    fix = f"did you mean '{near}'?" if near else None
    return ParameterError(f"expected one of {', '.join(choice)}; found {found!r}", name, fix)


def _choice(hint: Any) -> tuple[Any, ...]:
    """The values of a Literal, also of one inside a union."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(word for part in get_args(hint) for word in _choice(part))


def problem_of(
    spec: GraderSpec, where: str, error: ParameterError, line: int | None = None
) -> Problem:
    """Return a parameter error as a problem in suite.yaml."""
    place = f"{spec.field}.{error.field}" if error.field else spec.field
    return Problem(
        where=where,
        line=line if line is not None else spec.line,
        field=place,
        message=f"grader '{spec.name}': {error}",
        fix=error.fix,
    )
