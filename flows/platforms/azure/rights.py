"""What the caller may do at an account, held against what a run needs: each missing action is named, with its scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flows.platforms.azure.account import ArmAccount
from flows.platforms.azure.arm.documents import sku_of
from flows.platforms.azure.roles import (
    DELETE,
    PAUSE,
    READ,
    RESUME,
    WRITE,
    matches,
    what_to_assign,
)
from flows.platforms.base import Finding, SlotSpec

__all__ = ["ROLE", "SOURCE_ROLE", "pausing_of", "pausing_rights", "rights", "source_rights"]

ROLE = "have 'Cognitive Services OpenAI Contributor' assigned at the account"
_PAUSABLE = ("Standard", "DataZoneStandard", "GlobalStandard")
SOURCE_ROLE = "have 'Cognitive Services OpenAI Contributor' assigned at the source account as well"


async def rights(account: ArmAccount) -> Finding | None:
    """Say whether the caller may read, write and delete deployments; None when the control plane does not tell."""
    held = "deployments can be read, written and deleted"
    missing = await _missing(account, (READ, WRITE, DELETE))
    return None if missing is None else _finding("rights", account, missing, held)


async def source_rights(source: ArmAccount) -> Finding | None:
    """The same for the account that holds the model, on which the vendor asks for the same role."""
    held = "what the source account holds can be deployed"
    missing = await _missing(source, (WRITE,))
    where = "at the source account as well"
    return None if missing is None else _finding("source rights", source, missing, held, where)


def pausing_of(slot: SlotSpec) -> Finding | None:
    """Return what is wrong with pausing deployments of such a slot, None where their type can be paused."""
    sku = sku_of(slot)
    if sku in _PAUSABLE:
        return None
    message = f"the service does not pause {sku} deployments: the previous one is kept running, and paid for"
    fix = f"take 'promotion.keep: warm', or one of {', '.join(_PAUSABLE)} for production"
    return Finding(name="pausing", level="warn", message=message, fix=fix)


async def pausing_rights(account: ArmAccount) -> Finding | None:
    """Say whether a superseded deployment can be paused, and resumed by a rollback. Without it the deployment goes on
    running, so that this is a warning; None when the control plane does not tell.
    """
    missing = await _missing(account, (PAUSE, RESUME))
    if missing is None:
        return None
    if not missing:
        return Finding(name="pausing", level="ok", message="deployments can be paused and resumed")
    message = (
        f"missing at {account.account_id}: {', '.join(missing)}; a previous deployment that can't be paused is kept"
        " running, and paid for"
    )
    if missing == [RESUME]:
        message = (
            f"missing at {account.account_id}: {RESUME}; a rollback deploys a paused model anew"
        )
    return Finding(name="pausing", level="warn", message=message, fix=what_to_assign(missing))


async def _missing(account: ArmAccount, needed: tuple[str, ...]) -> list[str] | None:
    """Return the actions that are lacking; None where permissions can't be read: what is missing then shows when used."""
    granted = await account.permissions()
    if granted is None:
        return None
    return [action for action in needed if not _allowed(granted, action)]


def _finding(
    name: str, account: ArmAccount, missing: list[str], held: str, where: str = "at the account"
) -> Finding:
    if not missing:
        return Finding(name=name, level="ok", message=held)
    message = f"missing at {account.account_id}: {', '.join(missing)}"
    return Finding(name=name, level="fail", message=message, fix=what_to_assign(missing, where))


def _allowed(granted: Iterable[Mapping[str, Any]], action: str) -> bool:
    return any(
        matches(_patterns(one, "actions"), action)
        and not matches(_patterns(one, "notActions"), action)
        for one in granted
    )


def _patterns(granted: Mapping[str, Any], key: str) -> tuple[object, ...]:
    """Patterns of actions; one alone may stand without its list."""
    told = granted.get(key)
    return (
        tuple(told) if isinstance(told, list | tuple) else (told,) if isinstance(told, str) else ()
    )
