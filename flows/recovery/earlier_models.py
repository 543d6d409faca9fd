"""Earlier models of a target: which one a person names, and the command that goes back to the one before.

What is typed in a hurry is a generation, a run, a name, or a piece of an id. Only models that were live for the target
are searched, or those that are barred from it. A name that fits several is refused with the list of them, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evals.errors import ConfigurationError, Problem
from flows.platforms.model_names import same_id, short_name
from flows.registry.store import Registry

__all__ = ["RollbackCommand", "barred_model", "earlier_model", "rollback_command"]

_MOST = 12
"""Candidates listed in an error: more would scroll the message off the screen."""
_EXPECTED = (
    "expected a generation (#4), a run, a name (v2), or the beginning or end of a model's id"
)


class _KnownModel(NamedTuple):
    """A model and what it is known by; `generation` and `run_id` where it has them."""

    model_id: str
    generation: int | None
    run_id: str | None


def earlier_model(registry: Registry, target: str, typed: str, *, where: str = "--to") -> str:
    """Return the id of the model, once live for a target or live now, that `typed` names; `where` it was typed.

    It may be the whole id; a generation ("4" or "#4"), the run that made it live, or the short name ("v2"); or the
    beginning or the end of an id. The first of these three groups that fits anything decides.

    Raises:
        ConfigurationError: nothing fits, or several models do; the candidates are listed.
    """
    named, known = _pick(_once_live(registry, target), typed)
    if named is not None:
        return named
    why = "names several models" if known else "was never live"
    message = f"'{typed}' {why} for {target}; {_EXPECTED}"
    listed = known or _once_live(registry, target)
    raise _unclear(registry, target, listed, where, message, "nothing was ever live")


def barred_model(registry: Registry, target: str, typed: str, *, where: str) -> str:
    """Return the id of the refused or revoked model that `typed` names, as `earlier_model` reads it.

    Raises:
        ConfigurationError: nothing fits, or several models do; the candidates are listed.
    """
    barred = [_KnownModel(str(e.model_id), None, e.run_id) for e in registry.barring(target)]
    ids = {one.model_id for one in barred}
    live_once = [one for one in _once_live(registry, target) if one.model_id in ids]
    named, known = _pick([*live_once, *barred], typed)
    if named is not None:
        return named
    why = f"'{typed}' names several models barred" if known else f"nothing bars '{typed}'"
    message = f"{why} from {target}; {_EXPECTED}"
    raise _unclear(
        registry, target, known or [*live_once, *barred], where, message, "no model is barred"
    )


def _pick(known: Sequence[_KnownModel], typed: str) -> tuple[str | None, list[_KnownModel]]:
    """The one model that fits; else None with those that all fit."""
    if named := [one.model_id for one in known if same_id(one.model_id, typed)]:
        return typed if typed in named else named[0], []
    for fits in (_is_named, _is_part):
        found = [one for one in known if typed.strip() and fits(one, typed.strip())]
        models = {one.model_id for one in found}
        if len(models) == 1:
            return models.pop(), []
        if models:
            return None, found
    return None, []


def _once_live(registry: Registry, target: str) -> list[_KnownModel]:
    """Everything that was live or is, newest first."""
    past = (registry.pointer_at(target, one.generation) for one in registry.superseded(target))
    found = [pointer for pointer in (*past, registry.live(target)) if pointer is not None]
    return [_KnownModel(one.model_id, one.generation, one.run_id) for one in found[::-1]]


def _is_named(one: _KnownModel, typed: str) -> bool:
    number = typed.removeprefix("#")
    by_number = number.isdecimal() and int(number) == one.generation
    return by_number or typed in (one.run_id, short_name(one.model_id))


def _is_part(one: _KnownModel, typed: str) -> bool:
    return one.model_id.startswith(typed) or one.model_id.endswith(typed)


def _unclear(
    registry: Registry,
    target: str,
    found: Iterable[_KnownModel],
    where: str,
    message: str,
    if_none: str,
) -> ConfigurationError:
    newest: dict[str, _KnownModel] = {}
    for one in found:
        newest.setdefault(one.model_id, one)
    listed = [_described(registry, target, one) for one in newest.values()]
    if len(listed) > _MOST:
        listed[_MOST:] = [f"… and {len(listed) - _MOST} more"]
    there = "there are, newest first:" if listed else if_none
    return ConfigurationError(
        Problem(where=where, message="\n  ".join([f"{message}; {there}", *listed]))
    )


def _described(registry: Registry, target: str, one: _KnownModel) -> str:
    barred = registry.barred(target, one.model_id)
    number = f"#{one.generation}  " if one.generation is not None else ""
    run = f"  run {one.run_id}" if one.run_id else ""
    return f"{number}{one.model_id}{run}" + (f"  ({barred[:120]})" if barred else "")


class RollbackCommand(NamedTuple):
    """The model gone back to, and what to type."""

    model_id: str
    command: str

    @property
    def name(self) -> str:
        """The model's short name."""
        return short_name(self.model_id)


def rollback_command(registry: Registry, target: str) -> RollbackCommand | None:
    """Return the way back for a target, None where no other model was ever live or all may not be any more.

    Below the first model nothing stands: what was rolled back from is the way back then, and has to be named.
    """
    command = f"gatewright rollback {target} --reason '…'"
    before = registry.previous(target)
    if before is not None:
        return RollbackCommand(before.model_id, command)
    live = registry.live(target)
    if live is None:
        return None
    for other in reversed(registry.superseded(target)):
        if other.model_id != live.model_id and registry.barred(target, other.model_id) is None:
            named = command.replace(" --reason", f" --to '#{other.generation}' --reason")
            return RollbackCommand(other.model_id, named)
    return None
