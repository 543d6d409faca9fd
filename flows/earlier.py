"""Which earlier model a person means: what is typed in a hurry is a generation, a run, a name, or a piece of an id.

Only models that were live for the target are looked at. What fits several of them is refused with all that there are;
nobody's guess is made for them.
"""

from __future__ import annotations

from evals.errors import ConfigurationError, Problem
from evals.records import LivePointer
from flows.model_words import short_name
from flows.registry.store import Registry

__all__ = ["earlier_model"]

_MOST = 12
"""Candidates listed in an error: more would scroll the message off the screen."""


def earlier_model(registry: Registry, target: str, said: str) -> str:
    """Return the id of the model, once live for a target, that `said` names.

    It may be the whole id; a generation ("4" or "#4"), the run that made it live, or the short name ("v2"); or the
    beginning or the end of an id. The first of these three groups that fits anything decides.

    Raises:
        ConfigurationError: nothing fits, or several models do; the candidates are listed.
    """
    known = _pointers(registry, target)
    if any(pointer.model_id == said for pointer in known):
        return said
    for fits in (_is_named, _is_part):
        found = [pointer for pointer in known if said.strip() and fits(pointer, said.strip())]
        models = {pointer.model_id for pointer in found}
        if len(models) == 1:
            return models.pop()
        if models:
            raise _unclear(target, said, "names several models", found, registry)
    raise _unclear(target, said, "was never live", known, registry)


def _pointers(registry: Registry, target: str) -> list[LivePointer]:
    """Everything that was live or is, newest first."""
    past = (registry.pointer_at(target, one.generation) for one in registry.superseded(target))
    found = [pointer for pointer in (*past, registry.live(target)) if pointer is not None]
    return found[::-1]


def _is_named(pointer: LivePointer, said: str) -> bool:
    number = said.removeprefix("#")
    by_number = number.isdecimal() and int(number) == pointer.generation
    return by_number or said in (pointer.run_id, short_name(pointer.model_id))


def _is_part(pointer: LivePointer, said: str) -> bool:
    return pointer.model_id.startswith(said) or pointer.model_id.endswith(said)


def _unclear(
    target: str, said: str, why: str, found: list[LivePointer], registry: Registry
) -> ConfigurationError:
    newest: dict[str, LivePointer] = {}
    for pointer in found:
        newest.setdefault(pointer.model_id, pointer)
    listed = [_described(registry, one) for one in newest.values()]
    if len(listed) > _MOST:
        listed[_MOST:] = [f"… and {len(listed) - _MOST} more"]
    there = "there are, newest first:" if listed else "nothing was ever live"
    message = (
        f"'{said}' {why} for {target}; expected a generation (#4), a run, a name (v2), "
        f"or the beginning or end of a model's id; {there}"
    )
    return ConfigurationError(Problem(where="--to", message="\n  ".join([message, *listed])))


def _described(registry: Registry, pointer: LivePointer) -> str:
    barred = registry.barred(pointer.target, pointer.model_id)
    run = f"  run {pointer.run_id}" if pointer.run_id else ""
    return f"#{pointer.generation}  {pointer.model_id}{run}" + (
        f"  ({barred[:120]})" if barred else ""
    )
