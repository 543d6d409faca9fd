"""YAML with the line of every field, and YAML written so that it is read back the same.

Only plain data: mappings, lists, text, numbers, true, false, null. No tag runs anything or is passed over in silence.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import yaml

from evals.errors import ConfigurationError, Problem

__all__ = ["dump_yaml", "read_yaml"]

_MOST_NODES = 200_000  # aliases can make a small file a huge document


def read_yaml(text: str, where: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Return a YAML mapping and the 1-based line of every dotted field; `where` is what messages call the file.

    Raises:
        ConfigurationError: the text is no YAML or no mapping, has a key twice, a tag, or an alias without end.
    """
    try:
        node = _composed(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        message = f"expected YAML; found: {error.problem}"
        raise ConfigurationError(Problem(where=where, line=line, message=message)) from None
    except (yaml.YAMLError, RecursionError) as error:
        message = f"expected YAML; found: {error}"
        raise ConfigurationError(Problem(where=where, message=message)) from None
    if not isinstance(node, yaml.MappingNode):
        message = "expected a mapping of keys; found something else or nothing"
        raise ConfigurationError(Problem(where=where, message=message))
    reader = _Reader(where)
    data = reader.read(node, "", ())
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return data, reader.lines


@lru_cache(maxsize=32)
def _composed(text: str) -> yaml.Node | None:
    """Compose a document once: the steps of a run read the same few files, and nobody changes a node."""
    return yaml.compose(text, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    """A SafeLoader that resolves plain scalars by YAML 1.2's core schema, without non-finite numbers."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


class _Dumper(yaml.SafeDumper):
    """A SafeDumper that quotes what either version of YAML would read as something else than text."""


_Dumper.yaml_implicit_resolvers = {
    first: [
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        *_Loader.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
}
_Dumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # The exotic line breaks of YAML 1.1 only survive between double quotes.
    exotic = any(mark in text for mark in "\r\x85\u2028\u2029")
    style = '"' if exotic else "|" if "\n" in text.rstrip("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)


def dump_yaml(data: Any) -> str:
    """Return plain data as YAML that `load_yaml` reads back the same; long texts as blocks, keys in their order."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Reader:
    """Turns a node tree into plain data, keeping lines and collecting problems."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._nodes = 0

    def read(self, node: yaml.Node, name: str, above: tuple[int, ...]) -> Any:
        self.lines.setdefault(name, node.start_mark.line + 1)
        self._nodes += 1
        if id(node) in above or self._nodes > _MOST_NODES:
            self._refuse(
                node, name, "expected a finite document; found an alias that unfolds without end"
            )
            raise ConfigurationError(self.problems)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, name, (*above, id(node)))
        if isinstance(node, yaml.SequenceNode):
            return [
                self.read(item, f"{name}[{index}]", (*above, id(node)))
                for index, item in enumerate(node.value)
            ]
        return self._scalar(node, name)

    def _mapping(self, node: yaml.MappingNode, name: str, above: tuple[int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged |= self._merge(value_node, name, above)
                continue
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            field_name = f"{name}.{key}" if name else key
            if key in found:
                first = self.lines[field_name]
                self._refuse(
                    key_node, field_name, f"expected every key once; '{key}' is on line {first} too"
                )
            self.lines.setdefault(field_name, key_node.start_mark.line + 1)
            found[key] = self.read(value_node, field_name, above)
        return {**merged, **found}

    def _merge(self, node: yaml.Node, name: str, above: tuple[int, ...]) -> dict[str, Any]:
        value = self.read(node, f"{name}.<<" if name else "<<", above)
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            self._refuse(node, name, "expected a mapping after '<<'; found something else")
            return {}
        return {key: item for part in reversed(parts) for key, item in part.items()}

    def _scalar(self, node: yaml.Node, name: str) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        text = str(node.value)
        if kind == "str":
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return int(text, 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10)
        if kind == "float":
            return float(text)
        self._refuse(node, name, f"expected plain data; found the tag {node.tag}")
        return None

    def _refuse(self, node: yaml.Node, name: str, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(
            Problem(where=self.where, line=line, field=name or None, message=message)
        )
