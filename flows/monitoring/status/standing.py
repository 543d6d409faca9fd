"""Deployments of ours that stand for a target: what each is for, how long it stays, and what it costs an hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flows.config.target import Target
from flows.deployments.hosting import hosting_per_hour
from flows.deployments.identity import belongs_to, run_of
from flows.housekeeping.retire import kept_for_rollback
from flows.housekeeping.sweep_target import due_deployments, in_use
from flows.monitoring.status.records import Need, SlotRole, StandingSlot
from flows.platforms.base import Deployment, HostingPlatform
from flows.platforms.lifetimes import expires_at
from flows.registry.provenance import base_model_of
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["leftover_needs", "standing_slots"]


async def standing_slots(
    settings: Settings, registry: Registry, target: Target, platform: HostingPlatform
) -> tuple[StandingSlot, ...]:
    """Return a target's deployments by name; none on a platform where models answer under their own ids.

    Raises PlatformError when the platform can't be asked.
    """
    if not target.production.sku:
        return ()
    used = in_use(settings, registry, target.name)
    due = {one.name: one.why for one in await due_deployments(registry, target, platform, used)}
    roles = _roles(registry, target, due)
    return tuple(
        StandingSlot(
            name=one.name,
            model_id=one.model_id,
            role=roles.get(one.name) or ("developer" if one.slot == "developer" else "other"),
            state=one.state,
            sku=one.sku,
            run_id=run_of(one),
            created_at=one.created_at,
            ends_at=_removed_at(one),
            usd_per_hour=hosting_per_hour(
                platform, one, base_model_of(registry, target.name, one.model_id)
            ),
            why=due.get(one.name, ""),
        )
        for one in sorted(await platform.list_deployments(), key=lambda one: one.name)
        if one.name in roles or belongs_to(one, target.name)
    )


def leftover_needs(target: str, slots: tuple[StandingSlot, ...]) -> Iterator[Need]:
    """Yield a need for each deployment that nobody needs any more."""
    for slot in slots:
        if slot.role == "leftover":
            yield Need(
                kind="leftover_slot",
                severity="person",
                message=f"{slot.name} is left over ({slot.why}); it costs {_cost(slot)}",
                since=slot.created_at,
                command=f"gatewright sweep {target}",
                about=slot.name,
            )


def _roles(registry: Registry, target: Target, due: Mapping[str, str]) -> dict[str, SlotRole]:
    kept = kept_for_rollback(
        target.name, keep_s=target.promotion.keep_previous_s, registry=registry
    )
    roles: dict[str, SlotRole] = dict.fromkeys(kept, "previous")
    roles |= dict.fromkeys(due, "leftover")
    live = registry.live(target.name)
    if live is not None and live.deployment is not None:
        roles[live.deployment] = "live"
    return roles


def _removed_at(one: Deployment) -> str | None:
    ends = expires_at(one)
    return ends.isoformat() if ends is not None else None


def _cost(slot: StandingSlot) -> str:
    if slot.usd_per_hour is None:
        return "an unknown amount an hour"
    return f"${slot.usd_per_hour:,.2f} an hour" if slot.usd_per_hour else "nothing by the hour"
