"""Plug-ins: graders, publishers and platforms that other distributions register by entry points.

A name that is built in is never looked up here, so that an installation without plug-ins pays nothing and no plug-in can
take the place of what is built in. A plug-in is code that runs in this process: install what you trust.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from evals.errors import ConfigurationError, Problem

__all__ = ["PluginGroup", "load_plugin", "plugin_names"]

PluginGroup = Literal["gatewright.graders", "gatewright.publishers", "gatewright.platforms"]


def plugin_names(group: PluginGroup) -> tuple[str, ...]:
    """Return the names registered in a group, sorted; nothing is imported."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def load_plugin(
    group: PluginGroup, name: str, *, expected: str, fits: Callable[[Any], bool]
) -> Any | None:
    """Import what is registered under a name of a group; None when nothing is.

    Args:
        group: the group of entry points.
        name: the name, as a suite or a target file has it.
        expected: what has to be registered there, for the error: "a PublisherKind".
        fits: whether an object is that.

    Raises:
        ConfigurationError: two distributions register the name, or the plug-in can't be imported or is something
            else. It names the distribution.
    """
    points = tuple(entry_points(group=group, name=name))
    if not points:
        return None
    if len({point.value for point in points}) > 1:
        owners = " and ".join(sorted(map(_owner, points)))
        raise _broken(group, f"plug-in '{name}' is registered by {owners}", "uninstall all but one")
    (point, *_) = points
    plugin = f"plug-in '{name}' of {_owner(point)}"
    try:
        found = point.load()
    except Exception as error:  # importing runs the plug-in's code, which may raise anything
        reason = f"{plugin} can't be loaded from {point.value}: {type(error).__name__}: {error}"
        raise _broken(group, reason, "install a version of it that fits, or remove it") from error
    if not fits(found):
        raise _broken(group, f"{plugin}: expected {expected}; {point.value} is {found!r:.80}")
    return found


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed distribution"


def _broken(group: str, message: str, fix: str | None = None) -> ConfigurationError:
    return ConfigurationError(Problem(where=group, message=message, fix=fix))
