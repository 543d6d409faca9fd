"""Quota of a subscription in a region: one row for each model and deployment type, and the count of fine-tuned deployments.

A removed deployment gives its quota back after `quota_release_s`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from flows.emulator.control_plane.deployable import Deployable, tuned_model
from flows.emulator.control_plane.lifecycle import is_fine_tuned, remove_expired
from flows.emulator.gateway.accounts import Account, accounts, same_name
from flows.emulator.gateway.errors import ServiceError, arm_error
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
    state: EmulatorState, account: Account, model: Deployable, sku: str, capacity: int, *, key: str
) -> None:
    """Raise 400 InsufficientQuota when a deployment does not fit. `key` is its own id: what it has does not count."""
    fine_tuned = model.tuned is not None
    row = usage_row(model.base, sku, fine_tuned=fine_tuned)
    others = [one for one in _allocations(state, account) if one.key != key]
    used, limit = _used(others, row), _limit(state, row, sku, fine_tuned)
    if capacity > limit - used:
        raise _insufficient(
            f"This operation require {capacity} new capacity in quota Tokens Per Minute (thousands) - {model.base.name},"
            f" which is bigger than the current available capacity {max(limit - used, 0)}. The current quota usage is"
            f" {used} and the quota limit is {limit} for quota {row}."
        )
    count, most = sum(one.fine_tuned for one in others), _most_fine_tuned(state)
    if fine_tuned and count >= most:
        raise _insufficient(
            f"This operation require 1 new capacity in quota {FINE_TUNED_ROW}, which is bigger than the current"
            f" available capacity {max(most - count, 0)}. The limit of fine-tuned deployments is {most}."
        )


def _insufficient(message: str) -> ServiceError:
    return arm_error(400, "InsufficientQuota", message)


def available_capacity(
    state: EmulatorState, account: Account, base: BaseModel, sku: str, *, fine_tuned: bool
) -> int:
    """Return the capacity that is free for a model and deployment type."""
    row = usage_row(base, sku, fine_tuned=fine_tuned)
    used = _used(_allocations(state, account), row)
    return max(0, _limit(state, row, sku, fine_tuned) - used)


def usages(state: EmulatorState, account: Account) -> list[dict[str, Any]]:
    """Return the usage rows of the account's subscription and region."""
    allocations = list(_allocations(state, account))
    rows = [
        _shown(row, _used(allocations, row), _limit(state, row, sku, tuned))
        for row, sku, tuned in _rows()
    ]
    fine_tuned = sum(one.fine_tuned for one in allocations)
    rows.append(_shown(FINE_TUNED_ROW, fine_tuned, _most_fine_tuned(state)))
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


def _most_fine_tuned(state: EmulatorState) -> int:
    limits = state.switches.quota_limits
    return limits.get(FINE_TUNED_ROW, state.switches.finetuned_deployments_limit)


def _used(allocations: Iterable[_Allocation], row: str) -> int:
    return sum(one.capacity for one in allocations if one.row == row)


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
            yield _allocation(
                state, deployment.model, deployment.sku, deployment.capacity, deployment.id
            )
    for tombstone in state.store.all(Tombstone):
        if tombstone.account in keys and tombstone.gone_at > release:
            gone = _allocation(
                state, tombstone.model, tombstone.sku, tombstone.capacity, tombstone.id
            )
            yield replace(gone, fine_tuned=False)


def _allocation(
    state: EmulatorState, model: ModelRef, sku: str, capacity: int, key: str
) -> _Allocation:
    tuned = tuned_model(state, model.name)
    fine_tuned = is_fine_tuned(model)
    base = find_base(tuned.base if tuned else model.name.split(".ft-", 1)[0])
    row = usage_row(base, sku, fine_tuned=fine_tuned) if base else f"OpenAI.{sku}.{model.name}"
    return _Allocation(row=row, capacity=capacity, fine_tuned=fine_tuned, key=key)
