"""Prompt templates: `{{ item.path[0].name }}`, filled in one pass, so that data holding braces stays data.

The syntax is that of OpenAI's graders and evals. What is not specified there is strict here: a variable that can't be
resolved is an error and never an empty string; a value that isn't text is put in as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from evals.errors import GatewrightError, nearest

__all__ = ["TemplateError", "lookup", "parse_path", "render", "render_tree", "variables"]

_VARIABLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STEP = re.compile(r"\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[\"([^\"]+)\"\]|\['([^']+)'\]")

Path = tuple[str | int, ...]


class TemplateError(GatewrightError):
    """A template is malformed, or a variable of it has no value. `variable` is its text."""

    exit_code = 3

    def __init__(self, message: str, variable: str, *, known: Any = None, step: Any = None) -> None:
        self.variable = variable
        self._known = known
        self._step = step
        super().__init__(message)

    @property
    def fix(self) -> str | None:
        """The name that may have been meant where a name is missing, such as "did you mean 'ticket'?"."""
        if not isinstance(self._known, Mapping) or not isinstance(self._step, str):
            return None
        return nearest(self._step, [key for key in self._known if isinstance(key, str)])


def render(template: str, namespaces: Mapping[str, Any]) -> str:
    """Fill a template. `namespaces` maps the first word of a variable, such as `item` or `sample`, to its data.

    Raises:
        TemplateError: naming the variable that is malformed or has no value.
    """
    parts = _parse(template)
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    return "".join(
        part if isinstance(part, str) else _text(lookup(part, namespaces)) for part in parts
    )


def render_tree(value: Any, namespaces: Mapping[str, Any]) -> Any:
    """Fill every text inside lists and objects; other values stay as they are."""
    if isinstance(value, str):
        return render(value, namespaces)
    if isinstance(value, Mapping):
        return {key: render_tree(item, namespaces) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render_tree(item, namespaces) for item in value]
    return value


def variables(template: str) -> tuple[str, ...]:
    """Return the variables of a template as dotted text, in order, each once."""
    found = (_dotted(part) for part in _parse(template) if not isinstance(part, str))
    return tuple(dict.fromkeys(found))


def lookup(path: Path, namespaces: Mapping[str, Any]) -> Any:
    """Follow a parsed path. Raises TemplateError saying where it ended."""
    value: Any = namespaces
    for depth, step in enumerate(path):
        if isinstance(step, int):
            known = isinstance(value, Sequence) and not isinstance(value, str) and step < len(value)
        else:
            known = isinstance(value, Mapping) and step in value
        if not known:
            name = _dotted(path)
            above = _dotted(path[:depth]) or "the namespaces"
            missing = f"[{step}]" if isinstance(step, int) else f"'{step}'"
            message = f"'{{{{ {name} }}}}' has no value: no {missing} in {above}"
            raise TemplateError(message, name, known=value, step=step)
        value = value[step]
    return value


def parse_path(text: str) -> Path:
    """Parse a path such as `a.b[0]["c d"]`. Raises TemplateError when it is none."""
    steps = tuple(_steps(text))
    if not steps:
        raise TemplateError(f"expected a path such as item.name; found '{{{{{text}}}}}'", text)
    return steps


@lru_cache(maxsize=1024)
def _parse(template: str) -> tuple[str | Path, ...]:
    parts: list[str | Path] = []
    end = 0
    for match in _VARIABLE.finditer(template):
        if match.start() > end:
            parts.append(template[end : match.start()])
        parts.append(parse_path(match[1].strip()))
        end = match.end()
    rest = template[end:]
    if "{{" in rest:
        raise TemplateError("expected '}}' after '{{'; found none", rest[rest.index("{{") :][:40])
    if rest or not parts:
        parts.append(rest)
    return tuple(parts)


def _steps(text: str) -> Iterator[str | int]:
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        dot_needed = position > 0 and text[position] not in ".["
        if match is None or dot_needed or (position == 0 and text[0] in ".["):
            raise TemplateError(f"expected a path such as item.name; found '{{{{{text}}}}}'", text)
        name, index = match[1] or match[3] or match[4], match[2]
        yield int(index) if index is not None else name
        position = match.end()


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
