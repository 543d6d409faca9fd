"""Quota of a subscription in a region: one row for each model and deployment type, and the count of fine-tuned deployments.

A removed deployment gives its quota back after `quota_release_s`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from flows.emulator.control_plane.catalogue import (
    BASE_MODELS,
    SKUS,
    BaseModel,
    default_limit,
    find_base,
    usage_row,
)
from flows.emulator.control_plane.deployable import tuned_model
from flows.emulator.control_plane.lifecycle import is_fine_tuned, remove_expired
from flows.emulator.gateway.accounts import Account, accounts, same_name
from flows.emulator.gateway.errors import arm_error
from flows.emulator.state.documents import Deployment, ModelRef, Tombstone
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["FINE_TUNED_ROW", "available_capacity", "check_quota", "usages"]

FINE_TUNED_ROW = "OpenAI.FineTuned.Deployments"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Allocation:
    row: str
    capacity: int
    fine_tuned: bool  # and standing: a removed one no longer counts among the deployments
    key: str


def check_quota(
    state: EmulatorState,
    account: Account,
    base: BaseModel,
    sku: str,
    capacity: int,
    *,
    key: str,
    fine_tuned: bool,
) -> None:
    """Raise 400 InsufficientQuota when a deployment does not fit. `key` is its own id, whose holding is not counted."""
    row = usage_row(base, sku, fine_tuned=fine_tuned)
    others = [one for one in _allocations(state, account) if one.key != key]
    free = _limit(state, row, sku, fine_tuned) - sum(
        one.capacity for one in others if one.row == row
    )
    if capacity > free:
        raise arm_error(
            400,
            "InsufficientQuota",
            f"This operation require {capacity} new capacity in quota Tokens Per Minute (thousands) - {base.name},"
            f" which is bigger than the current available capacity {max(free, 0)}. The current quota usage is"
            f" {sum(one.capacity for one in others if one.row == row)} and the quota limit is"
            f" {_limit(state, row, sku, fine_tuned)} for quota {row}.",
        )
    standing = sum(one.fine_tuned for one in others)
    limit = state.switches.quota_limits.get(
        FINE_TUNED_ROW, state.switches.finetuned_deployments_limit
    )
    if fine_tuned and standing >= limit:
        raise arm_error(
            400,
            "InsufficientQuota",
            f"This operation require 1 new capacity in quota {FINE_TUNED_ROW}, which is bigger than the current"
            f" available capacity {max(limit - standing, 0)}. The limit of fine-tuned deployments is {limit}.",
        )


def available_capacity(
    state: EmulatorState, account: Account, base: BaseModel, sku: str, *, fine_tuned: bool
) -> int:
    """Return the capacity that is free for a model and deployment type."""
    row = usage_row(base, sku, fine_tuned=fine_tuned)
    used = sum(one.capacity for one in _allocations(state, account) if one.row == row)
    return max(0, _limit(state, row, sku, fine_tuned) - used)


def usages(state: EmulatorState, account: Account) -> list[dict[str, Any]]:
    """Return the usage rows of the account's subscription and region."""
    allocations = list(_allocations(state, account))
    rows = [
        _shown(
            row,
            sum(one.capacity for one in allocations if one.row == row),
            _limit(state, row, sku, tuned),
        )
        for row, sku, tuned in _rows()
    ]
    fine_tuned = sum(one.fine_tuned for one in allocations)
    limit = state.switches.quota_limits.get(
        FINE_TUNED_ROW, state.switches.finetuned_deployments_limit
    )
    rows.append(_shown(FINE_TUNED_ROW, fine_tuned, limit))
    rows.append(_shown("OpenAI.S0.AccountCount", len(_neighbours(state, account)), 30))
    return rows


def _rows() -> Iterator[tuple[str, str, bool]]:
    for base in BASE_MODELS:
        for sku in SKUS:
            for tuned in (False, True):
                if default_limit(sku, fine_tuned=tuned):
                    yield usage_row(base, sku, fine_tuned=tuned), sku, tuned


def _shown(row: str, used: int, limit: int) -> dict[str, Any]:
    return {
        "name": {"value": row, "localizedValue": row.replace(".", " - ")},
        "currentValue": float(used),
        "limit": float(limit),
        "unit": "Count",
    }


def _limit(state: EmulatorState, row: str, sku: str, fine_tuned: bool) -> int:
    return state.switches.quota_limits.get(row, default_limit(sku, fine_tuned=fine_tuned))


def _neighbours(state: EmulatorState, account: Account) -> list[Account]:
    spec = account.spec
    return [
        one
        for one in accounts(state.switches)
        if same_name(one.spec.subscription, spec.subscription)
        and same_name(one.spec.location, spec.location)
    ]


def _allocations(state: EmulatorState, account: Account) -> Iterator[_Allocation]:
    remove_expired(state)
    keys = {one.key for one in _neighbours(state, account)}
    release = state.clock.now() - state.switches.quota_release_s
    for deployment in state.store.all(Deployment):
        if deployment.account in keys:
            yield _holding(
                state, deployment.model, deployment.sku, deployment.capacity, deployment.id
            )
    for tombstone in state.store.all(Tombstone):
        if tombstone.account in keys and tombstone.gone_at > release:
            gone = _holding(state, tombstone.model, tombstone.sku, tombstone.capacity, tombstone.id)
            yield replace(gone, fine_tuned=False)


def _holding(
    state: EmulatorState, model: ModelRef, sku: str, capacity: int, key: str
) -> _Allocation:
    tuned = tuned_model(state, model.name)
    fine_tuned = is_fine_tuned(model)
    base = find_base(tuned.base if tuned else model.name.split(".ft-", 1)[0])
    row = usage_row(base, sku, fine_tuned=fine_tuned) if base else f"OpenAI.{sku}.{model.name}"
    return _Allocation(row=row, capacity=capacity, fine_tuned=fine_tuned, key=key)
