"""Going back for a target as its file describes it, and where its applications read. Imports little: a rollback is urgent."""

from __future__ import annotations

from flows.config.connections import platform_of
from flows.config.strategy import fixed_name
from flows.config.target import Target, load_target
from flows.publishers.base import Publisher
from flows.publishers.table import build_publishers
from flows.recovery import attempts
from flows.recovery.earlier_models import earlier_model
from flows.recovery.rollback import RollbackOutcome, roll_back
from flows.registry.opening import open_registry
from flows.settings import Settings

__all__ = ["go_back", "publishers_of"]


async def go_back(
    settings: Settings, target_name: str, *, to: str | None, reason: str, actor: str
) -> RollbackOutcome:
    """Return a target to the model that was live before (or to `to`), and hold automation off.

    `to` names an earlier model as `flows.recovery.earlier_models` reads it. Asked for again after it was killed, it finishes what it
    began.
    """
    target = load_target(settings.targets, target_name)
    platform = platform_of(target)
    with open_registry(settings) as registry:
        try:
            model = earlier_model(registry, target_name, to) if to is not None else None
            outcome = await roll_back(
                target_name,
                to=attempts.begin(settings, registry, target_name, model),
                reason=reason,
                actor=actor,
                platform=platform,
                registry=registry,
                publishers=publishers_of(settings, target),
                slot=target.production,
                keeps_name=fixed_name(target),
            )
            if not outcome.problems:
                attempts.finish(settings, target_name)
            return outcome
        finally:
            await platform.aclose()


def publishers_of(settings: Settings, target: Target) -> tuple[Publisher, ...]:
    """Make the publishers a target names. Relative paths start at the folder above the home."""
    return build_publishers(
        list(target.publish), target=target.name, root=settings.home.parent, where=target.path
    )
