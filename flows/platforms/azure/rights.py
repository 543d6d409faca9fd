"""What the caller may do at an account, held against what a run needs: each missing action is named, with its scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from flows.platforms.azure.account import ArmAccount
from flows.platforms.base import Finding

__all__ = ["ROLE", "SOURCE_ROLE", "rights", "source_rights"]

ROLE = "have 'Cognitive Services OpenAI Contributor' assigned at the account"
SOURCE_ROLE = "have 'Cognitive Services OpenAI Contributor' assigned at the source account as well"

_READ, _WRITE, _DELETE = (
    f"Microsoft.CognitiveServices/accounts/deployments/{verb}"
    for verb in ("read", "write", "delete")
)


async def rights(account: ArmAccount) -> Finding | None:
    """Say whether the caller may read, write and delete deployments; None when the control plane does not tell."""
    held = "deployments can be read, written and deleted"
    return await _held("rights", account, (_READ, _WRITE, _DELETE), held, ROLE)


async def source_rights(source: ArmAccount) -> Finding | None:
    """The same for the account that holds the model, on which the vendor asks for the same role."""
    held = "what the source account holds can be deployed"
    return await _held("source rights", source, (_WRITE,), held, SOURCE_ROLE)


async def _held(
    name: str, account: ArmAccount, needed: tuple[str, ...], held: str, fix: str
) -> Finding | None:
    granted = await account.permissions()
    if granted is None:
        return (
            None  # not everybody may read permissions; a missing right then shows when it is used
        )
    missing = [action for action in needed if not _allowed(granted, action)]
    if not missing:
        return Finding(name=name, level="ok", message=held)
    message = f"missing at {account.account_id}: {', '.join(missing)}"
    return Finding(name=name, level="fail", message=message, fix=fix)


def _allowed(granted: Iterable[Mapping[str, Any]], action: str) -> bool:
    def matches(patterns: Any) -> bool:
        return any(fnmatchcase(action.lower(), str(one).lower()) for one in patterns or ())

    return any(
        matches(one.get("actions")) and not matches(one.get("notActions")) for one in granted
    )
