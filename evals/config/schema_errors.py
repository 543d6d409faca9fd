"""Turns what jsonschema finds into problems a person can act on: expected, found, nearest valid name, line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry

from evals.errors import Problem, closest, nearest

__all__ = ["compile_schema", "dotted", "own_schema", "schema_problems", "shown"]

_KINDS = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "text of at least {} characters",
    "maxLength": "text of at most {} characters",
    "minItems": "a list of at least {} entries",
    "maxItems": "a list of at most {} entries",
    "minProperties": "at least {} entries",
    "maxProperties": "at most {} entries",
    "pattern": "text that matches {}",
    "format": "the format {}",
}


def compile_schema(schema: Any, where: str) -> Draft202012Validator:
    """Return a validator of `schema` (JSON Schema, draft 2020-12) that never fetches anything.

    Raises:
        ValueError: the schema is none, or refers to something outside itself.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = dotted(error.absolute_path)
        raise ValueError(f"{where} is not a JSON Schema: {place}: {error.message}") from None
    foreign = next((ref for ref in _references(schema) if not ref.startswith("#")), None)
    if foreign is not None:
        raise ValueError(f"{where} refers to {foreign!r}; a schema has to be whole in itself")
    return Draft202012Validator(schema, registry=Registry())


def own_schema(schema: Any) -> Draft202012Validator:
    """Return a validator of a schema that comes with Gatewright: it is checked by a test, and not at every start."""
    return Draft202012Validator(schema, registry=Registry())


def schema_problems(
    validator: Draft202012Validator,
    data: Any,
    *,
    where: str,
    line: Callable[[str], int | None],
) -> Iterator[Problem]:
    """Yield every way in which `data` does not fit, in document order; `line` maps a dotted field to its line."""
    errors = sorted(validator.iter_errors(data), key=lambda error: [str(p) for p in error.path])
    for error in errors:
        for field, message, fix in _worded(error):
            yield Problem(
                where=where, line=line(field), field=field or None, message=message, fix=fix
            )


def dotted(path: Iterable[str | int]) -> str:
    """Return a path such as ('checks', 0, 'slices') as 'checks[0].slices'."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shown(value: Any, limit: int = 60) -> str:
    """Return a value as short JSON text for a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"


_Worded = tuple[str, str, str | None]


def _worded(error: ValidationError) -> Iterator[_Worded]:
    wanted: Any = error.validator_value
    field, keyword = dotted(error.absolute_path), error.validator
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        yield from _unknown_keys(error, field)
    elif keyword == "required":
        name = next(name for name in wanted if error.message.startswith(repr(name)))
        fix = _near_miss(name, error.instance, error) or _choices(name, error)
        yield field, f"expected a key '{name}'; found none", fix
    elif keyword in ("oneOf", "anyOf") and error.context:
        yield from _alternatives(error, field)
    elif keyword == "enum":
        valid = [item if isinstance(item, str) else shown(item) for item in wanted]
        near = closest(str(error.instance), valid)
        fix = f"did you mean '{near}'?" if near else None
        yield field, f"expected one of {', '.join(valid)}; found {shown(error.instance)}", fix
    else:
        yield field, _expectation(error), _in_numbers(error)


def _in_numbers(error: ValidationError) -> str | None:
    """How a share written in % is written as the number that was expected."""
    share = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", str(error.instance))
    if error.validator_value != "number" or share is None:
        return None
    return f"write {float(share[1]) / 100:g}"


def _expectation(error: ValidationError) -> str:
    expected = _expected(error)
    return error.message if expected is None else f"{expected}; found {shown(error.instance)}"


def _expected(error: ValidationError) -> str | None:
    """What a value should have been; None for a keyword without words of our own."""
    wanted: Any = error.validator_value
    keyword = str(error.validator)
    # A schema may say in words what it means by a pattern.
    meant = error.schema.get("x-expected") if isinstance(error.schema, Mapping) else None
    if keyword in ("type", "pattern") and meant is not None:
        return f"expected {meant}"
    if keyword == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"expected {' or '.join(_KINDS[kind] for kind in kinds)}"
    if keyword == "const":
        return f"expected {shown(wanted)}"
    if keyword in _BOUNDS:
        return f"expected {_BOUNDS[keyword].format(wanted)}"
    return "expected every entry once" if keyword == "uniqueItems" else None


def _unknown_keys(error: ValidationError, field: str) -> Iterator[_Worded]:
    known = list(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else []
    instance: Any = error.instance
    for key in instance:
        if key not in known:
            place = f"{field}.{key}" if field else str(key)
            # A schema may say of keys that people look for in the wrong place where they stand.
            elsewhere = (
                error.schema.get("x-elsewhere", {}) if isinstance(error.schema, Mapping) else {}
            )
            yield place, f"unknown key '{key}'", elsewhere.get(key) or nearest(str(key), known)


def _near_miss(name: str, instance: Any, error: ValidationError) -> str | None:
    known = set(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else set()
    near = closest(name, [str(key) for key in instance if key not in known])
    return f"is it '{near}'?" if near else None


def _choices(name: str, error: ValidationError) -> str | None:
    """What may stand at a key that is missing, where the schema lists it."""
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    choices = known.get(name, {}).get("enum", ())
    return f"say one of {', '.join(map(str, choices))}" if choices else None


def _alternatives(error: ValidationError, field: str) -> Iterator[_Worded]:
    """Speak of the one alternative that was meant, when the errors inside tell which; else name all."""
    branches: dict[int, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(int(inner.schema_path[0]), []).append(inner)
    meant = [
        b for b in branches.values() if not any(e.validator == "type" and not e.path for e in b)
    ]
    if len(meant) == 1:
        for inner in meant[0]:
            for place, message, fix in _worded(inner):
                yield place or field, message, fix
        return
    first = [branch[0] for branch in branches.values()]
    wants = dict.fromkeys(_expected(error) or error.message for error in first)
    text = " or ".join(wants).replace(" or expected ", " or ")
    yield field, f"{text}; found {shown(error.instance)}", None


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)
