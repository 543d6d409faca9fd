"""The way back from what is live, and the command that takes it: the model before, else another one that was live."""

from __future__ import annotations

from typing import NamedTuple

from flows.platforms.short_names import short_name
from flows.registry.store import Registry

__all__ = ["RollbackCommand", "rollback_command"]


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
